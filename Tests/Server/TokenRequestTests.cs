using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Tokens as a forger, a careless library or a clock would make them, each sent through a real socket.</summary>
[TestClass]
public sealed class TokenRequestTests
{
    private const string Header = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    private const string Claims = "{\"id\":7,\"role\":3,\"exp\":4000000000}";

    private static TestServer _server = null!;

    [ClassInitialize]
    public static void Start(TestContext _) => _server = new TestServer();

    [ClassCleanup]
    public static async Task Stop() => await _server.DisposeAsync();

    [TestMethod]
    [DataRow(Header, Claims, true)]
    [DataRow("{\"typ\":\"JWT\",\"alg\":\"HS256\"}", "{\"exp\":4000000000,\"id\":0,\"role\":1,\"x\":[{}],\"name\":5}", true)]
    [DataRow("{\"alg\":\"HS256\",\"kid\":\"1\"}", " { \"exp\" : 4000000000 , \"role\" : 3 , \"id\" : -1 } ", true)]
    // Another algorithm, whatever the signature.
    [DataRow("{\"alg\":\"none\"}", Claims, false)]
    [DataRow("{\"alg\":\"None\"}", Claims, false)]
    [DataRow("{\"alg\":\"HS384\"}", Claims, false)]
    [DataRow("{\"alg\":\"HS512\"}", Claims, false)]
    [DataRow("{\"alg\":\"RS256\"}", Claims, false)]
    [DataRow("{\"alg\":\"HS256 \"}", Claims, false)]
    [DataRow("{\"alg\":\"hs256\"}", Claims, false)]
    [DataRow("{\"alg\":[\"HS256\"]}", Claims, false)]
    [DataRow("{\"alg\":null}", Claims, false)]
    [DataRow("{\"ALG\":\"HS256\"}", Claims, false)]
    [DataRow("{\"typ\":\"JWT\"}", Claims, false)]
    [DataRow("{\"alg\":\"none\",\"alg\":\"HS256\"}", Claims, false)]
    [DataRow("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", Claims, false)]
    [DataRow("{\"alg\":\"HS256\"", Claims, false)]
    [DataRow("[\"alg\",\"HS256\"]", Claims, false)]
    [DataRow("", Claims, false)]
    // Claims.
    [DataRow(Header, "{\"id\":7,\"role\":3}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":null}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":0}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":-4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":4000000000.5}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":4e9}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":\"4000000000\"}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":99999999999999999999}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":true}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":1000000000}", false)]
    [DataRow(Header, "{\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":null,\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":\"7\",\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7.5,\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":9999999999,\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":\"admin\",\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":\"3\",\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3.5,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":-1,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":6,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":12,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":[3],\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"ID\":7,\"ROLE\":3,\"EXP\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":0,\"role\":3,\"exp\":4000000000}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":1,\"e\\u0078p\":4000000000}", false)]
    [DataRow(Header, "[7,3,4000000000]", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":4000000000", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":4000000000}}", false)]
    [DataRow(Header, "{\"id\":7,\"role\":3,\"exp\":4000000000,}", false)]
    [DataRow(Header, "", false)]
    public Task A_token_with_the_right_signature_is_taken_or_not(string header, string claims, bool isGood)
    {
        string signed = $"{Encode(header)}.{Encode(claims)}";
        return Expect($"{signed}.{Signature(signed)}", isGood);
    }

    [TestMethod]
    public async Task Signatures_of_another_kind_or_key_are_refused()
    {
        string signed = $"{Encode(Header)}.{Encode(Claims)}";
        byte[] bytes = Encoding.ASCII.GetBytes(signed);
        await Expect($"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.ASCII.GetBytes(new string('z', 32)), bytes))}", false);
        await Expect($"{signed}.{Base64Url.EncodeToString(HMACSHA512.HashData(TestServer.Secret, bytes))}", false);
        await Expect($"{signed}.{Base64Url.EncodeToString(HMACSHA512.HashData(TestServer.Secret, bytes).AsSpan(0, 32))}", false);
        await Expect($"{signed}.{Base64Url.EncodeToString(SHA256.HashData(bytes))}", false);
        await Expect($"{signed}.{Base64Url.EncodeToString(new byte[32])}", false);
        // Without a signature, as "none" wants it, and a real one of another family.
        string none = $"{Encode("{\"alg\":\"none\"}")}.{Encode(Claims)}";
        await Expect($"{none}.", false);
        await Expect(none, false);
        await Expect($"{none}.{Signature(none)}", false);
        string rs = $"{Encode("{\"alg\":\"RS256\"}")}.{Encode(Claims)}";
        using RSA key = RSA.Create(2048);
        byte[] signature = key.SignData(Encoding.ASCII.GetBytes(rs), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        await Expect($"{rs}.{Base64Url.EncodeToString(signature)}", false);
    }

    [TestMethod]
    public async Task A_token_cut_padded_or_cut_up_anywhere_is_refused()
    {
        string token = $"{Encode(Header)}.{Encode(Claims)}";
        token = $"{token}.{Signature(token)}";
        string[] parts = token.Split('.');
        List<string> bad =
        [
            "", ".", "..", "...", parts[0], $"{parts[0]}.", $"{parts[0]}.{parts[1]}", $"{parts[0]}.{parts[1]}.",
            $".{parts[1]}.{parts[2]}", $"{parts[0]}..{parts[2]}", $"..{parts[2]}", $"{parts[1]}.{parts[0]}.{parts[2]}",
            $".{token}", $"{token}.", $"{token}.{parts[2]}", $"{parts[0]}.{token}", token.Replace('.', ','),
            $"{parts[0]}.{parts[1]}=.{parts[2]}", $"{parts[0]}==.{parts[1]}.{parts[2]}", $"{token}=", $"{token}==", $"{token}%",
            $" {token}", $"{token} ", $"{token}\\n", $"{token}\\u0000", $"Bearer {token}", $"\\u00e9{token}", $"{token}\\ud83d\\ude00",
            token.ToUpperInvariant(), new string('.', 500), new string('A', 7000), $"{token}{new string('A', 6000)}",
        ];
        // Every sixth cut and the last ones; every one of them costs a request.
        bad.AddRange(Enumerable.Range(1, token.Length - 1).Where(n => n % 6 == 0 || n > token.Length - 3).Select(n => token[..n]));
        foreach (string one in bad)
        {
            await Expect(one, false);
        }
        await Expect(token, true);
        await Expect(token.Replace(".", "\\u002e", StringComparison.Ordinal), true);
    }

    [TestMethod]
    public async Task A_token_of_the_first_line_s_size_is_refused_and_a_longer_one_ends_the_session()
    {
        using TestClient fits = await _server.ConnectAsync(new string('A', ProtocolLimits.MaxLineBytesBeforeToken - 100));
        Assert.Contains("RET_UNAUTHORIZED", await fits.CallAsync("Ping"));
        using TestClient tooLong = await _server.ConnectAsync(new string('A', ProtocolLimits.MaxLineBytesBeforeToken));
        await tooLong.SendAsync(tooLong.Line("Ping") + "\r\n");
        MalformedRequestTests.ExpectError(await tooLong.ReadLineAsync(), "MESSAGE_TOO_LARGE", "");
        Assert.IsNull(await tooLong.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task A_token_that_expires_during_a_session_is_refused_from_then_on_and_a_new_one_taken()
    {
        ManualClock clock = new(DateTimeOffset.UtcNow);
        await using TestServer server = new(clock, o => o);
        long ends = clock.Now.ToUnixTimeSeconds() + 2;
        string brief = new AccessToken(7, SessionRole.Admin, ends, "", "").Sign(TestServer.Secret);
        using TestClient client = await server.ConnectAsync(brief);
        Assert.Contains("\"version\"", await client.CallAsync("Ping"));
        clock.Now = DateTimeOffset.FromUnixTimeSeconds(ends);
        await client.SendAsync(client.Line("Ping", extId: "\"late\"") + "\r\n");
        MalformedRequestTests.ExpectError(await client.ReadLineAsync(), "RET_UNAUTHORIZED", "\"late\"");
        await client.SendAsync(Request(TestServer.Token()));
        Assert.Contains("\"version\"", await client.ReadLineAsync() ?? "");
    }

    [TestMethod]
    public async Task Each_request_has_the_rights_of_its_own_token()
    {
        using TestClient client = await _server.ConnectAsync();
        foreach ((SessionRole role, string expected) in ((SessionRole, string)[])
            [
                (SessionRole.Admin, "rows"), (SessionRole.Customer, "RET_ERR_PERMISSIONS"), (SessionRole.Manager, "rows"),
                (SessionRole.Dealer, "RET_ERR_PERMISSIONS"), (SessionRole.Admin, "rows"),
            ])
        {
            await client.SendAsync(Request(TestServer.Token(role), "GetBackupRuns"));
            Assert.Contains(expected, await client.ReadLineAsync() ?? "");
        }
    }

    [TestMethod]
    public async Task Wrong_tokens_between_right_ones_are_counted_all_the_same()
    {
        using TestClient client = await _server.ConnectAsync();
        for (int i = 1; i <= ProtocolLimits.MaxBadTokens; i++)
        {
            await client.CallAsync("Ping");
            await client.SendAsync(Request($"wrong{i}"));
            MalformedRequestTests.ExpectError(await client.ReadLineAsync(), "RET_UNAUTHORIZED", "1");
        }
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    // One request with the token; the answer says nothing of what is wrong with it, and the session goes on.
    private static async Task Expect(string token, bool isGood)
    {
        using TestClient client = await _server.ConnectAsync();
        await client.SendAsync(Request(token));
        string line = await client.ReadLineAsync("the answer") ?? "";
        if (isGood)
        {
            Assert.StartsWith("{\"extID\":1,\"version\":", line, token);
        }
        else
        {
            MalformedRequestTests.ExpectError(line, "RET_UNAUTHORIZED", "1");
            Assert.AreEqual("a valid token is required", JsonDocument.Parse(line).RootElement.GetProperty("message").GetString());
            Assert.IsFalse(JsonDocument.Parse(line).RootElement.TryGetProperty("detail", out _), line);
        }
        await client.CallAsync("Ping");
    }

    private static string Request(string token, string command = "Ping") =>
        $"{{\"command\":\"{command}\",\"extID\":1,\"__token\":\"{token}\"}}\r\n";

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static string Signature(string signed) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(TestServer.Secret, Encoding.ASCII.GetBytes(signed)));
}
