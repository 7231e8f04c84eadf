namespace Backupd.Protocol.Server;

/// <summary>What a valid access token says.</summary>
/// <param name="Id">Who.</param>
/// <param name="Role">May do what.</param>
/// <param name="ExpiresAtUnix">Not valid at or after this Unix second.</param>
/// <param name="Name">For logs; "" when absent.</param>
/// <param name="Jti">The token's own id; "" when absent.</param>
public sealed record AccessToken(int Id, SessionRole Role, long ExpiresAtUnix, string Name, string Jti)
{
    /// <summary>Signs a token: a JWT with HS256.</summary>
    /// <param name="secret">The key, at least 32 bytes.</param>
    public string Sign(ReadOnlySpan<byte> secret) => throw new NotImplementedException();
}
