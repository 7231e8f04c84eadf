using System.Buffers.Binary;
using System.Net.Sockets;
using Backupd.Backup.Native;

namespace Backupd.Protocol.Server;

/// <summary>Who is at the other end of a Unix socket, as the kernel says (unix(7), SO_PEERCRED and SO_PEERGROUPS).</summary>
internal static class PeerCredentials
{
    private const int SocketLevel = 1;
    private const int PeerCred = 17;
    private const int PeerGroups = 59;
    private const uint OverflowId = 65534;

    // Linux allows this many supplementary groups (NGROUPS_MAX).
    private const int MaxGroups = 65536;

    /// <summary>The peer's user id when it may administer: root, this process's own user, or a member of the group.
    /// Null for everybody else.</summary>
    internal static uint? TrustedUser(Socket socket, uint? group)
    {
        Span<byte> credentials = stackalloc byte[12];
        if (socket.GetRawSocketOption(SocketLevel, PeerCred, credentials) < credentials.Length)
        {
            return null;
        }
        uint uid = BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]);
        uint gid = BinaryPrimitives.ReadUInt32LittleEndian(credentials[8..]);
        if (uid == OverflowId)
        {
            // A user of another namespace that has no number here.
            return null;
        }
        bool trusted = uid == 0
            || uid == Accounts.EffectiveUserId
            || (group is uint wanted && (gid == wanted || HasGroup(socket, wanted)));
        return trusted ? uid : null;
    }

    private static bool HasGroup(Socket socket, uint wanted)
    {
        byte[] groups = new byte[MaxGroups * sizeof(uint)];
        int length = socket.GetRawSocketOption(SocketLevel, PeerGroups, groups);
        for (int i = 0; i + sizeof(uint) <= length; i += sizeof(uint))
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(groups.AsSpan(i)) == wanted)
            {
                return true;
            }
        }
        return false;
    }
}
