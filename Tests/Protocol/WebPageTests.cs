using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Backupd.Protocol.Http;
using Backupd.Tests.Support;

namespace Backupd.Tests.Protocol;

[TestClass]
public sealed class WebPageTests
{
    private static readonly string Html = Encoding.UTF8.GetString(WebPage.Answer.Body.Span);

    [TestMethod]
    public void It_fits_into_40_KiB_and_is_the_file() =>
        Assert.IsTrue(WebPage.Answer.Body.Length <= 40 * 1024
            && WebPage.Answer.Body.Span.SequenceEqual(File.ReadAllBytes(Sources.PathOf("Protocol/Http/page.html"))), $"{WebPage.Answer.Body.Length}");

    // Each of these makes markup or code of a text.
    [TestMethod]
    [DataRow("innerHTML")]
    [DataRow("outerHTML")]
    [DataRow("insertAdjacentHTML")]
    [DataRow("document.write")]
    [DataRow("createContextualFragment")]
    [DataRow("DOMParser")]
    [DataRow("eval(")]
    [DataRow("Function(")]
    [DataRow("srcdoc")]
    [DataRow("javascript:")]
    [DataRow("unsafe-")]
    [DataRow("style=")]
    [DataRow(" onclick=\"")]
    [DataRow("localStorage")]
    [DataRow("src=")]
    [DataRow("href=\"http")]
    [DataRow("@import")]
    [DataRow("url(")]
    public void What_would_make_markup_of_text_or_load_something_is_not_in_it(string word) => Assert.DoesNotContain(word, Html);

    [TestMethod]
    public void The_policy_allows_the_one_script_and_the_one_style_of_the_file_by_their_hashes()
    {
        string policy = WebPage.Answer.Policy;
        foreach ((string directive, string tag) in new[] { ("script-src", "script"), ("style-src", "style") })
        {
            MatchCollection found = Regex.Matches(Html, $"<{tag}[^>]*>(.*?)</{tag}>", RegexOptions.Singleline);
            Assert.HasCount(1, found, tag);
            string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(found[0].Groups[1].Value)));
            Assert.Contains($"{directive} 'sha256-{hash}';", policy);
        }
        foreach (string part in (string[])
            [
                "default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            ])
        {
            Assert.Contains(part, policy);
        }
        Assert.DoesNotContain("unsafe", policy);
    }

    [TestMethod]
    public async Task It_is_served_without_a_token_and_with_its_policy()
    {
        await using TestServer server = new();
        foreach (string method in (string[])["GET", "HEAD"])
        {
            using TestClient client = await server.ConnectAsync();
            await client.SendAsync(Encoding.ASCII.GetBytes($"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            string reply = await client.ReadToEndAsync();
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", reply);
            foreach (string field in (string[])
                [
                    "Content-Type: text/html; charset=utf-8", $"Content-Length: {WebPage.Answer.Body.Length}",
                    $"Content-Security-Policy: {WebPage.Answer.Policy}", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
                ])
            {
                Assert.Contains(field + "\r\n", reply);
            }
            Assert.AreEqual(method == "GET", reply.EndsWith("</script>\n", StringComparison.Ordinal));
        }
    }
}
