using System.Globalization;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>The counter in run ids: it never repeats in a store, whatever the clock does.</summary>
internal static class RunCounter
{
    /// <summary>Takes the next number, durably. Needs the store's exclusive lock.</summary>
    internal static long Next(BackupStore store)
    {
        string path = Path.Combine(store.StateDirectory, "run-counter");
        long last = Math.Max(Read(path), Highest(store));
        DurableFile.Write(path, (last + 1).ToString(CultureInfo.InvariantCulture) + "\n");
        return last + 1;
    }

    private static long Read(string path)
    {
        try
        {
            return long.TryParse(
                File.ReadAllText(path).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                ? value
                : 0;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }

    // The file may be lost or come from an older copy of the store; the runs themselves tell the least it can be.
    private static long Highest(BackupStore store)
    {
        long highest = 0;
        foreach (string parent in (string[])[store.CompletedDirectory, store.FailedDirectory, store.TrashDirectory])
        {
            foreach (string path in Directory.EnumerateDirectories(parent))
            {
                string name = Path.GetFileName(path);
                if (RunId.TryParse(name.Length >= RunId.Length ? name[..RunId.Length] : name, out RunId id))
                {
                    highest = Math.Max(
                        highest, long.Parse(id.ToString().AsSpan(16), NumberStyles.None, CultureInfo.InvariantCulture));
                }
            }
        }
        return highest;
    }
}
