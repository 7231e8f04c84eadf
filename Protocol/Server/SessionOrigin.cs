namespace Backupd.Protocol.Server;

/// <summary>Where a session comes from, and what that allows.</summary>
/// <param name="IsLocal">Over the Unix socket.</param>
/// <param name="LocalUser">The trusted user at the other end of a Unix socket; null for everybody else.</param>
/// <param name="Tls">What TLS is spoken with; null where it is not spoken.</param>
/// <param name="TakesPlain">Whether bytes without TLS are taken.</param>
internal readonly record struct SessionOrigin(
    bool IsLocal, uint? LocalUser, TlsIdentity? Tls, bool TakesPlain);
