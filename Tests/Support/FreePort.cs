using System.Net;
using System.Net.Sockets;

namespace Backupd.Tests.Support;

/// <summary>A port for a server that is yet to start, and to start again.</summary>
internal static class FreePort
{
    /// <summary>Below the ports that the kernel gives to connections by itself: one of those is soon somebody's.</summary>
    public static int Next()
    {
        while (true)
        {
            int port = Random.Shared.Next(20_000, 32_000);
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
