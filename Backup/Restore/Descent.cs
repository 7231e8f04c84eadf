using Backupd.Backup.Native;

namespace Backupd.Backup.Restore;

/// <summary>The way down from an open directory.</summary>
internal static class Descent
{
    /// <summary>Opens a directory below another, one name at a time, so that no link is followed on the way.</summary>
    /// <param name="top">The open directory.</param>
    /// <param name="path">Names with <c>/</c>; empty for the directory itself.</param>
    /// <returns>Its number, good for naming what is in it, which is the caller's to close; -1 when it cannot be
    /// reached.</returns>
    internal static int TryOpen(int top, ReadOnlySpan<byte> path)
    {
        int holder = Step(top, "."u8);
        if (path.Length > 0)
        {
            foreach (Range range in path.Split((byte)'/'))
            {
                int above = holder;
                holder = above < 0 ? -1 : Step(above, path[range]);
                _ = above < 0 ? 0 : Libc.Close(above);
            }
        }
        return holder;
    }

    private static int Step(int above, ReadOnlySpan<byte> name) => Posix.TryOpen(
        above, Posix.Terminated(name), Posix.PathOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out _);
}
