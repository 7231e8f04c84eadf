using System.Collections.Immutable;

namespace Backupd.Backup.Restore;

/// <summary>What a restore has written so far, and what it could not.</summary>
internal sealed class RestoreTally(Action<long> advance)
{
    private const int MaxWarnings = 100;

    private readonly List<string> _warnings = [];
    private readonly List<string> _missing = [];
    private long _missingCount;
    private string _firstDamage = "";
    private long _damaged;

    internal long Entries { get; private set; }

    internal long Files { get; private set; }

    internal long Bytes { get; private set; }

    internal ImmutableArray<string> Warnings => [.. _warnings];

    /// <summary>What could not be made, the first 100, and how many more there are.</summary>
    internal IEnumerable<string> NotMade =>
        _missingCount == _missing.Count ? _missing : [.. _missing, $"and {_missingCount - _missing.Count} more"];

    internal void AddEntry(bool isFile)
    {
        Entries++;
        Files += isFile ? 1 : 0;
    }

    internal void AddBytes(long count)
    {
        Bytes += count;
        advance(Bytes);
    }

    internal void Warn(string text)
    {
        if (_warnings.Count < MaxWarnings)
        {
            _warnings.Add(text);
        }
    }

    /// <summary>Notes an entry that this process cannot make.</summary>
    internal void Missing(string text)
    {
        _missingCount++;
        if (_missing.Count < MaxWarnings)
        {
            _missing.Add(text);
        }
    }

    /// <summary>Notes a file that is left out because its stored data is not what was backed up.</summary>
    internal void Damaged(BackupException reason)
    {
        _damaged++;
        _firstDamage = _firstDamage.Length == 0 ? reason.Message : _firstDamage;
    }

    internal void ThrowIfDamaged()
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
