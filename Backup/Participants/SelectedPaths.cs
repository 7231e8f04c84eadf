using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>A part of a tree: some entries with all that is below them.</summary>
internal sealed class SelectedPaths
{
    // In path order, none within another.
    private readonly byte[][] _tops;

    /// <param name="tops">The entries, in path order and none below another.</param>
    internal SelectedPaths(IEnumerable<byte[]> tops) => _tops = [.. tops];

    /// <summary>It is so little that reading it is quicker than looking up in an earlier listing of the whole tree what was
    /// read already.</summary>
    internal bool IsLittle { get; init; }

    /// <summary>Whether a path is one of the entries or lies below one.</summary>
    internal bool IsSelected(ReadOnlySpan<byte> path)
    {
        // The last top that is not behind the path is the only one that it can be, or lie below.
        int index = FirstBehind(path) - 1;
        return index >= 0 && ListingEntry.IsAtOrBelow(path, _tops[index]);
    }

    /// <summary>The names in a directory, which is not selected itself, that lead to the entries; each ends with a 0.</summary>
    internal IEnumerable<byte[]> NamesIn(byte[] directory)
    {
        byte[] last = [];
        for (int i = FirstBehind(directory); i < _tops.Length && ListingEntry.IsAtOrBelow(_tops[i], directory); i++)
        {
            ReadOnlySpan<byte> below = _tops[i].AsSpan(directory.Length == 0 ? 0 : directory.Length + 1);
            int slash = below.IndexOf((byte)'/');
            byte[] name = Posix.Terminated(slash < 0 ? below : below[..slash]);
            if (!name.AsSpan().SequenceEqual(last))
            {
                last = name;
                yield return name;
            }
        }
    }

    private int FirstBehind(ReadOnlySpan<byte> path)
    {
        int low = 0;
        int high = _tops.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (ListingEntry.ComparePaths(_tops[middle], path) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return low;
    }
}
