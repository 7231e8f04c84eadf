using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Backupd.Protocol.Server;

/// <summary>What a valid access token says: the claims of a JWT signed with HS256 (RFC 7519, RFC 7515).</summary>
/// <param name="Id">Who.</param>
/// <param name="Role">May do what.</param>
/// <param name="ExpiresAtUnix">Not valid at or after this Unix second.</param>
/// <param name="Name">For logs; "" when absent.</param>
/// <param name="Jti">The token's own id; "" when absent.</param>
public sealed record AccessToken(int Id, SessionRole Role, long ExpiresAtUnix, string Name, string Jti)
{
    /// <summary>The fewest bytes of a key: as long as the hash, RFC 7518, 3.2.</summary>
    public const int MinSecretBytes = 32;

    // Base64url without padding (RFC 7515, 2) and the dots. The decoder would skip white space and take padding, and
    // one token would have many spellings.
    private static readonly SearchValues<byte> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."u8);

    // Two claims of one name: who checked the first may have meant something else than who takes the last.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Signs a token.</summary>
    /// <param name="secret">The key, at least <see cref="MinSecretBytes"/> bytes.</param>
    public string Sign(ReadOnlySpan<byte> secret)
    {
        string header = Base64Url.EncodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"u8);
        string signed = $"{header}.{Base64Url.EncodeToString(Claims())}";
        byte[] signature = HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(signed));
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    /// <summary>Checks the signature and reads the claims; the time is the caller's to check. Null for everything that
    /// is not a well-formed token of ours.</summary>
    public static AccessToken? Verify(ReadOnlySpan<byte> token, ReadOnlySpan<byte> secret)
    {
        int first = token.IndexOf((byte)'.');
        int last = token.LastIndexOf((byte)'.');
        if (first <= 0 || last <= first || token.ContainsAnyExcept(Alphabet))
        {
            return null;
        }
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, token[..last], expected);
        try
        {
            byte[] signature = Base64Url.DecodeFromUtf8(token[(last + 1)..]);
            // Constant time, and before anything that the token says is looked at.
            return CryptographicOperations.FixedTimeEquals(signature, expected)
                && HasAlgorithm(Base64Url.DecodeFromUtf8(token[..first]))
                ? ReadClaims(Base64Url.DecodeFromUtf8(token[(first + 1)..last]))
                : null;
        }
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException)
        {
            // Whatever is wrong with a token, its sender is told the same.
            return null;
        }
    }

    private byte[] Claims()
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", Id);
            writer.WriteNumber("role", (int)Role);
            writer.WriteNumber("exp", ExpiresAtUnix);
            if (Name.Length > 0)
            {
                writer.WriteString("name", Name);
            }
            if (Jti.Length > 0)
            {
                writer.WriteString("jti", Jti);
            }
            writer.WriteEndObject();
        }
        return json.ToArray();
    }

    private static bool HasAlgorithm(byte[] header)
    {
        using JsonDocument json = JsonDocument.Parse(header, Strict);
        // What is marked as critical must be understood (RFC 7515, 4.1.11), and nothing of that is.
        return json.RootElement.TryGetProperty("alg", out JsonElement algorithm) && algorithm.ValueEquals("HS256"u8)
            && !json.RootElement.TryGetProperty("crit", out _);
    }

    private static AccessToken? ReadClaims(byte[] payload)
    {
        using JsonDocument json = JsonDocument.Parse(payload, Strict);
        JsonElement claims = json.RootElement;
        if (!claims.TryGetProperty("id", out JsonElement id) || !id.TryGetInt32(out int who)
            || !claims.TryGetProperty("role", out JsonElement role) || !role.TryGetInt32(out int number)
            || !claims.TryGetProperty("exp", out JsonElement expires) || !expires.TryGetInt64(out long until)
            || !Enum.IsDefined((SessionRole)number))
        {
            return null;
        }
        return new AccessToken(who, (SessionRole)number, until, Text(claims, "name"), Text(claims, "jti"));
    }

    private static string Text(JsonElement claims, string member) =>
        claims.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    /// <summary>For logs: who, never the token.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"id {Id}, role {Role}{(Name.Length > 0 ? $", {Name}" : "")}");
}
