using Backupd.Backup.Remote;
using Backupd.Protocol.Http;

namespace Backupd.Protocol.Server;

/// <summary>What sessions share.</summary>
internal sealed record SessionContext
{
    internal required CommandDispatcher Dispatcher { get; init; }

    internal required ProgressFeed Feed { get; init; }

    /// <summary>The thread of sessions without TLS.</summary>
    internal required SocketLoop Loop { get; init; }

    /// <summary>Who tells subscribed sessions of progress.</summary>
    internal required ProgressBroadcast Broadcast { get; init; }

    internal required EventLog Log { get; init; }

    /// <summary>Which tokens are good.</summary>
    internal required TokenRules Tokens { get; init; }

    /// <summary>What is kept for other hosts; null when this is no backup server.</summary>
    internal Vault? Vault { get; init; }

    /// <summary>Cancelled when the server stops.</summary>
    internal required CancellationToken Stopping { get; init; }

    /// <summary>Which hosts an HTTP request may name.</summary>
    internal required HostRules Hosts { get; init; }

    /// <summary>The paths that an HTTP request may ask for.</summary>
    internal required HttpRoutes Routes { get; init; }

    /// <summary>The places for long messages.</summary>
    internal LongMessages LongMessages { get; } = new();

    /// <summary>What waits for clients that do not read, and the places for making long replies.</summary>
    internal UnsentReplies Unsent { get; } = new();

    /// <summary>The requests that wait.</summary>
    internal WaitingRequests Waiting { get; } = new();

    /// <summary>The shape of replies.</summary>
    internal required ReplyEnvelope Envelope { get; init; }

    internal required TimeProvider Time { get; init; }

    /// <summary>How long things may take.</summary>
    internal required SessionTimes Times { get; init; }

    /// <summary>Called once a session, when its client has shown who it is.</summary>
    internal required Action<ClientSession> Authenticated { get; init; }

    /// <summary>The timestamp of <see cref="Time"/> at which a span that begins now has passed.</summary>
    internal long EndOf(TimeSpan span) => Time.GetTimestamp() + Ticks(span);

    /// <summary>A span in the unit of such timestamps.</summary>
    internal long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Time.TimestampFrequency);
}

/// <summary>How long things may take; the documented times unless a test has less patience.</summary>
internal sealed record SessionTimes
{
    /// <summary>From the first byte of a message to its last.</summary>
    internal TimeSpan Line { get; init; } = ProtocolLimits.LineTime;

    /// <summary>A TLS handshake, from its first byte.</summary>
    internal TimeSpan Handshake { get; init; } = ProtocolLimits.HandshakeTime;

    /// <summary>The head of an HTTP request, from its first byte.</summary>
    internal TimeSpan Head { get; init; } = ProtocolLimits.HeadTime;

    /// <summary>From the connection to the first valid token.</summary>
    internal TimeSpan SilenceBeforeToken { get; init; } = ProtocolLimits.SilenceBeforeToken;

    /// <summary>From our last byte to the client's.</summary>
    internal TimeSpan Farewell { get; init; } = ProtocolLimits.FarewellTime;

    /// <summary>How long a client may take nothing of what it has to read, where others wait for the memory.</summary>
    internal TimeSpan Stall { get; init; } = ProtocolLimits.StallTime;

    /// <summary>How long another backupd may be silent between two requests, or within one.</summary>
    internal TimeSpan PeerSilence { get; init; } = ProtocolLimits.PeerSilence;

    /// <summary>How often a subscriber that has ended its input is asked whether it is still there.</summary>
    internal TimeSpan PeerCheck { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a stream of events says that it lives, and how late it is found that nobody listens any more.</summary>
    internal TimeSpan EventComment { get; init; } = ProtocolLimits.EventCommentTime;

    /// <summary>How often overdue sessions are looked for: how late a deadline may be.</summary>
    internal TimeSpan Sweep { get; init; } = TimeSpan.FromMilliseconds(500);
}
