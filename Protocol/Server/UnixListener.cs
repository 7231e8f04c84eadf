using System.Net.Sockets;
using System.Text;
using Backupd.Backup;
using Backupd.Backup.Native;

namespace Backupd.Protocol.Server;

/// <summary>Opens the Unix socket, whose file decides who can reach it at all.</summary>
internal static class UnixListener
{
    /// <summary>107 bytes: what struct sockaddr_un has room for, with a zero at the end.</summary>
    internal const int MostPathBytes = 107;

    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerAndGroup = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Whether no socket can be at a path.</summary>
    internal static bool IsTooLong(string path) => Encoding.UTF8.GetByteCount(path) > MostPathBytes;

    /// <exception cref="BackupException">Another daemon listens there, or the place cannot be used.</exception>
    internal static Socket Open(string path, uint? group)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (!Directory.Exists(directory))
            {
                // Closed to others from the start, so that nobody can connect before the file's mode is set.
                Directory.CreateDirectory(directory, DirectoryMode);
                GiveToGroup(directory, group);
            }
            RemoveStale(path);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            GiveToGroup(path, group);
            File.SetUnixFileMode(path, group is null ? OwnerOnly : OwnerAndGroup);
            listener.Listen(512);
            return listener;
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException or ArgumentException)
        {
            listener.Dispose();
            throw new BackupException(BackupFault.Io, $"cannot listen on {path}: {e.Message}", inner: e);
        }
        catch (BackupException)
        {
            listener.Dispose();
            throw;
        }
    }

    // A file that a killed daemon left answers nobody and is removed; one that answers belongs to a running daemon.
    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }
        if (Posix.TryStatusFollowing(path, out FileStatus status, out _) && status.Kind != FileKind.Socket)
        {
            // Refuses connections like a socket that nobody listens on, and is somebody's data.
            throw new BackupException(BackupFault.InputInvalid, $"{path} is there and is no socket; name another path");
        }
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        throw new BackupException(BackupFault.StoreBusy, $"another backupd listens on {path}");
    }

    private static void GiveToGroup(string path, uint? group)
    {
        if (group is uint gid && Accounts.TrySetGroup(path, gid) is int error and not 0)
        {
            throw new PosixException("give to the group", path, error);
        }
    }
}
