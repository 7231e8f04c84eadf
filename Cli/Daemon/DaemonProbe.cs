using System.Net;
using System.Net.Sockets;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Asks a daemon from outside, as a client does: who answers has an accept loop and a thread pool that work.</summary>
internal sealed class DaemonProbe
{
    private static readonly byte[] Request = "{\"command\":\"GetServerInfo\",\"extID\":0,\"data\":{}}\n"u8.ToArray();

    private readonly EndPoint? _address;

    /// <param name="socketPath">The Unix socket; "" for none.</param>
    /// <param name="tcp">What is asked without a socket; null for nothing.</param>
    internal DaemonProbe(string socketPath, IPEndPoint? tcp) =>
        _address = socketPath.Length > 0 ? new UnixDomainSocketEndPoint(socketPath) : tcp is null ? null : Reachable(tcp);

    /// <summary>Whether the daemon answered. A daemon that listens nowhere has nobody to answer.</summary>
    /// <param name="deadline">Ends the wait, which then counts as no answer.</param>
    internal async Task<bool> AnswersAsync(CancellationToken deadline)
    {
        if (_address is null)
        {
            return true;
        }
        bool isUnix = _address.AddressFamily == AddressFamily.Unix;
        using Socket socket = new(
            _address.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(_address, deadline);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
        try
        {
            await socket.SendAsync(Request, deadline);
            await socket.ReceiveAsync(new byte[ProtocolLimits.MaxLineBytesBeforeToken], deadline);
            return true;
        }
        catch (SocketException)
        {
            // Closed again: at its bounds, or because it wants TLS. Only who accepts can do that; a connection that
            // nobody accepts stays open in silence.
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static IPEndPoint Reachable(IPEndPoint listening) =>
        listening.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, listening.Port)
        : listening.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, listening.Port)
        : listening;
}
