using System.Globalization;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Schedules;

/// <summary>
/// Up to when the slots of each schedule are handled, over restarts: <c>state/schedules</c>, a line each, Unix seconds and
/// what the schedule is. Beside it, in the same form, <c>state/schedules-since</c>: since when each is known.
/// </summary>
internal static class ScheduleState
{
    private const string SinceSuffix = "-since";

    /// <summary>Reads it. A line that cannot be read is as if it were not there: that schedule begins anew.</summary>
    /// <exception cref="IOException">The file is there and cannot be read.</exception>
    internal static IReadOnlyDictionary<string, long> Read(BackupStore store) => Read(PathOf(store));

    /// <summary>Writes it, durably.</summary>
    /// <exception cref="IOException">It is as it was.</exception>
    internal static void Write(BackupStore store, IReadOnlyDictionary<string, long> handled) => Write(PathOf(store), handled);

    /// <summary>Reads since when schedules are known; of what cannot be read nothing, so that they count as known since
    /// ever.</summary>
    internal static IReadOnlyDictionary<string, long> ReadSince(BackupStore store)
    {
        try
        {
            return Read(PathOf(store) + SinceSuffix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It must keep no schedule from beginning. At worst somebody is told too early that backups are late.
            return new Dictionary<string, long>();
        }
    }

    /// <summary>Writes that, durably where it can.</summary>
    internal static void WriteSince(BackupStore store, IReadOnlyDictionary<string, long> since)
    {
        try
        {
            Write(PathOf(store) + SinceSuffix, since);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As above: it is known until the next restart.
        }
    }

    private static Dictionary<string, long> Read(string path)
    {
        Dictionary<string, long> handled = [];
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

    private static void Write(string path, IReadOnlyDictionary<string, long> handled)
    {
        StringBuilder text = new();
        foreach ((string identity, long unix) in handled.OrderBy(h => h.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"{unix} {identity}\n");
        }
        DurableFile.Write(path, text.ToString());
    }

    private static string PathOf(BackupStore store) => Path.Combine(store.StateDirectory, "schedules");
}
