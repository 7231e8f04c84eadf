using System.CommandLine;
using Backupd.Cli.Terminal;

namespace Backupd.Cli;

/// <summary>Options that several verbs share. Each verb takes the groups that mean something to it.</summary>
internal sealed class CommonOptions
{
    private readonly Option<string?> _progress = new("--progress")
    {
        Description = "How to show progress: auto, tty, plain, json or none",
        HelpName = "MODE",
    };

    private readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "No progress and no summary" };
    private readonly Option<bool> _noColor = new("--no-color") { Description = "No colours (as NO_COLOR)" };
    private readonly Option<bool> _json = new("--json") { Description = "The result as one line of JSON" };
    private readonly Option<string?> _config = new("--config") { Description = "Configuration file", HelpName = "FILE" };

    private readonly Option<string?> _address = new("--addr")
    {
        Description = "The daemon, when it is not this machine's: unix:/path, host:port or tls:host:port (or BACKUPD_ADDR)",
        HelpName = "ADDRESS",
    };

    private readonly Option<string?> _fingerprint = new("--fingerprint")
    {
        Description = "Believe only this certificate of the daemon (or BACKUPD_FINGERPRINT)",
        HelpName = "SHA256",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "File with an access token (or BACKUPD_TOKEN_FILE); the Unix socket needs none",
        HelpName = "FILE",
    };

    private readonly Command _owner;

    /// <summary>Options for a verb; none is added yet.</summary>
    internal CommonOptions(Command owner)
    {
        _owner = owner;
        _progress.AcceptOnlyFromAmong("auto", "tty", "plain", "json", "none");
    }

    /// <summary>Adds <c>--progress</c>, <c>--quiet</c> and <c>--no-color</c>.</summary>
    internal CommonOptions WithProgress()
    {
        _owner.Add(_progress);
        _owner.Add(_quiet);
        _owner.Add(_noColor);
        return this;
    }

    internal CommonOptions WithJson()
    {
        _owner.Add(_json);
        return this;
    }

    internal CommonOptions WithConfig()
    {
        _owner.Add(_config);
        return this;
    }

    internal CommonOptions WithDaemon()
    {
        _owner.Add(_fingerprint);
        return WithDaemonButFingerprint();
    }

    /// <summary>For verbs in which <c>--fingerprint</c> is another certificate than the daemon's, which BACKUPD_FINGERPRINT
    /// alone tells then.</summary>
    internal CommonOptions WithDaemonButFingerprint()
    {
        _owner.Add(_config);
        _owner.Add(_address);
        _owner.Add(_tokenFile);
        return this;
    }

    internal bool Json(ParseResult parsed) => parsed.GetValue(_json);

    internal bool Quiet(ParseResult parsed) => parsed.GetValue(_quiet);

    internal bool NoColor(ParseResult parsed) => parsed.GetValue(_noColor);

    internal string? Config(ParseResult parsed) => parsed.GetValue(_config);

    internal string? Address(ParseResult parsed) => parsed.GetValue(_address);

    internal string? Fingerprint(ParseResult parsed) => parsed.GetValue(_fingerprint);

    internal string? TokenFile(ParseResult parsed) => parsed.GetValue(_tokenFile);

    internal ProgressMode Mode(ParseResult parsed, ProgressMode? byDefault = null) => parsed.GetValue(_quiet)
        ? ProgressMode.None
        : parsed.GetValue(_progress) switch
        {
            "tty" => ProgressMode.Tty,
            "plain" => ProgressMode.Plain,
            "json" => ProgressMode.Json,
            "none" => ProgressMode.None,
            "auto" => ScreenInfo.DefaultMode,
            _ => byDefault ?? ScreenInfo.DefaultMode,
        };

    /// <param name="parsed">The command line.</param>
    /// <param name="context">Where to.</param>
    /// <param name="sources">What participants are made from.</param>
    /// <param name="byDefault">The mode without <c>--progress</c>; null for the one that suits the screen.</param>
    internal ProgressDisplay Display(
        ParseResult parsed, CliContext context, IReadOnlyDictionary<string, string> sources,
        ProgressMode? byDefault = null)
    {
        bool noColor = NoColor(parsed);
        return new ProgressDisplay(
            Mode(parsed, byDefault), context.Error, () => ScreenInfo.Shape(noColor), sources, context.Time);
    }
}
