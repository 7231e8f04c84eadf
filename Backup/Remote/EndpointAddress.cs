using System.Globalization;

namespace Backupd.Backup.Remote;

/// <summary>
/// Where an endpoint is: another backupd, as <c>HOST:PORT</c> or <c>[IPv6]:PORT</c>, or a directory of this machine, as
/// <c>file:///DIRECTORY</c>. Immutable. Whether it can be reached is not looked at.
/// </summary>
public sealed class EndpointAddress
{
    /// <summary>The port that is meant where none is given.</summary>
    public const int DefaultPort = 8620;

    private const int MaxLength = 1024;
    private const int MaxNameLength = 253;
    private const string FileScheme = "file://";
    private const string Forms = "must be HOST:PORT or [IPv6]:PORT of another backupd, or file:///DIRECTORY";

    private EndpointAddress(string text, string directory, string host, int port)
    {
        Text = text;
        Directory = directory;
        Host = host;
        Port = port;
    }

    /// <summary>The same text for the same place: with its port, in lower case, without needless slashes.</summary>
    public string Text { get; }

    /// <summary>The absolute path of the directory; "" for another backupd.</summary>
    public string Directory { get; }

    /// <summary>The name or address of the other backupd, without brackets; "" for a directory.</summary>
    public string Host { get; }

    /// <summary>Its TCP port; 0 for a directory.</summary>
    public int Port { get; }

    /// <summary>Whether it is a directory.</summary>
    public bool IsDirectory => Directory.Length > 0;

    /// <summary>Reads one; null when it is none.</summary>
    /// <param name="text">The address. What follows <c>file://</c> is the path as it is: nothing in it is an escape.</param>
    /// <param name="problem">What is wrong, to go on after the name of the member; "" when nothing is.</param>
    public static EndpointAddress? TryParse(string text, out string problem)
    {
        EndpointAddress? address = null;
        problem = text.Length > MaxLength ? $"must have at most {MaxLength} characters"
            : text.Any(char.IsControl) ? "must have no control characters"
            : text.StartsWith(FileScheme, StringComparison.OrdinalIgnoreCase)
                ? OfDirectory(text[FileScheme.Length..], out address)
            : text.IndexOf("://", StringComparison.Ordinal) is > 0 and int end
                ? $"{Forms}: this version does not speak {text[..end]}"
            : text.StartsWith('/') ? $"{Forms}: this directory is file://{text}"
            : OfPeer(text, out address);
        return address;
    }

    private static string OfDirectory(string path, out EndpointAddress? address)
    {
        address = null;
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (!path.StartsWith('/') || parts.Length == 0 || Array.Exists(parts, p => p is "." or ".."))
        {
            return "must name an absolute path below /, without . and .. in it: file:///DIRECTORY";
        }
        string directory = "/" + string.Join('/', parts);
        address = new EndpointAddress(FileScheme + directory, directory, "", 0);
        return "";
    }

    private static string OfPeer(string text, out EndpointAddress? address)
    {
        address = null;
        // An IPv6 address has colons of its own, so that only brackets tell where it ends.
        int end = text.StartsWith('[') ? text.IndexOf(']') + 1 : text.IndexOf(':') is >= 0 and int colon ? colon : text.Length;
        string host = text[..end].ToLowerInvariant();
        string rest = text[end..];
        int port = DefaultPort;
        if (rest.Length > 0 && (rest[0] != ':' || !TryReadPort(rest[1..], out port)))
        {
            return $"{Forms}; a port is a number from 1 to 65535";
        }
        bool isBracketed = host.StartsWith('[');
        string name = isBracketed ? host[1..^1] : host;
        if (!(isBracketed ? IsIPv6(name) : IsName(name)))
        {
            return Forms;
        }
        address = new EndpointAddress(string.Create(CultureInfo.InvariantCulture, $"{host}:{port}"), "", name, port);
        return "";
    }

    private static bool TryReadPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535;

    // Only what cannot be an address is told here; the rest is found out by whoever connects.
    private static bool IsIPv6(string name) =>
        name.Length is >= 2 and <= MaxNameLength && name.Contains(':', StringComparison.Ordinal)
        && name.All(c => char.IsAsciiHexDigitLower(c) || c is ':' or '.');

    private static bool IsName(string name) =>
        name.Length is >= 1 and <= MaxNameLength && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
}
