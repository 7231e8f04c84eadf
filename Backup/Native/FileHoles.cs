using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>Asks a file system where a file has content, so that nobody reads zeros which are not stored.</summary>
internal static class FileHoles
{
    private const int SeekData = 3;
    private const int SeekHole = 4;

    /// <summary>Where content begins, at a position or behind it.</summary>
    /// <returns>The size of the file where none does; the position itself where the file system does not tell.</returns>
    internal static long DataFrom(int file, long position, long size)
    {
        long data = Libc.Seek(file, position, SeekData);
        return data >= 0 ? data : Marshal.GetLastPInvokeError() == Errno.NoDeviceOrAddress ? size : position;
    }

    /// <summary>Where the content at a position ends; negative where the file system does not tell.</summary>
    internal static long DataEnd(int file, long position) => Libc.Seek(file, position, SeekHole);
}
