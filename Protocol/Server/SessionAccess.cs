namespace Backupd.Protocol.Server;

/// <summary>Who a session's client is and what it may do.</summary>
internal sealed class SessionAccess
{
    private readonly TokenRules _tokens;

    // The last token whose signature was right: clients send the same one with every request.
    private byte[] _knownToken = [];
    private AccessToken? _known;
    private string _knownAs = "";

    // The token that stands for all requests that bring none; null until the client has authorised.
    private AccessToken? _authorized;

    // The last one that was good when it came. Read by the sweep, too.
    private volatile AccessToken? _last;

    /// <param name="tokens">Which tokens are good.</param>
    /// <param name="localUser">The trusted user of a Unix socket; null for everybody else.</param>
    internal SessionAccess(TokenRules tokens, uint? localUser)
    {
        _tokens = tokens;
        IsTrusted = localUser is not null;
        if (localUser is uint uid)
        {
            Role = SessionRole.Admin;
            Who = $"uid {uid}";
        }
    }

    /// <summary>The kernel vouches for the client; no token is needed.</summary>
    internal bool IsTrusted { get; }

    /// <summary>Whether the last token that was good is so no more. Safe from any thread.</summary>
    internal bool IsOver => _last is AccessToken last && !_tokens.IsGood(last);

    /// <summary>The role of the last admitted request.</summary>
    internal SessionRole Role { get; private set; }

    /// <summary>For logs.</summary>
    internal string Who { get; private set; } = "";

    /// <summary>Tokens that were not good.</summary>
    internal int BadTokens { get; private set; }

    /// <summary>Whether a request with this token is admitted.</summary>
    internal bool Admits(ReadOnlySpan<byte> token)
    {
        if (IsTrusted)
        {
            return true;
        }
        AccessToken? claims = token.IsEmpty && _authorized is not null ? _authorized : Read(token);
        // At each message: a connection outlives the token it began with.
        if (claims is null || !_tokens.IsGood(claims))
        {
            BadTokens++;
            return false;
        }
        _last = claims;
        Role = claims.Role;
        Who = ReferenceEquals(claims, _known) ? _knownAs : claims.ToString();
        return true;
    }

    /// <summary>Takes a token for all requests of this session that bring none. False when it is not good.</summary>
    internal bool Authorize(ReadOnlySpan<byte> token)
    {
        AccessToken? claims = Read(token);
        if (claims is null || !_tokens.IsGood(claims))
        {
            BadTokens++;
            return false;
        }
        _authorized = claims;
        _last = claims;
        return true;
    }

    private AccessToken? Read(ReadOnlySpan<byte> token)
    {
        if (_known is not null && token.SequenceEqual(_knownToken))
        {
            return _known;
        }
        AccessToken? claims = _tokens.Read(token);
        if (claims is not null)
        {
            _known = claims;
            _knownToken = token.ToArray();
            _knownAs = claims.ToString();
        }
        return claims;
    }
}
