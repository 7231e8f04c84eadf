using System.Globalization;
using System.Text;
using Backupd.Protocol.Server;

namespace Backupd.Protocol.Http;

/// <summary>Why a request of HTTP was refused, as an HTTP status.</summary>
internal sealed class HttpHeadException(int status, string message, string fields = "") : Exception(message)
{
    /// <summary>The status to answer with.</summary>
    internal int Status { get; } = status;

    /// <summary>What the reply's head says besides, each field with its line end.</summary>
    internal string Fields { get; } = fields;
}

/// <summary>
/// The head of an HTTP request, read strictly (RFC 9112): what a lenient reader would have to guess about is refused, because
/// another program in between may have guessed differently.
/// </summary>
internal sealed class HttpHead
{
    private static readonly byte[][] Beginnings =
    [
        "GET "u8.ToArray(), "POST "u8.ToArray(), "HEAD "u8.ToArray(), "PUT "u8.ToArray(), "DELETE "u8.ToArray(),
        "OPTIONS "u8.ToArray(), "PATCH "u8.ToArray(),
    ];

    private readonly List<(string Name, string Value)> _fields = [];

    private HttpHead(string method, string target)
    {
        Method = method;
        Target = target;
    }

    /// <summary>As sent; methods are case-sensitive.</summary>
    internal string Method { get; }

    /// <summary>Path and query as sent.</summary>
    internal string Target { get; }

    /// <summary>The target without its query.</summary>
    internal string Path => Target.Split('?', 2)[0];

    /// <summary>Whether these bytes are the beginning of an HTTP request; null while too few are there to tell. A JSON
    /// document begins with none of these words.</summary>
    internal static bool? Begins(ReadOnlySpan<byte> bytes)
    {
        bool? begins = false;
        foreach (byte[] word in Beginnings)
        {
            int length = Math.Min(word.Length, bytes.Length);
            if (bytes[..length].SequenceEqual(word.AsSpan(0, length)))
            {
                begins = length == word.Length ? true : null;
            }
        }
        return begins;
    }

    /// <summary>Reads a head when all of it is there.</summary>
    /// <param name="bytes">What was received so far.</param>
    /// <param name="length">The head's length with the empty line that ends it.</param>
    /// <returns>Null while it is not all there.</returns>
    /// <exception cref="HttpHeadException">It is refused.</exception>
    internal static HttpHead? TryRead(ReadOnlySpan<byte> bytes, out int length)
    {
        length = bytes.IndexOf("\r\n\r\n"u8) + 4;
        bool isWhole = length >= 4;
        if (isWhole ? length > ProtocolLimits.MaxHeadBytes : bytes.Length > ProtocolLimits.MaxHeadBytes)
        {
            throw new HttpHeadException(431, $"the head is longer than {ProtocolLimits.MaxHeadBytes} bytes");
        }
        ReadOnlySpan<byte> seen = isWhole ? bytes[..length] : bytes;
        RefuseControls(seen);
        return isWhole ? Parse(Encoding.ASCII.GetString(seen[..^4])) : null;
    }

    /// <summary>A field's value; null when it is missing.</summary>
    /// <exception cref="HttpHeadException">It stands more than once.</exception>
    internal string? Single(string name)
    {
        string? value = null;
        foreach ((string n, string v) in _fields)
        {
            if (n.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                value = value is null ? v : throw new HttpHeadException(400, $"the field {name} stands twice");
            }
        }
        return value;
    }

    /// <summary>Whether a list field, or one of several with its name, holds a word; case does not count.</summary>
    internal bool Lists(string name, string word) => _fields
        .Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        .SelectMany(f => f.Value.Split(','))
        .Any(v => v.Trim(' ', '\t').Equals(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether the client lists a type of content among those that it takes, whatever it says about how much it likes
    /// it.</summary>
    internal bool Accepts(string type) => _fields.Exists(
        f => f.Name.Equals("Accept", StringComparison.OrdinalIgnoreCase)
            && Array.Exists(f.Value.Split(',', ';'), v => v.Trim(' ', '\t').Equals(type, StringComparison.OrdinalIgnoreCase)));

    /// <summary>How many bytes of body follow; <see cref="int.MaxValue"/> for more than fit, null when the head does not say,
    /// which is none.</summary>
    /// <exception cref="HttpHeadException">It could be read in more than one way.</exception>
    internal int? BodyLength()
    {
        if (Single("Transfer-Encoding") is not null)
        {
            throw new HttpHeadException(400, "Transfer-Encoding is not taken; send the body with its Content-Length");
        }
        string? length = Single("Content-Length");
        if (length is null)
        {
            return null;
        }
        if (length.Length == 0 || length.AsSpan().ContainsAnyExceptInRange('0', '9'))
        {
            throw new HttpHeadException(400, "Content-Length is not a number");
        }
        return int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bytes) ? bytes : int.MaxValue;
    }

    /// <summary>The token in the field Authorization: null without the field, "" when it holds something else.</summary>
    /// <exception cref="HttpHeadException">The field stands more than once.</exception>
    internal string? BearerToken()
    {
        const string Scheme = "Bearer ";
        string? value = Single("Authorization");
        return value is null || value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? value?[Scheme.Length..].TrimStart(' ')
            : "";
    }

    // As soon as they arrive: a bare line feed would otherwise be waited upon until the deadline.
    private static void RefuseControls(ReadOnlySpan<byte> seen)
    {
        for (int i = 0; i < seen.Length; i++)
        {
            byte b = seen[i];
            bool isLineEnd = (b == '\n' && i > 0 && seen[i - 1] == '\r')
                || (b == '\r' && (i + 1 == seen.Length || seen[i + 1] == '\n'));
            if (b is >= 0x7f or (< (byte)' ' and not (byte)'\t') && !isLineEnd)
            {
                throw new HttpHeadException(400, "the head holds a byte that may not be there");
            }
        }
    }

    private static HttpHead Parse(string text)
    {
        string[] lines = text.Split("\r\n");
        string[] parts = lines[0].Split(' ');
        if (parts is not [string method, string target, string version] || method.Length == 0)
        {
            throw new HttpHeadException(400, "the request line is not: method, target, version");
        }
        if (version != "HTTP/1.1")
        {
            throw version.StartsWith("HTTP/", StringComparison.Ordinal)
                ? new HttpHeadException(505, "this server speaks HTTP/1.1")
                : new HttpHeadException(400, "the request line does not end with an HTTP version");
        }
        if (!target.StartsWith('/') || target.Contains('#') || target.Contains('\t'))
        {
            throw new HttpHeadException(400, "the target is not a path");
        }
        HttpHead head = new(method, target);
        if (lines.Length - 1 > ProtocolLimits.MaxHeadFields)
        {
            throw new HttpHeadException(431, $"the head has more than {ProtocolLimits.MaxHeadFields} fields");
        }
        foreach (string line in lines.AsSpan(1))
        {
            int colon = line.IndexOf(':');
            if (colon <= 0 || !line.AsSpan(0, colon).ContainsOnlyTokenCharacters())
            {
                // Also a continuation line and a blank before the colon.
                throw new HttpHeadException(400, "a field of the head has no proper name");
            }
            head._fields.Add((line[..colon], line[(colon + 1)..].Trim(' ', '\t')));
        }
        return head;
    }
}

/// <summary>The characters of HTTP's words.</summary>
file static class TokenCharacters
{
    private static readonly System.Buffers.SearchValues<char> Allowed = System.Buffers.SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    internal static bool ContainsOnlyTokenCharacters(this ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Allowed);
}
