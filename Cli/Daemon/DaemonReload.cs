using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Reads the configuration again when a signal asks for it. A file that is refused changes nothing.</summary>
internal sealed class DaemonReload
{
    // A running daemon cannot change these: it holds what they name.
    private static readonly (string Key, Func<DaemonConfiguration, string> Value)[] FixedKeys =
    [
        ("store", c => c.Store),
        ("vault.path", c => c.Vault?.Path ?? ""),
        ("listen.socket", c => c.Socket),
        ("listen.group", c => c.Group),
        ("listen.tcp", c => c.Tcp?.ToString() ?? ""),
        ("listen.tls", c => c.Tls.Mode == TlsMode.Off ? "off" : "on"),
        ("listen.allowPlaintext", c => $"{c.AllowPlaintext}"),
        ("listen.maxConnections", c => $"{c.MaxConnections}"),
        ("listen.hosts", c => string.Join(' ', c.Hosts)),
        ("listen.envelope", c => $"{c.IsEnvelopeWrapped}"),
        ("listen.tokenSecretFile", c => c.TokenSecretFile),
    ];

    // Constant after construction.
    private readonly DaemonConfiguration _started;
    private readonly CliContext _context;
    private readonly EventLog _log;
    private readonly DaemonSignals _signals;
    private readonly SystemdNotices _systemd;

    /// <param name="started">The configuration that the daemon was started with.</param>
    /// <param name="context">Where files are looked for.</param>
    /// <param name="log">Where the outcome is told.</param>
    /// <param name="signals">Who asks.</param>
    /// <param name="systemd">Who is told meanwhile.</param>
    internal DaemonReload(
        DaemonConfiguration started, CliContext context, EventLog log, DaemonSignals signals, SystemdNotices systemd)
    {
        _started = started;
        _context = context;
        _log = log;
        _signals = signals;
        _systemd = systemd;
        Current = started;
    }

    /// <summary>Gives a new configuration to those who work with it. It may refuse it, before it has changed anything, with a
    /// <see cref="ConfigurationException"/>.</summary>
    internal required Action<DaemonConfiguration> Apply { get; init; }

    /// <summary>Refuses tokens with these ids, besides those that are refused already.</summary>
    internal required Action<IReadOnlyCollection<string>> RevokeAlso { get; init; }

    /// <summary>The daemon in one line.</summary>
    internal required Func<DaemonConfiguration, string> Status { get; init; }

    /// <summary>The configuration that was taken last.</summary>
    internal DaemonConfiguration Current { get; private set; }

    /// <summary>Waits for requests until it is cancelled.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await _signals.NextReloadAsync(stop);
                await Task.Run(Reload, CancellationToken.None);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private void Reload()
    {
        _systemd.Reloading();
        DaemonConfiguration? next = null;
        try
        {
            next = DaemonConfiguration.LoadTrusted(PathOfFile(), _context.Places);
            Take(next);
        }
        catch (ConfigurationException e)
        {
            _log.ErrorLines($"the configuration was not taken and the old one holds: {e.Message}");
            RevokeAllTheSame(next);
        }
        _systemd.Ready(Status(Current));
    }

    // Who has revoked a token and reloads wants it refused, whatever else of the file is not taken: by the list that holds and
    // by the one that the refused file names. None is good again by this.
    private void RevokeAllTheSame(DaemonConfiguration? refused)
    {
        foreach (string file in new HashSet<string> { Current.RevokedTokensFile, (refused ?? Current).RevokedTokensFile })
        {
            try
            {
                string[] ids = new RevokedTokens(file).Read();
                RevokeAlso(ids);
                _log.Info($"revoked tokens are refused all the same: {Units.Count(ids.Length, "token")} in {file}");
            }
            catch (BackupException e)
            {
                _log.Error($"tokens that were revoked since are still good: {e.Message}");
            }
        }
    }

    // The file that was read at the start must still be there: without it a daemon would go on with nothing to back up.
    private string? PathOfFile() => _started.File.Length > 0 ? _started.File : null;

    private void Take(DaemonConfiguration next)
    {
        Apply(next);
        Current = next;
        _log.Info(
            $"the configuration was read again: {Units.Count(next.Participants.Length, "participant")}, "
            + Units.Count(next.Schedules.Length, "schedule"));
        foreach ((string key, Func<DaemonConfiguration, string> value) in FixedKeys)
        {
            if (value(next) != value(_started))
            {
                _log.Warning($"{key} has changed; it takes effect at the next start");
            }
        }
    }
}
