using System.Collections.Immutable;

namespace Backupd.Backup.Restore;

/// <summary>What a restore has written so far, and what it could not. Safe from any number of threads.</summary>
internal sealed class RestoreTally
{
    private const int MaxWarnings = 100;

    private long _entries;
    private long _files;
    private long _bytes;

    // Guards the members below.
    private readonly Lock _lock = new();
    private readonly List<string> _warnings = [];
    private readonly List<string> _missing = [];
    private long _missingCount;
    private string _firstDamage = "";
    private long _damaged;

    internal long Entries => Interlocked.Read(ref _entries);

    internal long Files => Interlocked.Read(ref _files);

    /// <summary>Stays at the largest number.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes) is long bytes and >= 0 ? bytes : long.MaxValue;

    internal ImmutableArray<string> Warnings
    {
        get
        {
            lock (_lock)
            {
                return [.. _warnings];
            }
        }
    }

    /// <summary>What could not be made, the first 100, and how many more there are.</summary>
    internal ImmutableArray<string> NotMade
    {
        get
        {
            lock (_lock)
            {
                long more = _missingCount - _missing.Count;
                return more == 0 ? [.. _missing] : [.. _missing, $"and {more} more"];
            }
        }
    }

    internal void AddEntry(bool isFile)
    {
        Interlocked.Increment(ref _entries);
        if (isFile)
        {
            Interlocked.Increment(ref _files);
        }
    }

    internal void AddBytes(long count)
    {
        if (Interlocked.Add(ref _bytes, count) < 0)
        {
            // Sparse files may add up to more than there are numbers.
            Interlocked.Exchange(ref _bytes, long.MaxValue);
        }
    }

    internal void Warn(string text)
    {
        lock (_lock)
        {
            if (_warnings.Count < MaxWarnings)
            {
                _warnings.Add(text);
            }
        }
    }

    /// <summary>Notes an entry that this process cannot make.</summary>
    internal void Missing(string text)
    {
        lock (_lock)
        {
            _missingCount++;
            if (_missing.Count < MaxWarnings)
            {
                _missing.Add(text);
            }
        }
    }

    /// <summary>Notes a file that is left out because its stored data is not what was backed up.</summary>
    internal void Damaged(BackupException reason)
    {
        lock (_lock)
        {
            _damaged++;
            _firstDamage = _firstDamage.Length == 0 ? reason.Message : _firstDamage;
        }
    }

    /// <summary>What became of a participant that was restored in place.</summary>
    internal RestoreFigures Figures(ChangeList changes, string target)
    {
        RestoreFigures figures = changes.Figures();
        lock (_lock)
        {
            return figures with
            {
                Target = target,
                BytesWritten = Bytes,
                Failed = _missingCount + _damaged,
                Problems = _damaged > 0 ? [_firstDamage, .. _missing] : [.. _missing],
                Warnings = [.. _warnings],
            };
        }
    }

    internal void ThrowIfDamaged()
    {
        lock (_lock)
        {
            if (_damaged > 0)
            {
                throw new BackupException(
                    BackupFault.RunDamaged,
                    $"{_damaged} files were not restored because their stored data is damaged; all others were",
                    $"the first: {_firstDamage}");
            }
        }
    }
}
