using System.Collections.Frozen;

namespace Backupd.Protocol.Server;

/// <summary>Which access tokens are good. Safe from any thread.</summary>
internal sealed class TokenRules
{
    private readonly ReadOnlyMemory<byte> _secret;
    private readonly TimeProvider _time;
    private volatile FrozenSet<string> _revoked;

    /// <param name="secret">The key of tokens.</param>
    /// <param name="revoked">The ids (<c>jti</c>) that are good no more.</param>
    /// <param name="time">The clock that tokens expire by.</param>
    internal TokenRules(ReadOnlyMemory<byte> secret, IEnumerable<string> revoked, TimeProvider time)
    {
        _secret = secret;
        _revoked = revoked.ToFrozenSet(StringComparer.Ordinal);
        _time = time;
    }

    /// <summary>Puts another set of revoked ids in place of the one before; holds from the next message on.</summary>
    internal void Revoke(IEnumerable<string> ids) => _revoked = ids.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Adds to that set. Not at the same time as another change of it.</summary>
    internal void RevokeAlso(IEnumerable<string> ids) => _revoked = _revoked.Union(ids).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The claims of a token with a right signature, whether it has expired or not; null for every other.</summary>
    internal AccessToken? Read(ReadOnlySpan<byte> token) => AccessToken.Verify(token, _secret.Span);

    /// <summary>Whether a token whose signature was right is good now. No leeway.</summary>
    internal bool IsGood(AccessToken token) =>
        token.ExpiresAtUnix > _time.GetUtcNow().ToUnixTimeSeconds() && !(token.Jti.Length > 0 && _revoked.Contains(token.Jti));
}
