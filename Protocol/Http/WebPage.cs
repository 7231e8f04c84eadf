using System.Security.Cryptography;

namespace Backupd.Protocol.Http;

/// <summary>
/// The page at <c>/</c>: one file within the program, and the policy under which browsers show it. Nothing on it comes from a
/// server before a token was shown, so anybody may read it.
/// </summary>
internal static class WebPage
{
    private const string ResourceName = "page.html";

    private static readonly byte[] Html = Load();

    /// <summary>The page. Only the script and the styles of this very file are run and applied: what somebody manages to put
    /// into it beside them is not.</summary>
    internal static HttpAnswer Answer { get; } = new(200, "text/html; charset=utf-8", Html) { Policy = Policy(Html) };

    /// <summary>The policy for a page with one script and one style element.</summary>
    internal static string Policy(ReadOnlySpan<byte> html) =>
        "default-src 'none'; "
        + $"script-src '{Hash(html, "<script>"u8, "</script>"u8)}'; "
        + $"style-src '{Hash(html, "<style>"u8, "</style>"u8)}'; "
        + "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        + "require-trusted-types-for 'script'; trusted-types 'none'";

    // Of the bytes between the tags, as they are sent.
    private static string Hash(ReadOnlySpan<byte> html, ReadOnlySpan<byte> begin, ReadOnlySpan<byte> end)
    {
        int at = html.IndexOf(begin) + begin.Length;
        ReadOnlySpan<byte> content = html[at..(at + html[at..].IndexOf(end))];
        return "sha256-" + Convert.ToBase64String(SHA256.HashData(content));
    }

    private static byte[] Load()
    {
        using Stream resource = typeof(WebPage).Assembly.GetManifestResourceStream(ResourceName)!;
        byte[] html = new byte[resource.Length];
        resource.ReadExactly(html);
        return html;
    }
}
