using Backupd.Backup.Native;

namespace Backupd.Cli;

/// <summary>Where things are when nothing says otherwise: system directories for root, the XDG base directories for
/// everybody else.</summary>
public sealed record Places
{
    private const string SocketOfSystem = "/run/backupd/backupd.sock";

    /// <summary>The configuration file.</summary>
    public required string Config { get; init; }

    /// <summary>Store, token secret and other state lie below.</summary>
    public required string State { get; init; }

    /// <summary>The daemon's Unix socket.</summary>
    public required string Socket { get; init; }

    /// <summary>The Unix socket of the system's daemon, which is asked where the user has none; "" for nobody.</summary>
    public string SystemSocket { get; init; } = "";

    /// <summary>Whether these are the system's and not one user's.</summary>
    public bool IsRoot { get; init; }

    /// <summary>The home directory; "" where it is not known or does not matter.</summary>
    public string Home { get; init; } = "";

    /// <summary>The store of a daemon without a configuration.</summary>
    public string Store => Path.Combine(State, "backups");

    /// <summary>The key of access tokens.</summary>
    public string TokenSecret => Path.Combine(State, "token.key");

    /// <summary>The ids of tokens that are refused.</summary>
    public string RevokedTokens => Path.Combine(State, "revoked-tokens");

    /// <summary>The daemon's own certificate, with its key.</summary>
    public string TlsCertificate => Path.Combine(State, "tls.pem");

    /// <summary>The places of this user.</summary>
    public static Places OfUser()
    {
        bool isRoot = Accounts.EffectiveUserId == 0;
        return Of(isRoot, Environment.GetEnvironmentVariable) with { SystemSocket = isRoot ? "" : SocketOfSystem };
    }

    /// <summary>The places, given who asks and what the environment says.</summary>
    /// <remarks>XDG Base Directory Specification, with its fall-backs: ~/.config and ~/.local/state. Without
    /// XDG_RUNTIME_DIR the socket is in the state directory.</remarks>
    public static Places Of(bool isRoot, Func<string, string?> environment)
    {
        if (isRoot)
        {
            return new Places
            {
                Config = "/etc/backupd/backupd.json",
                State = "/var/lib/backupd",
                Socket = SocketOfSystem,
                IsRoot = true,
            };
        }
        string home = environment("HOME") ?? "/";
        string state = Path.Combine(Absolute(environment("XDG_STATE_HOME")) ?? Path.Combine(home, ".local/state"), "backupd");
        return new Places
        {
            Home = environment("HOME") ?? "",
            Config = Path.Combine(
                Absolute(environment("XDG_CONFIG_HOME")) ?? Path.Combine(home, ".config"), "backupd/backupd.json"),
            State = state,
            Socket = Absolute(environment("XDG_RUNTIME_DIR")) is string runtime
                ? Path.Combine(runtime, "backupd/backupd.sock")
                : Path.Combine(state, "backupd.sock"),
        };
    }

    // The specification says that a relative path is to be ignored.
    private static string? Absolute(string? path) => path is { Length: > 0 } && path[0] == '/' ? path : null;
}
