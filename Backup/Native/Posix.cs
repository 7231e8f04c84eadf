using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Native;

/// <summary>System calls with checked results. Paths are bytes, relative to an open directory or to
/// <see cref="CurrentDirectory"/>.</summary>
internal static unsafe class Posix
{
    internal const int CurrentDirectory = -100;

    internal const int ReadOnly = 0;
    internal const int WriteOnly = 1;
    internal const int ReadWrite = 2;
    internal const int Create = 0x40;
    internal const int Exclusive = 0x80;
    internal const int NonBlock = 0x800;
    internal const int CloseOnExec = 0x80000;

    // A look at an automount must not mount it; stat does not either.
    private const int StatusNoFollow = 0x100 | 0x800;
    private const int StatusNoQuestion = 0x4000;
    private const int StatusEmptyPath = 0x1000;
    private const int RemoveDirectory = 0x200;
    private const uint StatusBasic = 0x7FF;

    // These differ between architectures.
    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    internal static readonly int DirectoryOnly = Arm ? 0x4000 : 0x10000;
    internal static readonly int NoFollow = Arm ? 0x8000 : 0x20000;
    internal static readonly int Direct = Arm ? 0x10000 : 0x4000;

    internal const int NoAtime = 0x40000;

    /// <summary>A place and nothing more: needs no right to read.</summary>
    internal const int PathOnly = 0x200000;

    /// <summary>Bytes of a path or name with the terminating zero that the C library wants.</summary>
    internal static byte[] Terminated(ReadOnlySpan<byte> path)
    {
        byte[] bytes = new byte[path.Length + 1];
        path.CopyTo(bytes);
        return bytes;
    }

    /// <summary>The same for text.</summary>
    internal static byte[] Terminated(string path) => Terminated(Encoding.UTF8.GetBytes(path));

    /// <summary>A path as text for messages: not UTF-8 shows as U+FFFD.</summary>
    internal static string Display(ReadOnlySpan<byte> path) => Encoding.UTF8.GetString(path.TrimEnd((byte)0));

    /// <summary>Opens; returns the error number instead of throwing, for callers that go on without the file.</summary>
    internal static int TryOpen(int directory, byte[] terminated, int flags, uint mode, out int error)
    {
        while (true)
        {
            int file;
            fixed (byte* path = terminated)
            {
                file = Libc.OpenAt(directory, path, flags | CloseOnExec, mode);
            }
            error = file < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (error != Errno.Interrupted)
            {
                return file;
            }
        }
    }

    /// <summary>Opens what is only looked at, which leaves no access time where that is allowed; -1 when it cannot be
    /// opened.</summary>
    internal static int TryOpenQuietly(int directory, byte[] terminated, int flags, out int error)
    {
        int file = TryOpen(directory, terminated, ReadOnly | NoAtime | flags, 0, out error);
        // Only a file's owner and root may read without leaving an access time.
        return error == Errno.Perm ? TryOpen(directory, terminated, ReadOnly | flags, 0, out error) : file;
    }

    internal static SafeFileHandle Open(int directory, byte[] terminated, int flags, uint mode = 0)
    {
        int file = TryOpen(directory, terminated, flags, mode, out int error);
        return file >= 0
            ? new SafeFileHandle(file, ownsHandle: true)
            : throw new PosixException("open", Display(terminated), error);
    }

    internal static SafeFileHandle OpenDirectory(string path) =>
        Open(CurrentDirectory, Terminated(path), ReadOnly | DirectoryOnly);

    internal static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    /// <summary>Status of a name without following a symbolic link; false when it does not exist.</summary>
    internal static bool TryStatus(int directory, byte[] terminated, out FileStatus status, out int error)
    {
        int result;
        fixed (byte* path = terminated)
        fixed (FileStatus* pointer = &status)
        {
            result = Libc.Statx(directory, path, StatusNoFollow, StatusBasic, pointer);
        }
        error = result == 0 ? 0 : Marshal.GetLastPInvokeError();
        return result == 0;
    }

    /// <summary>What the kernel knows of a name without a question to whoever keeps the file system, which may be a server:
    /// the device, and as a rule, but not always, what it was told before.</summary>
    internal static bool TryRememberedStatus(int directory, byte[] terminated, out FileStatus status)
    {
        fixed (byte* path = terminated)
        fixed (FileStatus* pointer = &status)
        {
            return Libc.Statx(directory, path, StatusNoFollow | StatusNoQuestion, 0, pointer) == 0;
        }
    }

    /// <summary>Status of an open file.</summary>
    internal static FileStatus Status(int file, string display)
    {
        FileStatus status;
        byte empty = 0;
        if (Libc.Statx(file, &empty, StatusEmptyPath, StatusBasic, &status) != 0)
        {
            throw PosixException.Last("stat", display);
        }
        return status;
    }

    /// <summary>Status of a path, following symbolic links; false when there is nothing.</summary>
    internal static bool TryStatusFollowing(string path, out FileStatus status, out int error)
    {
        int result;
        fixed (byte* bytes = Terminated(path))
        fixed (FileStatus* pointer = &status)
        {
            result = Libc.Statx(CurrentDirectory, bytes, 0, StatusBasic, pointer);
        }
        error = result == 0 ? 0 : Marshal.GetLastPInvokeError();
        return result == 0;
    }

    /// <summary>Reads at most a buffer's worth; 0 at the end.</summary>
    internal static int Read(int file, Span<byte> buffer, string display)
    {
        while (true)
        {
            nint count;
            fixed (byte* bytes = buffer)
            {
                count = Libc.Read(file, bytes, buffer.Length);
            }
            if (count >= 0)
            {
                return (int)count;
            }
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
            {
                throw PosixException.Last("read", display);
            }
        }
    }

    /// <summary>Reads once from the start of a file.</summary>
    internal static int ReadOnce(int file, Span<byte> buffer, string display)
    {
        while (true)
        {
            nint count;
            fixed (byte* bytes = buffer)
            {
                count = Libc.PRead(file, bytes, buffer.Length, 0);
            }
            if (count >= 0)
            {
                return (int)count;
            }
            if (Marshal.GetLastPInvokeError() != Errno.Interrupted)
            {
                throw PosixException.Last("read", display);
            }
        }
    }

    /// <summary>Reads at an offset until the buffer is full or the file ends.</summary>
    internal static int ReadFully(int file, Span<byte> buffer, long offset, string display)
    {
        int done = 0;
        while (done < buffer.Length)
        {
            nint count;
            fixed (byte* bytes = buffer[done..])
            {
                count = Libc.PRead(file, bytes, buffer.Length - done, offset + done);
            }
            if (count == 0)
            {
                break;
            }
            if (count < 0)
            {
                if (Marshal.GetLastPInvokeError() == Errno.Interrupted)
                {
                    continue;
                }
                throw PosixException.Last("read", display);
            }
            done += (int)count;
        }
        return done;
    }

    /// <summary>Writes everything.</summary>
    internal static void WriteFully(int file, ReadOnlySpan<byte> data, string display)
    {
        while (data.Length > 0)
        {
            nint count;
            fixed (byte* bytes = data)
            {
                count = Libc.Write(file, bytes, data.Length);
            }
            if (count < 0)
            {
                if (Marshal.GetLastPInvokeError() == Errno.Interrupted)
                {
                    continue;
                }
                throw PosixException.Last("write", display);
            }
            data = data[(int)count..];
        }
    }

    /// <summary>Closes a file that was written; unlike SafeFileHandle it tells when the close failed.</summary>
    internal static void CloseWritten(int file, string display)
    {
        if (Libc.Close(file) != 0)
        {
            throw PosixException.Last("close", display);
        }
    }

    internal static void Fsync(int file, string display)
    {
        if (Libc.Fsync(file) != 0)
        {
            throw PosixException.Last("sync", display);
        }
    }

    /// <summary>Makes the names in a directory durable.</summary>
    internal static void FsyncDirectory(string path)
    {
        using SafeFileHandle directory = OpenDirectory(path);
        Fsync(Number(directory), path);
    }

    internal static byte[] ReadLink(int directory, byte[] terminated)
    {
        byte[] buffer = new byte[4096];
        nint count;
        fixed (byte* path = terminated)
        fixed (byte* target = buffer)
        {
            count = Libc.ReadLinkAt(directory, path, target, buffer.Length);
        }
        return count >= 0 ? buffer[..(int)count] : throw PosixException.Last("read link", Display(terminated));
    }

    internal static void Rename(int oldDirectory, byte[] oldName, int newDirectory, byte[] newName)
    {
        fixed (byte* from = oldName)
        fixed (byte* to = newName)
        {
            if (Libc.RenameAt(oldDirectory, from, newDirectory, to) != 0)
            {
                throw PosixException.Last($"rename {Display(oldName)} to", Display(newName));
            }
        }
    }

    internal static void Rename(string oldPath, string newPath) =>
        Rename(CurrentDirectory, Terminated(oldPath), CurrentDirectory, Terminated(newPath));

    /// <summary>Gives a file another name; false when that is taken, by whoever was faster.</summary>
    internal static bool TryLink(string path, string other)
    {
        fixed (byte* one = Terminated(path))
        fixed (byte* two = Terminated(other))
        {
            if (Libc.LinkAt(CurrentDirectory, one, CurrentDirectory, two, 0) == 0)
            {
                return true;
            }
        }
        return Marshal.GetLastPInvokeError() == Errno.Exists ? false : throw PosixException.Last("create", other);
    }

    /// <summary>Lets two names change places in one step; false where the file system cannot.</summary>
    internal static bool TryExchange(string path, string other)
    {
        const uint exchange = 2;
        fixed (byte* one = Terminated(path))
        fixed (byte* two = Terminated(other))
        {
            if (Libc.RenameAt2(CurrentDirectory, one, CurrentDirectory, two, exchange) == 0)
            {
                return true;
            }
        }
        return Marshal.GetLastPInvokeError() is Errno.Invalid or Errno.NotSupported or Errno.NoSystemCall
            ? false
            : throw PosixException.Last($"exchange {path} with", other);
    }

    internal static void Unlink(int directory, byte[] terminated, bool isDirectory = false)
    {
        fixed (byte* path = terminated)
        {
            if (Libc.UnlinkAt(directory, path, isDirectory ? RemoveDirectory : 0) != 0)
            {
                throw PosixException.Last("remove", Display(terminated));
            }
        }
    }

    /// <summary>Tells the kernel that a file's cached pages are not needed, so the next read comes from the disk.</summary>
    internal static void DropCache(int file) => _ = Libc.Advise(file, 0, 0, 4);

    /// <summary>Tells the kernel that a file is read from start to end.</summary>
    internal static void ReadAhead(int file) => _ = Libc.Advise(file, 0, 0, 2);
}
