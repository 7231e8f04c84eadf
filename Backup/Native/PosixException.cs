using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>A system call failed. The message names the operation, the path and the reason.</summary>
internal sealed class PosixException : IOException
{
    internal PosixException(string operation, string path, int errno)
        : base($"cannot {operation} {path}: {Marshal.GetPInvokeErrorMessage(errno)}")
    {
        Error = errno;
        Reason = Marshal.GetPInvokeErrorMessage(errno);
    }

    /// <summary>The program's own reason, where no call failed.</summary>
    internal PosixException(string operation, string path, int errno, string reason)
        : base($"cannot {operation} {path}: {reason}")
    {
        Error = errno;
        Reason = reason;
    }

    /// <summary>The error number, see <see cref="Errno"/>.</summary>
    internal int Error { get; }

    /// <summary>The reason alone, as the C library words it.</summary>
    internal string Reason { get; }

    /// <summary>Of the call that just failed on this thread.</summary>
    internal static PosixException Last(string operation, string path) =>
        new(operation, path, Marshal.GetLastPInvokeError());
}
