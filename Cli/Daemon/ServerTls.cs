namespace Backupd.Cli.Daemon;

/// <summary>How the daemon speaks TLS.</summary>
public abstract record ServerTls
{
    /// <summary>With a certificate that the daemon makes for itself, once.</summary>
    public static ServerTls Auto { get; } = new SelfMade();

    /// <summary>Not at all.</summary>
    public static ServerTls Off { get; } = new None();

    /// <summary>With a certificate that somebody else takes care of.</summary>
    /// <param name="Certificate">PEM: the certificate, then those that vouch for it.</param>
    /// <param name="Key">PEM: the private key, without a password.</param>
    public sealed record Files(string Certificate, string Key) : ServerTls;

    internal sealed record SelfMade : ServerTls;

    internal sealed record None : ServerTls;
}
