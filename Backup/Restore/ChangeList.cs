
namespace Backupd.Backup.Restore;

/// <summary>What a restore in place has changed at one participant. Safe from any number of threads.</summary>
internal sealed class ChangeList
{
    private readonly int _limit;

    // Guards the members below.
    private readonly Lock _lock = new();
    private readonly List<RestoreChange> _first = [];
    private readonly long[] _counts = new long[Enum.GetValues<RestoreChangeKind>().Length];
    private long _same;

    /// <param name="limit">How many changes are kept by name; the rest is counted.</param>
    internal ChangeList(int limit) => _limit = limit;

    /// <summary>Notes a change; null for an entry that is as it should be.</summary>
    internal void Add(RestoreChangeKind? kind, string path)
    {
        lock (_lock)
        {
            if (kind is not RestoreChangeKind change)
            {
                _same++;
                return;
            }
            _counts[(int)change]++;
            if (_first.Count < _limit)
            {
                _first.Add(new RestoreChange(change, path));
            }
        }
    }

    /// <summary>The figures, without those that only the tally knows.</summary>
    internal RestoreFigures Figures()
    {
        lock (_lock)
        {
            return new RestoreFigures
            {
                Created = _counts[(int)RestoreChangeKind.Create],
                Rewritten = _counts[(int)RestoreChangeKind.Rewrite],
                Adjusted = _counts[(int)RestoreChangeKind.Adjust],
                Removed = _counts[(int)RestoreChangeKind.Remove],
                Extra = _counts[(int)RestoreChangeKind.Extra],
                Same = _same,
                Changes = [.. _first.OrderBy(c => c.Path, StringComparer.Ordinal)],
            };
        }
    }
}
