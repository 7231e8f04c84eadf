using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>What should be mounted on this machine, and what is. Reads it anew each time: disks come and go.</summary>
/// <param name="wantedPath">A file in the form of <c>/etc/fstab</c>.</param>
/// <param name="mountedPath">One in the same form with what is mounted.</param>
internal sealed class MountTable(string wantedPath, string mountedPath)
{
    private static readonly char[] Blanks = [' ', '\t'];

    /// <summary>The machine's own.</summary>
    internal static MountTable System { get; } = new("/etc/fstab", "/proc/self/mounts");

    /// <summary>The mount point at or above a directory that is in the table of what should be mounted and is not; null when
    /// there is none.</summary>
    /// <param name="directory">An absolute path.</param>
    internal string? MissingFor(string directory)
    {
        string below = Path.TrimEndingDirectorySeparator(directory) + "/";
        string[] above =
            [.. PointsIn(wantedPath).Where(p => p.Length > 0 && below.StartsWith(p + "/", StringComparison.Ordinal))];
        if (above.Length == 0)
        {
            return null;
        }
        HashSet<string> mounted = [.. PointsIn(mountedPath)];
        return above.FirstOrDefault(p => !mounted.Contains(p) && !IsOtherDevice(p));
    }

    // Whoever has a link in its path is in the other table by another name.
    private static bool IsOtherDevice(string point) =>
        Posix.TryStatusFollowing(point, out FileStatus here, out _)
        && Posix.TryStatusFollowing(point + "/..", out FileStatus above, out _)
        && here.Device != above.Device;

    // Without the last slash, so that the root is "".
    private static IEnumerable<string> PointsIn(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody says what should be mounted: a machine may have no such table.
            yield break;
        }
        foreach (string line in lines)
        {
            string[] words = line.Split(Blanks, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0][0] != '#' && words[1][0] == '/')
            {
                yield return Plain(words[1]).TrimEnd('/');
            }
        }
    }

    // A blank in a name is written as its number.
    private static string Plain(string word) => word
        .Replace("\\040", " ", StringComparison.Ordinal)
        .Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal)
        .Replace("\\134", "\\", StringComparison.Ordinal);
}
