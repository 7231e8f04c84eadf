using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// Where the content of small files is, by their hash. Most runs only note and never ask, so what is noted is written one behind
/// the other, and the table is made when somebody asks. Used by the operation's thread.
/// </summary>
internal sealed class KnownFiles
{
    // At about 100 bytes each, 6 MiB; what does not fit is found again by chunks, as far as its neighbours moved with it.
    private const int Max = 64 * 1024;

    // 88 KiB: large enough that the collector leaves it where it is.
    private const int PageLength = 1024;

    private readonly List<(ChunkId Hash, Segment Content)[]> _pages = [];
    private int _count;
    private Dictionary<ChunkId, Segment>? _table;

    /// <summary>Notes the content of a file; what came first holds.</summary>
    internal void Add(ChunkId hash, Segment content)
    {
        if (_count >= Max)
        {
            return;
        }
        if (_table is not null)
        {
            _count += _table.TryAdd(hash, content) ? 1 : 0;
            return;
        }
        if (_count == _pages.Count * PageLength)
        {
            _pages.Add(new (ChunkId, Segment)[PageLength]);
        }
        _pages[^1][_count % PageLength] = (hash, content);
        _count++;
    }

    /// <summary>Finds the content of a file.</summary>
    internal bool TryFind(ChunkId hash, out Segment content) => (_table ??= Table()).TryGetValue(hash, out content);

    private Dictionary<ChunkId, Segment> Table()
    {
        Dictionary<ChunkId, Segment> table = new(_count);
        for (int i = 0; i < _count; i++)
        {
            (ChunkId hash, Segment content) = _pages[i / PageLength][i % PageLength];
            table.TryAdd(hash, content);
        }
        _pages.Clear();
        _count = table.Count;
        return table;
    }
}
