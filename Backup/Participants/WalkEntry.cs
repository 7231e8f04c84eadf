using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>Something that the walk met and that is to be backed up.</summary>
/// <param name="Path">Below the root, bytes with <c>/</c>; empty for the root.</param>
/// <param name="Name">The last component, zero-terminated, to be used with <paramref name="Parent"/>.</param>
/// <param name="Parent">Number of the open directory that holds it. Valid until the next entry is asked for.</param>
/// <param name="Status">As the walk saw it.</param>
/// <param name="File">Number of the directory itself when the walk has opened it, else -1. Valid as long.</param>
/// <param name="HasDatabaseLog">A name beside it says that it may be an SQLite database in use.</param>
internal readonly record struct WalkEntry(
    byte[] Path, byte[] Name, int Parent, FileStatus Status, int File = -1, bool HasDatabaseLog = false);

/// <summary>What a walk counted. Entries met and not returned are in one of the counts.</summary>
internal sealed class WalkCounts
{
    // A listing of every warning would be a second copy of the tree; the count tells the rest.
    internal const int MaxWarnings = 100;

    private readonly List<string> _warnings = [];

    internal long Seen { get; set; }

    internal long Excluded { get; set; }

    internal long Failed { get; set; }

    internal long Vanished { get; set; }

    internal long WarningCount { get; private set; }

    /// <summary>The first failure, for the participant's error.</summary>
    internal string FirstFailure { get; private set; } = "";

    internal IReadOnlyList<string> Warnings => _warnings;

    internal void Warn(string text)
    {
        WarningCount++;
        if (_warnings.Count < MaxWarnings)
        {
            _warnings.Add(text);
        }
    }

    /// <summary>Adds what another walk, or another part of this one, has counted.</summary>
    internal void Add(WalkCounts more)
    {
        Seen += more.Seen;
        Excluded += more.Excluded;
        Failed += more.Failed;
        Vanished += more.Vanished;
        WarningCount += more.WarningCount;
        _warnings.AddRange(more._warnings.Take(MaxWarnings - _warnings.Count));
        if (FirstFailure.Length == 0)
        {
            FirstFailure = more.FirstFailure;
        }
    }

    internal void Fail(string text)
    {
        Failed++;
        if (FirstFailure.Length == 0)
        {
            FirstFailure = text;
        }
        Warn(text);
    }
}
