using System.Net;
using System.Text;
using Backupd.Protocol.Http;
using Backupd.Tests.Support;

namespace Backupd.Tests.Protocol;

[TestClass]
public sealed class HttpHeadTests
{
    [TestMethod]
    [DataRow("GET / HTTP/1.1\n\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost: x\n\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost: x\rY: z\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost: \0\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost: \u007f\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost: \u00e4\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\n: x\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nHost\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1\r\n(a): c\r\n\r\n", 400)]
    [DataRow("GET /\r\n\r\n", 400)]
    [DataRow("GET  / HTTP/1.1\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.1 \r\n\r\n", 400)]
    [DataRow("GET / http/1.1\r\n\r\n", 400)]
    [DataRow("GET / x\r\n\r\n", 400)]
    [DataRow("GET * HTTP/1.1\r\n\r\n", 400)]
    [DataRow("GET http://localhost/ HTTP/1.1\r\n\r\n", 400)]
    [DataRow("GET /#x HTTP/1.1\r\n\r\n", 400)]
    [DataRow("GET / HTTP/1.0\r\n\r\n", 505)]
    [DataRow("GET / HTTP/2.0\r\n\r\n", 505)]
    [DataRow("GET / HTTP/1.10\r\n\r\n", 505)]
    public void A_head_that_somebody_else_may_read_differently_is_refused_at_once_or_at_its_end(string text, int status)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        HttpHeadException? refused = null;
        for (int length = 1; length <= bytes.Length && refused is null; length++)
        {
            try
            {
                Assert.IsNull(HttpHead.TryRead(bytes.AsSpan(0, length), out _), text);
            }
            catch (HttpHeadException e)
            {
                refused = e;
            }
        }
        Assert.AreEqual(status, refused?.Status, text);
    }

    [TestMethod]
    public void A_head_is_read_when_its_last_byte_is_there()
    {
        byte[] bytes = Encoding.ASCII.GetBytes("GET /ws?x=1 HTTP/1.1\r\nHost:  a:1\t\r\nconnection: a, Upgrade\r\nEmpty:\r\n\r\nrest");
        int whole = bytes.Length - 4;
        for (int length = 1; length < whole; length++)
        {
            Assert.IsNull(HttpHead.TryRead(bytes.AsSpan(0, length), out _), $"{length} bytes");
        }
        HttpHead head = HttpHead.TryRead(bytes, out int taken)!;
        Assert.AreEqual(whole, taken);
        Assert.AreEqual("/ws", head.Path);
        Assert.AreEqual("a:1", head.Single("HOST"));
        Assert.AreEqual("", head.Single("empty"));
        Assert.IsNull(head.Single("Origin"));
        Assert.IsTrue(head.Lists("Connection", "upgrade"));
        Assert.IsFalse(head.Lists("Connection", "up"));
    }

    [TestMethod]
    [DataRow(50, true)]
    [DataRow(51, false)]
    public void A_head_has_at_most_fifty_fields(int count, bool fits)
    {
        string text = "GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Range(0, count).Select(i => $"f{i}: v\r\n")) + "\r\n";
        Assert.AreEqual(fits, Fits(text));
    }

    [TestMethod]
    [DataRow(8192, true)]
    [DataRow(8193, false)]
    public void A_head_has_at_most_8_KiB(int length, bool fits)
    {
        string text = "GET / HTTP/1.1\r\nA: ";
        text += new string('a', length - text.Length - 4) + "\r\n\r\n";
        Assert.AreEqual(fits, Fits(text));
        // Without its end too: nobody waits for it.
        Assert.AreEqual(fits, Fits(text[..^4] + "aaaa"));
    }

    [TestMethod]
    [DataRow("G", null)]
    [DataRow("GET", null)]
    [DataRow("GET ", true)]
    [DataRow("POST ", true)]
    [DataRow("OPTIONS ", true)]
    [DataRow("GETx", false)]
    [DataRow("{", false)]
    [DataRow("\n", false)]
    [DataRow("POSTER", false)]
    [DataRow("P", null)]
    [DataRow("PX", false)]
    public void Http_is_told_from_json_by_its_first_word(string text, bool? begins) =>
        Assert.AreEqual(begins, HttpHead.Begins(Encoding.ASCII.GetBytes(text)));

    [TestMethod]
    [DataRow("localhost", true)]
    [DataRow("LOCALHOST:8620", true)]
    [DataRow("127.0.0.1:8620", true)]
    [DataRow("127.9.9.9", true)]
    [DataRow("[::1]:8620", true)]
    [DataRow("192.0.2.7:8620", true)]
    [DataRow("backup.example.org", true)]
    [DataRow("backup.example.org:443", true)]
    [DataRow("192.0.2.8", false)]
    [DataRow("evil.example", false)]
    [DataRow("localhost.evil.example", false)]
    [DataRow("localhost:x", false)]
    [DataRow("localhost:1@evil", false)]
    [DataRow("", false)]
    [DataRow(":80", false)]
    public void A_host_must_be_this_one(string host, bool allowed) =>
        Assert.AreEqual(allowed, new HostRules(["backup.example.org"]).Allows(host, IPAddress.Parse("::ffff:192.0.2.7")));

    [TestMethod]
    [DataRow(null, true)]
    [DataRow("http://localhost:8620", true)]
    [DataRow("https://LOCALHOST:8620", true)]
    [DataRow("http://localhost:8621", false)]
    [DataRow("http://localhost", false)]
    [DataRow("http://evil.example", false)]
    [DataRow("file://localhost:8620", false)]
    [DataRow("null", false)]
    [DataRow("", false)]
    [DataRow("localhost:8620", false)]
    public void An_origin_must_be_the_host_itself(string? origin, bool allowed) =>
        Assert.AreEqual(allowed, HostRules.IsSameOrigin(origin, "localhost:8620"));

    [TestMethod]
    public void The_answer_to_a_key_is_that_of_the_rfc() =>
        Assert.AreEqual(TestClient.Accept, WebSocketHandshake.Accept(TestClient.Key));

    private static bool Fits(string text)
    {
        try
        {
            HttpHead.TryRead(Encoding.ASCII.GetBytes(text), out _);
            return true;
        }
        catch (HttpHeadException e) when (e.Status == 431)
        {
            return false;
        }
    }
}
