using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>What one subscriber has been sent. Used under its session's output lock.</summary>
public sealed class ProgressPosition
{
    private ProgressEnding _ending;
    private long _version;

    /// <summary>Begins at a state: an active operation's snapshot is due at once, earlier endings are not.</summary>
    public ProgressPosition(ProgressState state)
    {
        _ending = state.LastEnding;
        _version = state.Pushed.Active ? state.Version - 1 : state.Version;
    }

    /// <summary>Whether something is to be sent.</summary>
    public bool IsDue(ProgressState state) => state.Version > _version;

    /// <summary>What is to be sent now: every ending since the last time in order, then the newest snapshot.</summary>
    public IEnumerable<ProgressSnapshot> TakeDue(ProgressState state)
    {
        while (_ending.Next is ProgressEnding ending && ending.Version <= state.Version)
        {
            _ending = ending;
            _version = ending.Version;
            yield return ending.Snapshot!;
        }
        if (state.Version > _version)
        {
            _version = state.Version;
            yield return state.Pushed;
        }
    }

    /// <summary>How many endings wait.</summary>
    public int EndingsBehind()
    {
        int count = 0;
        for (ProgressEnding? next = _ending.Next; next is not null; next = next.Next)
        {
            count++;
        }
        return count;
    }
}
