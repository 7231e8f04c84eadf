using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Backupd.Protocol.Server;

namespace Backupd.Tests.Protocol;

[TestClass]
public sealed class AccessTokenTests
{
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes("a secret of at least 32 bytes, this");

    [TestMethod]
    public void A_signed_token_says_what_was_signed()
    {
        AccessToken token = new(5, SessionRole.Manager, 4_000_000_000, "ana", "j1");
        Assert.AreEqual(token, Verify(token.Sign(Secret)));
    }

    [TestMethod]
    public void A_token_made_by_another_library_is_understood()
    {
        string made = Make("{\"typ\":\"JWT\",\"alg\":\"HS256\"}", "{\"exp\":4000000000,\"role\":3,\"id\":1,\"extra\":[1]}");
        Assert.AreEqual(new AccessToken(1, SessionRole.Admin, 4_000_000_000, "", ""), Verify(made));
    }

    [TestMethod]
    [DataRow("{\"alg\":\"none\"}", "{\"id\":1,\"role\":3,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS512\"}", "{\"id\":1,\"role\":3,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"hs256\"}", "{\"id\":1,\"role\":3,\"exp\":4000000000}")]
    [DataRow("{}", "{\"id\":1,\"role\":3,\"exp\":4000000000}")]
    [DataRow("[]", "{\"id\":1,\"role\":3,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":1,\"role\":3}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":1,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"role\":3,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":\"1\",\"role\":3,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":1,\"role\":\"admin\",\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":1,\"role\":6,\"exp\":4000000000}")]
    [DataRow("{\"alg\":\"HS256\"}", "{\"id\":1,\"role\":3,\"exp\":1e99}")]
    [DataRow("{\"alg\":\"HS256\"}", "[]")]
    [DataRow("{\"alg\":\"HS256\"}", "not json")]
    public void A_rightly_signed_token_of_another_shape_is_none(string header, string claims) =>
        Assert.IsNull(Verify(Make(header, claims)));

    [TestMethod]
    public void Every_changed_or_missing_character_spoils_a_token()
    {
        string token = new AccessToken(1, SessionRole.Admin, 4_000_000_000, "", "").Sign(Secret);
        for (int i = 0; i < token.Length; i++)
        {
            Assert.IsNull(Verify(token[..i]), $"cut to {i}");
            // The last character of a Base64 text carries bits that mean nothing; changing only those changes nothing.
            char other = token[i] == 'A' ? 'Q' : 'A';
            Assert.IsNull(Verify(token[..i] + other + token[(i + 1)..]), $"changed at {i}");
        }
        Assert.IsNull(Verify(""));
        Assert.IsNull(Verify(".."));
        Assert.IsNull(AccessToken.Verify(Encoding.ASCII.GetBytes(token), Encoding.ASCII.GetBytes(new string('k', 32))));
    }

    private static AccessToken? Verify(string token) => AccessToken.Verify(Encoding.ASCII.GetBytes(token), Secret);

    private static string Make(string header, string claims)
    {
        string signed = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}";
        byte[] signature = HMACSHA256.HashData(Secret, Encoding.ASCII.GetBytes(signed));
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }
}
