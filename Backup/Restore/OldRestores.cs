using System.Globalization;
using System.Text;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Restores that are too old to be undone. Needs the store's exclusive lock.</summary>
/// <remarks>What looks old is noted first, in <c>state/old-restores</c>, and goes when it still does a day later: to a clock that
/// is ahead, as it may be at a start, everything looks old, and what an undo needs cannot be made again.</remarks>
internal sealed class OldRestores
{
    private static readonly TimeSpan Delay = TimeSpan.FromHours(24);

    private readonly BackupStore _store;
    private readonly Leftovers _leftovers;
    private readonly TimeProvider _time;

    internal OldRestores(BackupStore store, Leftovers leftovers, TimeProvider time)
    {
        _store = store;
        _leftovers = leftovers;
        _time = time;
    }

    private string NotePath => Path.Combine(_store.StateDirectory, "old-restores");

    /// <summary>Drops safety runs and records of restores that began longer ago than they are kept.</summary>
    /// <remarks>The safety run first: a record without one says that it cannot be undone, and goes with the next pass.</remarks>
    internal void Drop(TimeSpan keep)
    {
        DateTimeOffset now = _time.GetUtcNow();
        RunId oldest = RunId.Create(now - keep, 0);
        SortedDictionary<RunId, string> safetyRuns = SafetyRuns();
        RestoreCatalog records = new(_store);
        RunId[] old = [.. safetyRuns.Keys.Union(records.Ids()).Where(id => id < oldest)];
        HashSet<RunId> due = NoteOld(old, now.ToUnixTimeSeconds());
        foreach ((RunId id, string path) in safetyRuns)
        {
            if (due.Contains(id))
            {
                _leftovers.MoveToTrash(path);
            }
        }
        foreach (RunId id in records.Ids())
        {
            if (due.Contains(id))
            {
                records.Remove(id);
            }
        }
    }

    private SortedDictionary<RunId, string> SafetyRuns()
    {
        SortedDictionary<RunId, string> found = [];
        foreach (string path in Directory.Exists(_store.SafetyDirectory) ? Directory.GetDirectories(_store.SafetyDirectory) : [])
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                found.Add(id, path);
            }
        }
        return found;
    }

    /// <summary>Notes those that look old now and did not before, and forgets the others.</summary>
    /// <returns>Those that have looked old for long enough.</returns>
    private HashSet<RunId> NoteOld(RunId[] old, long now)
    {
        try
        {
            Dictionary<RunId, long> known = File.Exists(NotePath) ? ReadNote() : [];
            HashSet<RunId> due = [];
            StringBuilder note = new();
            foreach (RunId id in old)
            {
                // A note of later than now is of another clock.
                long since = known.TryGetValue(id, out long seen) && seen <= now ? seen : now;
                if (now - since >= (long)Delay.TotalSeconds)
                {
                    due.Add(id);
                }
                note.Append(CultureInfo.InvariantCulture, $"{since} {id}\n");
            }
            Write(note.ToString(), isThere: known.Count > 0);
            return due;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing goes without a note, and no backup waits for one.
            return [];
        }
    }

    private void Write(string note, bool isThere)
    {
        if (note.Length == 0)
        {
            File.Delete(NotePath);
        }
        else if (!isThere || File.ReadAllText(NotePath) != note)
        {
            DurableFile.Write(NotePath, note);
        }
    }

    // A line that cannot be read is as if it were not there.
    private Dictionary<RunId, long> ReadNote()
    {
        Dictionary<RunId, long> known = [];
        foreach (string line in File.ReadAllLines(NotePath))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0
                && long.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out long since)
                && RunId.TryParse(line[(space + 1)..], out RunId id))
            {
                known[id] = since;
            }
        }
        return known;
    }
}
