using System.Net;
using System.Net.Sockets;
using Backupd.Backup;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Client;

/// <summary>Where a daemon listens: <c>unix:/path</c>, <c>host:port</c>, <c>tls:host:port</c> or <c>tcp:host:port</c>.</summary>
/// <param name="Text">As it was given, for messages.</param>
/// <param name="EndPoint">Where to connect to.</param>
public sealed record DaemonAddress(string Text, EndPoint EndPoint)
{
    private const string UnixPrefix = "unix:";
    private const string TlsPrefix = "tls:";
    private const string PlainPrefix = "tcp:";

    /// <summary>Whether TLS is spoken. Left to the address it is, except with a loopback one, where nobody listens in.</summary>
    public bool UsesTls { get; init; }

    /// <summary>Whether TLS is out of the question: a Unix socket, or an address that says so.</summary>
    public bool IsPlain { get; init; }

    /// <summary>The name that a certificate must have; "" for a Unix socket.</summary>
    public string Host => EndPoint switch
    {
        DnsEndPoint dns => dns.Host,
        IPEndPoint ip => ip.Address.ToString(),
        _ => "",
    };

    /// <summary>Reads an address; null when it is none.</summary>
    /// <exception cref="BackupException">As for <see cref="Unix"/>.</exception>
    public static DaemonAddress? TryParse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            return text.Length > UnixPrefix.Length ? Unix(text[UnixPrefix.Length..]) : null;
        }
        bool isTls = text.StartsWith(TlsPrefix, StringComparison.Ordinal);
        bool isPlain = text.StartsWith(PlainPrefix, StringComparison.Ordinal);
        string rest = isTls || isPlain ? text[TlsPrefix.Length..] : text;
        int colon = rest.LastIndexOf(':');
        if (colon < 1 || !ushort.TryParse(rest.AsSpan(colon + 1), out ushort port) || port == 0)
        {
            return null;
        }
        string host = rest[..colon].Trim('[', ']');
        bool isAddress = IPAddress.TryParse(host, out IPAddress? ip);
        bool isLoopback = isAddress ? IPAddress.IsLoopback(ip!) : host.Equals("localhost", StringComparison.OrdinalIgnoreCase);
        return new DaemonAddress(text, isAddress ? new IPEndPoint(ip!, port) : new DnsEndPoint(host, port))
        {
            UsesTls = isTls || (!isPlain && !isLoopback),
            IsPlain = isPlain,
        };
    }

    /// <summary>The address of a Unix socket.</summary>
    /// <exception cref="BackupException">The path is longer than the kernel takes.</exception>
    public static DaemonAddress Unix(string path) => UnixListener.IsTooLong(path)
        ? throw new BackupException(
            BackupFault.InputInvalid, $"the path of a socket has at most {UnixListener.MostPathBytes} bytes, and {path} has more")
        : new($"{UnixPrefix}{path}", new UnixDomainSocketEndPoint(path)) { IsPlain = true };

    internal Socket CreateSocket() => EndPoint is UnixDomainSocketEndPoint
        ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        : new Socket(SocketType.Stream, ProtocolType.Tcp);
}
