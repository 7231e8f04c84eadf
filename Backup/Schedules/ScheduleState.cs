using System.Globalization;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Schedules;

/// <summary>
/// Up to when the slots of each schedule are handled, over restarts: <c>state/schedules</c>, a line each, Unix seconds and
/// what the schedule is.
/// </summary>
internal static class ScheduleState
{
    /// <summary>Reads it. A line that cannot be read is as if it were not there: that schedule begins anew.</summary>
    /// <exception cref="IOException">The file is there and cannot be read.</exception>
    internal static IReadOnlyDictionary<string, long> Read(BackupStore store)
    {
        Dictionary<string, long> handled = [];
        string path = PathOf(store);
        foreach (string line in File.Exists(path) ? File.ReadAllLines(path) : [])
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0
                && long.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out long unix)
                && unix <= DateTimeOffset.MaxValue.ToUnixTimeSeconds())
            {
                handled[line[(space + 1)..]] = unix;
            }
        }
        return handled;
    }

    /// <summary>Writes it, durably.</summary>
    /// <exception cref="IOException">It is as it was.</exception>
    internal static void Write(BackupStore store, IReadOnlyDictionary<string, long> handled)
    {
        StringBuilder text = new();
        foreach ((string identity, long unix) in handled.OrderBy(h => h.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"{unix} {identity}\n");
        }
        DurableFile.Write(PathOf(store), text.ToString());
    }

    private static string PathOf(BackupStore store) => Path.Combine(store.StateDirectory, "schedules");
}
