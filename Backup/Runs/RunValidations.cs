using System.Globalization;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// When runs were validated and what came of it: a file <c>state/validations/RUN_ID</c>, because a run that is completed is
/// never written again. It has a line for the last full and one for the last quick validation:
/// <c>full UNIX_TIME ok</c>, <c>quick UNIX_TIME damaged: …</c>. Every member touches the disk; safe from any thread.
/// </summary>
public sealed class RunValidations
{
    private const string Right = "ok";
    private const string Damaged = "damaged: ";

    private readonly BackupStore _store;

    /// <summary>The records of a store; touches nothing.</summary>
    public RunValidations(BackupStore store) => _store = store;

    /// <summary>Where the records are.</summary>
    internal string Place => Path.Combine(_store.StateDirectory, "validations");

    /// <summary>The records of a run; null when it was never validated, or when they cannot be read: then it is as if nobody
    /// had validated it, and whoever wants to know validates it again.</summary>
    public RunValidation? Read(RunId id)
    {
        string path = PathOf(id);
        try
        {
            return File.Exists(path) ? Parse(Encoding.UTF8.GetString(StoreFile.Read(path))) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone since, or another user's.
            return null;
        }
    }

    /// <summary>Shows the records of all runs that have some, in no order.</summary>
    internal void Visit(Action<RunId, RunValidation> show)
    {
        foreach (string path in Files())
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id) && Read(id) is RunValidation known)
            {
                show(id, known);
            }
        }
    }

    /// <summary>Keeps what came of a validation, durably, and drops the records of runs that are gone.</summary>
    /// <exception cref="IOException">It was not kept.</exception>
    public void Record(RunId id, ValidationRecord record)
    {
        if (!Directory.Exists(Place))
        {
            Directory.CreateDirectory(Place, ChunkTree.DirectoryMode);
            Posix.FsyncDirectory(_store.StateDirectory);
        }
        RunValidation? known = Read(id);
        string text = Line(record.IsFull ? record : known?.Full) + Line(record.IsFull ? known?.Quick : record);
        DurableFile.Write(PathOf(id), text);
        ForgetGone();
    }

    /// <summary>Drops the records of a run, before it goes.</summary>
    /// <exception cref="IOException">They are still there.</exception>
    internal void Forget(RunId id)
    {
        if (File.Exists(PathOf(id)))
        {
            File.Delete(PathOf(id));
        }
    }

    /// <summary>Drops the records of runs that are gone.</summary>
    internal void ForgetGone()
    {
        try
        {
            foreach (string path in Files())
            {
                if (RunId.TryParse(Path.GetFileName(path), out RunId id)
                    && !Directory.Exists(Path.Combine(_store.CompletedDirectory, id.ToString())))
                {
                    File.Delete(path);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody asks for the records of a run that is gone; the next validation or prune tries again.
        }
    }

    private static string Line(ValidationRecord? record)
    {
        if (record is null)
        {
            return "";
        }
        string found = record.Damage.Length == 0 ? Right : Damaged + record.Damage.ReplaceLineEndings(" ");
        return string.Create(
            CultureInfo.InvariantCulture, $"{(record.IsFull ? "full" : "quick")} {record.AtUnix} {found}\n");
    }

    private static RunValidation Parse(string text)
    {
        ValidationRecord? full = null;
        ValidationRecord? quick = null;
        foreach (string line in text.Split('\n'))
        {
            string[] parts = line.Split(' ', 3);
            if (parts is not [string kind, string time, string found]
                || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out long unix)
                || unix > DateTimeOffset.MaxValue.ToUnixTimeSeconds()
                || !(found == Right || found.StartsWith(Damaged, StringComparison.Ordinal)))
            {
                continue;
            }
            ValidationRecord record = new()
            {
                AtUnix = unix,
                IsFull = kind == "full",
                Damage = found == Right ? "" : found[Damaged.Length..],
            };
            full = kind == "full" ? record : full;
            quick = kind == "quick" ? record : quick;
        }
        return new RunValidation { Full = full, Quick = quick };
    }

    private string PathOf(RunId id) => Path.Combine(Place, id.ToString());

    private string[] Files()
    {
        try
        {
            return Directory.GetFiles(Place);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing was ever validated, or by another user alone.
            return [];
        }
    }
}
