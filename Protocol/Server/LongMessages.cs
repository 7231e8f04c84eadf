namespace Backupd.Protocol.Server;

/// <summary>
/// The few places for sessions that hold a long message: what one session may hold would be more memory than there is, if all
/// held it at once. Safe from any thread.
/// </summary>
internal sealed class LongMessages
{
    private int _taken;

    /// <summary>How many are taken.</summary>
    internal int Count => Volatile.Read(ref _taken);

    /// <summary>Takes a place; false when there is none.</summary>
    internal bool TryEnter()
    {
        if (Interlocked.Increment(ref _taken) <= ProtocolLimits.MaxLongMessages)
        {
            return true;
        }
        Leave();
        return false;
    }

    /// <summary>Gives a place back.</summary>
    internal void Leave() => Interlocked.Decrement(ref _taken);
}
