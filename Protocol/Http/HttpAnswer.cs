using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>What a path answers with. A HEAD request gets the same without the body.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="type">The body's Content-Type.</param>
/// <param name="body">The body; not changed afterwards.</param>
internal sealed class HttpAnswer(int status, string type, ReadOnlyMemory<byte> body)
{
    /// <summary>What a browser may load for anything that is no page: nothing, in no frame.</summary>
    internal const string Nothing = "default-src 'none'; frame-ancestors 'none'";

    internal int Status { get; } = status;

    internal string Type { get; } = type;

    internal ReadOnlyMemory<byte> Body { get; } = body;

    /// <summary>The Content-Security-Policy. A page names what it loads itself.</summary>
    internal string Policy { get; init; } = Nothing;

    /// <summary>A line of text for people.</summary>
    internal static HttpAnswer Text(int status, string line) =>
        new(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(line + "\n"));
}
