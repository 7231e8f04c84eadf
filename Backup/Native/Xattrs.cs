using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Native;

/// <summary>Extended attributes of open files and directories. Access control lists are among them.</summary>
internal static unsafe class Xattrs
{
    /// <summary>All attributes, by name. A file system without them gives none.</summary>
    internal static ImmutableArray<Xattr> Read(int file, string display)
    {
        nint size = Libc.FListXattr(file, null, 0);
        if (size <= 0)
        {
            return size == 0 || Marshal.GetLastPInvokeError() == Errno.NotSupported
                ? []
                : throw PosixException.Last("list the extended attributes of", display);
        }
        byte[] names = new byte[size];
        fixed (byte* list = names)
        {
            size = Libc.FListXattr(file, list, names.Length);
        }
        if (size < 0)
        {
            throw PosixException.Last("list the extended attributes of", display);
        }
        List<Xattr> xattrs = [];
        foreach (Range range in names.AsSpan(0, (int)size).Split((byte)0))
        {
            ReadOnlySpan<byte> name = names.AsSpan(range);
            if (name.Length > 0 && ReadValue(file, Posix.Terminated(name), display) is byte[] value)
            {
                xattrs.Add(new Xattr(Encoding.UTF8.GetString(name), value));
            }
        }
        xattrs.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return [.. xattrs];
    }

    /// <summary>Sets one; returns the error number, 0 when it is set.</summary>
    internal static int TrySet(int file, Xattr xattr)
    {
        fixed (byte* name = Posix.Terminated(xattr.Name))
        fixed (byte* value = xattr.Value)
        {
            return Libc.FSetXattr(file, name, value, xattr.Value.Length, 0) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    private static byte[]? ReadValue(int file, byte[] terminatedName, string display)
    {
        while (true)
        {
            fixed (byte* name = terminatedName)
            {
                nint size = Libc.FGetXattr(file, name, null, 0);
                byte[] value = new byte[Math.Max(size, 0)];
                if (size > 0)
                {
                    fixed (byte* bytes = value)
                    {
                        size = Libc.FGetXattr(file, name, bytes, value.Length);
                    }
                }
                if (size >= 0)
                {
                    return size == value.Length ? value : value[..(int)size];
                }
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
