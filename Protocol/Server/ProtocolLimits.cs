namespace Backupd.Protocol.Server;

/// <summary>Every bound of the protocol, each with its reason. Zero never means unlimited.</summary>
public static class ProtocolLimits
{
    /// <summary>The protocol's version, told by GetServerInfo.</summary>
    public const int ProtocolVersion = 1;

    /// <summary>8 KiB: room for a request with a large token. Who has not shown a token gets no more memory.</summary>
    public const int MaxLineBytesBeforeToken = 8 * 1024;

    /// <summary>1 MiB. No request of a legitimate client comes near; a longer line is refused while it arrives.</summary>
    public const int MaxLineBytes = 1024 * 1024;

    /// <summary>16. The deepest documented request has 3 levels.</summary>
    public const int MaxJsonDepth = 16;

    /// <summary>16 requests may wait on one session: what a client pipelines while a run is waited for.</summary>
    public const int MaxWaitingRequests = 16;

    /// <summary>64 KiB of requests may wait on one session, however few they are.</summary>
    public const int MaxWaitingBytes = 64 * 1024;

    /// <summary>16 MiB of requests may wait on all sessions together: requests are short, and few clients pipeline them behind
    /// one that takes long.</summary>
    public const long MaxWaitingBytesInAll = 16 * 1024 * 1024;

    /// <summary>4 KiB may wait on one session even so: some requests with their tokens.</summary>
    public const int FewWaitingBytes = 4 * 1024;

    /// <summary>16 KiB: a longer message needs one of a few places while it arrives.</summary>
    public const int LongMessageBytes = 16 * 1024;

    /// <summary>24 sessions may receive a long message at a time. One may hold 4 MiB: lines are received into an array of
    /// up to twice their length, and so are the fragments of a WebSocket.</summary>
    public const int MaxLongMessages = 24;

    /// <summary>5. More wrong tokens than a person mistypes; fewer than guessing needs.</summary>
    public const int MaxBadTokens = 5;

    /// <summary>32 connections that have not shown a valid token, unless configured.</summary>
    public const int MaxUnauthenticated = 32;

    /// <summary>1,024 connections in all unless configured; an idle one costs some kilobytes.</summary>
    public const int MaxConnections = 1024;

    /// <summary>20,000: the most that can be configured, which keeps the process below 256 MiB.</summary>
    public const int MostConnections = 20_000;

    /// <summary>1 MiB of endings that a subscriber has not read; then it is disconnected. Progress between endings is
    /// never queued.</summary>
    public const int MaxQueuedEventBytes = 1024 * 1024;

    /// <summary>2,000 events of progress a second to all subscribers together: some 2 % of a processor. Up to 200 subscribers get
    /// every change that the runner tells, 1,000 of them two a second.</summary>
    public const double EventsPerSecond = 2000;

    /// <summary>64 KiB of replies may wait for a slow reader before its next request waits too.</summary>
    public const int MaxQueuedReplyBytes = 64 * 1024;

    /// <summary>32 MiB of replies may wait for clients that do not read, over all sessions: some hundred long lists. While there
    /// is more, each session gets its next reply when the one before has left, and long ones wait.</summary>
    public const long MaxUnsentBytes = 32 * 1024 * 1024;

    /// <summary>4 long replies are made at a time, so that what cannot be sent of them is known before many more are.</summary>
    public const int MaxLongReplies = 4;

    /// <summary>Backup servers are asked 4 things at a time, besides what the active operation does there: each holds a thread
    /// until the server answers or the endpoint's timeout is over.</summary>
    public const int MaxRemoteCalls = 4;

    /// <summary>4 MiB are still read from a client that was sent away, so that it sees why: what the kernel holds for both
    /// sides. Who sends more does not listen.</summary>
    public const int MaxFarewellBytes = 4 * 1024 * 1024;

    /// <summary>8 KiB for the head of an HTTP request: what browsers send fits several times.</summary>
    public const int MaxHeadBytes = 8 * 1024;

    /// <summary>50 fields in the head of an HTTP request; browsers send about 15.</summary>
    public const int MaxHeadFields = 50;

    /// <summary>64 fragments a WebSocket message: no client of this protocol streams.</summary>
    public const int MaxFragments = 64;

    /// <summary>1,000 rows in a list unless the request asks for fewer: about 400 KiB of runs.</summary>
    public const int MaxListRows = 1000;

    /// <summary>100 rows when they carry their participants: each may be some kilobytes.</summary>
    public const int MaxWholeListRows = 100;

    /// <summary>5 s, absolute, from the first byte of a message to its last: programs send whole lines, and so do
    /// terminals.</summary>
    public static readonly TimeSpan LineTime = TimeSpan.FromSeconds(5);

    /// <summary>5 s, absolute, for a TLS handshake: two round trips and a signature.</summary>
    public static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(5);

    /// <summary>5 s, absolute, for the head of an HTTP request, which browsers send at once.</summary>
    public static readonly TimeSpan HeadTime = TimeSpan.FromSeconds(5);

    /// <summary>1 s for a client that was sent away to notice it: closing before it has would destroy the last
    /// reply.</summary>
    public static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    /// <summary>15 s without taking one byte of what it has to read, and a client is disconnected, but only while others wait for
    /// the memory: those give up after 30 s, and lines that are merely slow move more often.</summary>
    public static readonly TimeSpan StallTime = TimeSpan.FromSeconds(15);

    /// <summary>15 s between two signs of life of an event stream: proxies cut what is silent for 30 or 60.</summary>
    public static readonly TimeSpan EventCommentTime = TimeSpan.FromSeconds(15);

    /// <summary>5 min without a byte, and another backupd is taken for dead: it reads and compares between two
    /// requests.</summary>
    public static readonly TimeSpan PeerSilence = TimeSpan.FromMinutes(5);

    /// <summary>60 s until the first valid token.</summary>
    public static readonly TimeSpan SilenceBeforeToken = TimeSpan.FromSeconds(60);
}
