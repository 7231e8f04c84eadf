namespace Backupd.Protocol.Server;

/// <summary>How many bytes of requests wait on all sessions together. Safe from any thread.</summary>
internal sealed class WaitingRequests
{
    private long _bytes;

    /// <summary>How many wait.</summary>
    internal long Bytes => Volatile.Read(ref _bytes);

    /// <summary>How many may wait on one session, as things are.</summary>
    internal int MostOnOne => Bytes < ProtocolLimits.MaxWaitingBytesInAll
        ? ProtocolLimits.MaxWaitingBytes
        : ProtocolLimits.FewWaitingBytes;

    /// <summary>Counts bytes that wait; negative ones wait no more.</summary>
    internal void Add(int bytes) => Interlocked.Add(ref _bytes, bytes);
}
