using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Native;

/// <summary>The inode whose attributes are meant: an open one, or one that is named in an open directory because it cannot
/// be opened or must not be.</summary>
internal readonly struct XattrPlace
{
    private XattrPlace(int file, byte[]? path)
    {
        File = file;
        Path = path;
    }

    internal int File { get; }

    /// <summary>Zero-terminated; null for an open file.</summary>
    internal byte[]? Path { get; }

    internal static XattrPlace Open(int file) => new(file, null);

    /// <param name="directory">The open directory.</param>
    /// <param name="name">Zero-terminated. The last step of the path, which is not followed when it is a link; the first
    /// leads to the very directory that is open.</param>
    internal static XattrPlace Named(int directory, byte[] name) =>
        new(-1, [.. Encoding.ASCII.GetBytes($"/proc/self/fd/{directory}/"), .. name]);
}

/// <summary>Extended attributes. Access control lists and file capabilities are among them.</summary>
internal static unsafe class Xattrs
{
    // A line of the listing holds them all, in Base64, and must fit into a chunk. Some file systems let anybody set more.
    private const int MaxBytes = 1024 * 1024;

    /// <summary>All attributes, by name. A file system without them gives none.</summary>
    /// <exception cref="PosixException">They could not be read, or are more than a listing can hold.</exception>
    internal static ImmutableArray<Xattr> Read(XattrPlace place, string display)
    {
        // Most files have none, and are asked at every backup.
        if (List(place, []) == 0)
        {
            return [];
        }
        List<Xattr> xattrs = [];
        long bytes = 0;
        foreach (byte[] name in Names(place, display))
        {
            if (ReadValue(place, name, display) is byte[] value)
            {
                xattrs.Add(new Xattr(name[..^1], value));
                bytes += name.Length + value.Length;
            }
            if (bytes > MaxBytes)
            {
                throw new PosixException(
                    "store the extended attributes of", display, Errno.TooLong,
                    $"its extended attributes take more than {MaxBytes} bytes");
            }
        }
        xattrs.Sort(static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        return [.. xattrs];
    }

    /// <summary>The names alone, each zero-terminated.</summary>
    /// <exception cref="PosixException">They could not be read.</exception>
    internal static List<byte[]> Names(XattrPlace place, string display)
    {
        List<byte[]> found = [];
        byte[] names = [];
        nint size;
        while ((size = List(place, names)) != 0)
        {
            int error = size < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (error == Errno.NotSupported)
            {
                return found;
            }
            if (error is not (0 or Errno.Range))
            {
                throw new PosixException("list the extended attributes of", display, error);
            }
            if (error == 0 && names.Length > 0)
            {
                break;
            }
            // Asked for the size only, or the list grew between the two calls.
            names = new byte[error == 0 ? size : 0];
        }
        foreach (Range range in names.AsSpan(0, (int)size).Split((byte)0))
        {
            ReadOnlySpan<byte> name = names.AsSpan(range);
            if (name.Length > 0)
            {
                found.Add(Posix.Terminated(name));
            }
        }
        return found;
    }

    /// <summary>Sets one; returns the error number, 0 when it is set.</summary>
    internal static int TrySet(XattrPlace place, Xattr xattr)
    {
        int result;
        fixed (byte* path = place.Path)
        fixed (byte* name = Posix.Terminated(xattr.Name))
        fixed (byte* value = xattr.Value)
        {
            result = path is null
                ? Libc.FSetXattr(place.File, name, value, xattr.Value.Length, 0)
                : Libc.LSetXattr(path, name, value, xattr.Value.Length, 0);
        }
        return result == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Removes one; returns the error number, 0 when it is gone.</summary>
    internal static int TryRemove(XattrPlace place, byte[] terminatedName)
    {
        int result;
        fixed (byte* path = place.Path)
        fixed (byte* name = terminatedName)
        {
            result = path is null ? Libc.FRemoveXattr(place.File, name) : Libc.LRemoveXattr(path, name);
        }
        return result == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    private static nint List(XattrPlace place, byte[] buffer)
    {
        fixed (byte* path = place.Path)
        fixed (byte* list = buffer)
        {
            return path is null
                ? Libc.FListXattr(place.File, list, buffer.Length)
                : Libc.LListXattr(path, list, buffer.Length);
        }
    }

    private static nint Get(XattrPlace place, byte[] terminatedName, byte[] buffer)
    {
        fixed (byte* path = place.Path)
        fixed (byte* name = terminatedName)
        fixed (byte* value = buffer)
        {
            return path is null
                ? Libc.FGetXattr(place.File, name, value, buffer.Length)
                : Libc.LGetXattr(path, name, value, buffer.Length);
        }
    }

    private static byte[]? ReadValue(XattrPlace place, byte[] terminatedName, string display)
    {
        while (true)
        {
            nint size = Get(place, terminatedName, []);
            byte[] value = new byte[Math.Max(size, 0)];
            if (size > 0)
            {
                size = Get(place, terminatedName, value);
            }
            if (size >= 0)
            {
                return size == value.Length ? value : value[..(int)size];
            }
            int error = Marshal.GetLastPInvokeError();
            switch (error)
            {
                case Errno.NoData:
                    return null;
                case Errno.Range:
                    // It grew between the two calls.
                    continue;
                default:
                    throw new PosixException("read the extended attributes of", display, error);
            }
        }
    }
}
