using System.Net;
using System.Net.Sockets;

namespace Backupd.Cli.Client;

/// <summary>Where a daemon listens: <c>unix:/path</c> or <c>host:port</c>.</summary>
/// <param name="Text">As it was given, for messages.</param>
/// <param name="EndPoint">Where to connect to.</param>
public sealed record DaemonAddress(string Text, EndPoint EndPoint)
{
    /// <summary>Reads an address; null when it is none.</summary>
    public static DaemonAddress? TryParse(string text)
    {
        if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            return text.Length > 5 ? Unix(text[5..]) : null;
        }
        int colon = text.LastIndexOf(':');
        if (colon < 1 || !ushort.TryParse(text.AsSpan(colon + 1), out ushort port) || port == 0)
        {
            return null;
        }
        string host = text[..colon].Trim('[', ']');
        return new DaemonAddress(
            text, IPAddress.TryParse(host, out IPAddress? ip) ? new IPEndPoint(ip, port) : new DnsEndPoint(host, port));
    }

    /// <summary>The address of a Unix socket.</summary>
    public static DaemonAddress Unix(string path) => new($"unix:{path}", new UnixDomainSocketEndPoint(path));

    internal Socket CreateSocket() => EndPoint is UnixDomainSocketEndPoint
        ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        : new Socket(SocketType.Stream, ProtocolType.Tcp);
}
