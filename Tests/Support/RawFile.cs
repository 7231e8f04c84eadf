using System.Runtime.InteropServices;

namespace Backupd.Tests.Support;

/// <summary>System calls on paths of any bytes, for what .NET cannot name or make. The tests have their own, so that a
/// mistake in the engine's cannot hide itself.</summary>
internal static unsafe partial class RawFile
{
    public const uint Fifo = 0x1000;
    public const uint CharDevice = 0x2000;
    public const uint BlockDevice = 0x6000;
    public const uint Socket = 0xC000;

    private const int CurrentDirectory = -100;
    private const int NoFollow = 0x100;

    public static void MakeDirectory(byte[] path) => Check(Mkdir(Z(path), 0b111_101_101), "mkdir", path);

    public static void MakeNode(byte[] path, uint kind, uint major, uint minor)
    {
        // The C library's dev_t.
        ulong device = ((ulong)(major & ~0xFFFu) << 32) | ((major & 0xFFF) << 8) | ((ulong)(minor & ~0xFFu) << 12) | (minor & 0xFF);
        Check(Mknod(Z(path), kind | 0b110_100_100, device), "mknod", path);
    }

    public static void MakeSymlink(byte[] target, byte[] path) => Check(Symlink(Z(target), Z(path)), "symlink", path);

    public static void MakeLink(byte[] from, byte[] path) => Check(Link(Z(from), Z(path)), "link", path);

    public static void Remove(byte[] path) => Check(Unlink(Z(path)), "unlink", path);

    public static void RemoveDirectory(byte[] path) => Check(Rmdir(Z(path)), "rmdir", path);

    public static void Move(byte[] from, byte[] to) => Check(Rename(Z(from), Z(to)), "rename", from);

    public static void SetOwner(byte[] path, uint uid, uint gid) => Check(Lchown(Z(path), uid, gid), "lchown", path);

    public static void SetMode(byte[] path, uint mode) => Check(Chmod(Z(path), mode), "chmod", path);

    public static void SetTime(byte[] path, long seconds, long nanoseconds)
    {
        long* times = stackalloc long[4] { 1, 0, seconds, nanoseconds };
        Check(Utimensat(CurrentDirectory, Z(path), times, NoFollow), "utimensat", path);
    }

    public static void SetXattr(byte[] path, byte[] name, byte[] value) =>
        Check(Lsetxattr(Z(path), Z(name), value, (nuint)value.Length, 0), "lsetxattr", path);

    /// <summary>Removes an attribute; there may be none.</summary>
    public static void RemoveXattr(byte[] path, byte[] name) => _ = Lremovexattr(Z(path), Z(name));

    /// <summary>Whether there is anything of that name, without following a link.</summary>
    public static bool Exists(byte[] path) => Faccessat(CurrentDirectory, Z(path), 0, NoFollow) == 0;

    /// <summary>Opens a file for reading and writing, making it where there is none.</summary>
    public static Microsoft.Win32.SafeHandles.SafeFileHandle Open(byte[] path)
    {
        int file = OpenFile(Z(path), 0x42, 0b110_100_100);
        Check(file < 0 ? -1 : 0, "open", path);
        return new Microsoft.Win32.SafeHandles.SafeFileHandle(file, ownsHandle: true);
    }

    private static byte[] Z(byte[] bytes) => [.. bytes, 0];

    private static void Check(int result, string call, byte[] path)
    {
        if (result != 0)
        {
            string reason = Marshal.GetLastPInvokeErrorMessage();
            throw new IOException($"{call} {System.Text.Encoding.Latin1.GetString(path)}: {reason}");
        }
    }

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true)]
    private static partial int Mkdir(byte[] path, uint mode);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true)]
    private static partial int Mknod(byte[] path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlink", SetLastError = true)]
    private static partial int Symlink(byte[] target, byte[] path);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true)]
    private static partial int Link(byte[] from, byte[] path);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true)]
    private static partial int Unlink(byte[] path);

    [LibraryImport("libc", EntryPoint = "rmdir", SetLastError = true)]
    private static partial int Rmdir(byte[] path);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true)]
    private static partial int Rename(byte[] from, byte[] to);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true)]
    private static partial int Lchown(byte[] path, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    private static partial int Chmod(byte[] path, uint mode);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static partial int Utimensat(int directory, byte[] path, long* times, int flags);

    [LibraryImport("libc", EntryPoint = "lsetxattr", SetLastError = true)]
    private static partial int Lsetxattr(byte[] path, byte[] name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", EntryPoint = "lremovexattr", SetLastError = true)]
    private static partial int Lremovexattr(byte[] path, byte[] name);

    [LibraryImport("libc", EntryPoint = "faccessat", SetLastError = true)]
    private static partial int Faccessat(int directory, byte[] path, int mode, int flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int OpenFile(byte[] path, int flags, uint mode);
}
