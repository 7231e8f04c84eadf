namespace Backupd.Protocol.Server;

/// <summary>Who a session's client is and what it may do.</summary>
internal sealed class SessionAccess
{
    private readonly ReadOnlyMemory<byte> _secret;
    private readonly TimeProvider _time;

    // The last token whose signature was right: clients send the same one with every request.
    private byte[] _knownToken = [];
    private AccessToken? _known;
    private string _knownAs = "";

    /// <param name="secret">The key of tokens.</param>
    /// <param name="time">The clock that tokens expire by.</param>
    /// <param name="localUser">The trusted user of a Unix socket; null for everybody else.</param>
    internal SessionAccess(ReadOnlyMemory<byte> secret, TimeProvider time, uint? localUser)
    {
        _secret = secret;
        _time = time;
        IsTrusted = localUser is not null;
        if (localUser is uint uid)
        {
            Role = SessionRole.Admin;
            Who = $"uid {uid}";
            IsAuthenticated = true;
        }
    }

    /// <summary>The kernel vouches for the client; no token is needed.</summary>
    internal bool IsTrusted { get; }

    /// <summary>It has shown a valid token once, or is trusted.</summary>
    internal bool IsAuthenticated { get; private set; }

    /// <summary>The role of the last admitted request.</summary>
    internal SessionRole Role { get; private set; }

    /// <summary>For logs.</summary>
    internal string Who { get; private set; } = "";

    /// <summary>Requests that were not admitted.</summary>
    internal int BadTokens { get; private set; }

    /// <summary>Whether a request with this token is admitted.</summary>
    internal bool Admits(ReadOnlySpan<byte> token)
    {
        if (IsTrusted)
        {
            return true;
        }
        if (_known is null || !token.SequenceEqual(_knownToken))
        {
            AccessToken? read = AccessToken.Verify(token, _secret.Span);
            if (read is null)
            {
                BadTokens++;
                return false;
            }
            _known = read;
            _knownToken = token.ToArray();
            _knownAs = read.ToString();
        }
        // At each message: a connection outlives the token it began with. No leeway.
        if (_known.ExpiresAtUnix <= _time.GetUtcNow().ToUnixTimeSeconds())
        {
            BadTokens++;
            return false;
        }
        Role = _known.Role;
        Who = _knownAs;
        IsAuthenticated = true;
        return true;
    }
}
