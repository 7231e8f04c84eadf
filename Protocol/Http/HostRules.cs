using System.Net;

namespace Backupd.Protocol.Http;

/// <summary>
/// Which hosts a browser may believe to talk to. A page of a foreign site can make a browser connect to a loopback address,
/// under its own name (DNS rebinding) or under its own origin (cross-site WebSocket hijacking); neither passes here.
/// </summary>
internal sealed class HostRules
{
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase) { "localhost" };

    /// <param name="configured">Further names, without ports.</param>
    internal HostRules(IEnumerable<string> configured) => _names.UnionWith(configured);

    /// <summary>Whether a Host field names this server: a loopback name or address, the address that the client has reached, or
    /// a configured name. The port does not count, because it may be forwarded.</summary>
    /// <param name="host">The field.</param>
    /// <param name="reached">The address that the client has reached; null over a Unix socket.</param>
    internal bool Allows(string host, IPAddress? reached) =>
        TryName(host, out string name)
        && (_names.Contains(name)
            || (IPAddress.TryParse(name, out IPAddress? ip)
                && (IPAddress.IsLoopback(ip) || (reached is not null && ip.MapToIPv6().Equals(reached.MapToIPv6())))));

    /// <summary>Whether a request with this Origin comes from a page of this very host.</summary>
    /// <param name="origin">The Origin field; null when it is missing, as from everything that is not a browser.</param>
    /// <param name="host">The Host field.</param>
    internal static bool IsSameOrigin(string? origin, string host)
    {
        if (origin is null)
        {
            return true;
        }
        int scheme = origin.IndexOf("://", StringComparison.Ordinal);
        return scheme > 0
            && origin[..scheme].ToLowerInvariant() is "http" or "https"
            && origin[(scheme + 3)..].Equals(host, StringComparison.OrdinalIgnoreCase);
    }

    private static bool TryName(string host, out string name)
    {
        int end = host.StartsWith('[') ? host.IndexOf(']') + 1 : host.IndexOf(':');
        end = end > 0 ? end : host.Length;
        name = host[..end].Trim('[', ']');
        string port = host[end..];
        return name.Length > 0
            && (port.Length == 0 || (port[0] == ':' && port.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0));
    }
}
