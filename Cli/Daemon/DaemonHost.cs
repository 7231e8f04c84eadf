using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>The daemon, from its start to its end: puts store, engine, server and log together.</summary>
internal sealed class DaemonHost(
    string? file, CliContext context, EventLog log, DaemonSignals signals, SystemdNotices systemd)
{
    // The start, and then reloads one after the other.
    private bool _isScheduling;

    /// <summary>Runs until a signal stops it and everything has ended.</summary>
    /// <exception cref="ConfigurationException">The configuration or the token secret is refused.</exception>
    /// <exception cref="BackupException">The store or an address cannot be had; StoreBusy when another daemon has it.</exception>
    internal async Task RunAsync()
    {
        DaemonConfiguration configuration = DaemonConfiguration.LoadTrusted(file, context.Places);
        // The secret first: it makes the state directory, which nobody else may look into.
        byte[] secret = TokenSecret.ReadOrMake(configuration.TokenSecretFile);
        KnownStores known = new(StateDirectory(configuration));
        BackupStore store = Open(configuration, known);
        using DaemonClaim claim = DaemonClaim.Take(store);
        using BackupSupervisor supervisor = new(
            store, configuration.Participants, Settings(configuration), context.Time);
        EngineJournal journal = new(log);
        WarnOfSecrets(configuration);
        await using Notifier notifier = new(new NotifySender($"backupd {context.Version}", context.Time), log, context.Time);
        notifier.Reconfigure(configuration.Notify);
        supervisor.RunEnded += journal.Tell;
        supervisor.RunEnded += end => notifier.Tell(Notice.Of(end.Run));
        supervisor.RestoreEnded += journal.Tell;
        supervisor.History.Trouble += journal.TellTrouble;
        using Scheduler scheduler = new(supervisor, context.Time, journal.Tell);
        using OverdueWatch overdue = new(supervisor.History, configuration.OverdueRule, context.Time, scheduler);
        overdue.Overdue += journal.Tell;
        overdue.Overdue += late => TellOverdue(late, notifier);
        Vault? vault = OpenVault(configuration, known, journal);
        ControlServerOptions options = Options(configuration, secret) with
        {
            NextRunAtUnix = () => scheduler.NextRunAtUnix,
            Overdue = overdue,
            Vault = vault,
        };
        await using ControlServer server = new(options, supervisor, log, context.Time);
        // First, so that whoever connects at once finds a run that was interrupted where it belongs.
        Recover(supervisor);
        server.Start();
        Schedule(scheduler, configuration);
        Announce(configuration, server);
        // Who is told of the start does not wait for this: a store may have years of runs.
        supervisor.History.Start();
        overdue.Start();
        string Status(DaemonConfiguration current) =>
            StatusNotices.Text(supervisor.Progress.Current.Pushed, current, context.Time);
        systemd.Ready(Status(configuration));
        DaemonParts parts = new()
        {
            Supervisor = supervisor, Scheduler = scheduler, Overdue = overdue,
            Server = server, Notifier = notifier, Vault = vault,
        };
        DaemonReload reload = new(configuration, context, log, signals, systemd)
        {
            Apply = next => Apply(next, parts),
            RevokeAlso = server.RevokeAlso,
            Status = Status,
        };
        await ServeAsync(supervisor, server, configuration, reload);
        // No schedule may come while the last run is waited for. What it has started goes on.
        await Task.Run(scheduler.Dispose);
        DaemonShutdown shutdown = new(supervisor, server, log, systemd, context.Time);
        await shutdown.RunAsync(reload.Current, signals.StoppedAtOnce);
    }

    private async Task ServeAsync(
        BackupSupervisor supervisor, ControlServer server, DaemonConfiguration configuration, DaemonReload reload)
    {
        using CancellationTokenSource ending = new();
        DaemonProbe probe = new(configuration.Socket, server.TcpEndPoint);
        Task[] loops =
        [
            new Watchdog(systemd, probe, log, context.Time).RunAsync(ending.Token),
            new StatusNotices(systemd, supervisor.Progress, () => reload.Current, context.Time).RunAsync(ending.Token),
            reload.RunAsync(ending.Token),
        ];
        // An accept loop that ended unasked: better no daemon than one that nobody can reach. The same holds for a loop
        // that would leave a signal or the service manager without an answer.
        Task first = await Task.WhenAny([server.Completion, signals.Stopped, .. loops]);
        await ending.CancelAsync();
        await first;
        await Task.WhenAll(loops);
    }

    private EngineSettings Settings(DaemonConfiguration configuration) =>
        configuration.ToSettings(context.Version) with { IsBackground = true };

    private ControlServerOptions Options(DaemonConfiguration configuration, byte[] secret) => new()
    {
        SocketPath = configuration.Socket.Length > 0 ? configuration.Socket : null,
        SocketGroup = configuration.Group,
        Tcp = configuration.Tcp,
        Certificate = Certificate(configuration),
        AllowPlaintext = configuration.AllowPlaintext,
        Hosts = configuration.Hosts,
        Envelope = configuration.IsEnvelopeWrapped ? ReplyEnvelope.Wrapped : ReplyEnvelope.Flat,
        MaxConnections = configuration.MaxConnections,
        RevokedTokens = new RevokedTokens(configuration.RevokedTokensFile).Read(),
        TokenSecret = secret,
        Version = context.Version,
    };

    // Where the daemon keeps what is neither in its store nor in its configuration.
    private string StateDirectory(DaemonConfiguration configuration) =>
        !CredentialFile.IsCredential(configuration.TokenSecretFile)
            ? Path.GetDirectoryName(configuration.TokenSecretFile)!
            : Environment.GetEnvironmentVariable("STATE_DIRECTORY") is { Length: > 0 } given
                ? given.Split(':')[0]
                : context.Places.State;

    private BackupStore Open(DaemonConfiguration configuration, KnownStores known)
    {
        known.Demand(configuration.Store, []);
        BackupStore store = BackupStore.OpenOrCreate(configuration.Store);
        try
        {
            known.Remember(store);
        }
        catch (BackupException e)
        {
            // What is stored must be within reach, also when the disk of the state is full.
            log.Warning(e.Message);
        }
        return store;
    }

    private Vault? OpenVault(DaemonConfiguration configuration, KnownStores known, EngineJournal journal)
    {
        if (Access(configuration) is not VaultAccess access)
        {
            return null;
        }
        VaultSettings settings = access.Settings;
        foreach (VaultLogin login in settings.Logins)
        {
            WarnOfDisk(settings.DirectoryOf(login), known);
        }
        Vault vault = new(access, $"backupd {context.Version}", known, context.Time);
        vault.Noticed += journal.Tell;
        return vault;
    }

    // No reason not to back up this machine. Who wants to send something is refused until the store is there.
    private void WarnOfDisk(string directory, KnownStores known)
    {
        try
        {
            known.Demand(directory, []);
        }
        catch (BackupException e)
        {
            log.Warning($"the vault takes no runs for {Path.GetFileName(directory)}: {e.Message}");
        }
    }

    private static VaultAccess? Access(DaemonConfiguration configuration) =>
        configuration.Vault is VaultSettings vault ? new VaultAccess(vault, VaultPasswords.Read(vault)) : null;

    private TlsIdentity? Certificate(DaemonConfiguration configuration) => configuration.Tcp is null
        ? null
        : ServerCertificate.Load(configuration.Tls, context.Places.TlsCertificate, log, context.Time);

    // What can change while the daemon runs. DaemonReload names what cannot.
    private void Apply(DaemonConfiguration next, DaemonParts parts)
    {
        TlsIdentity? certificate;
        string[] revoked;
        VaultAccess? access;
        try
        {
            StartCheck.Demand(next, log);
            certificate = Certificate(next);
            revoked = new RevokedTokens(next.RevokedTokensFile).Read();
            access = Access(next);
        }
        catch (BackupException e)
        {
            throw new ConfigurationException(e.Message);
        }
        // Nothing can be refused from here on.
        if (certificate is not null && parts.Server.CertificateFingerprint is not null)
        {
            parts.Server.UseCertificate(certificate);
        }
        parts.Server.RevokeTokens(revoked);
        if (access is not null)
        {
            parts.Vault?.Reconfigure(access);
        }
        parts.Notifier.Reconfigure(next.Notify);
        parts.Supervisor.Reconfigure(next.Participants, Settings(next));
        parts.Overdue.Reconfigure(next.OverdueRule);
        if (_isScheduling)
        {
            parts.Scheduler.Reconfigure(next.Schedules);
        }
        else
        {
            Schedule(parts.Scheduler, next);
        }
    }

    // Better a daemon that cannot tell everybody than none. The secrets are read whenever somebody is told.
    private void WarnOfSecrets(DaemonConfiguration configuration)
    {
        try
        {
            NotifySecrets.Check(configuration.Notify);
        }
        catch (ConfigurationException e)
        {
            log.Warning($"not everybody in \"notify\" can be told: {e.Message}");
        }
    }

    // That they are late no more is told by the run that ended it.
    private void TellOverdue(OverdueNotice late, Notifier notifier)
    {
        if (late.IsOverdue)
        {
            long now = context.Time.GetUtcNow().ToUnixTimeSeconds();
            notifier.Tell(Notice.Overdue(Environment.MachineName, late.LastGoodAtUnix, now));
        }
    }

    private void Schedule(Scheduler scheduler, DaemonConfiguration configuration)
    {
        try
        {
            scheduler.Start(configuration.Schedules);
            _isScheduling = true;
        }
        catch (BackupException e)
        {
            // Better a daemon without schedules than none: what is stored must be within reach.
            log.Error($"{e.Message}; until the configuration is read again (SIGHUP) no backup begins by itself");
        }
    }

    private void Recover(BackupSupervisor supervisor)
    {
        try
        {
            ImmutableArray<RunId> runs = supervisor.Recover(out ImmutableArray<RunId> restores);
            foreach (RunId id in runs)
            {
                log.Warning(
                    $"run {id} was interrupted; its record is in failed, earlier runs are untouched", id.ToString());
            }
            foreach (RunId id in restores)
            {
                log.Warning($"restore {id} was {supervisor.Restores.Get(id).ErrorSummary}", id.ToString());
            }
        }
        catch (BackupException e)
        {
            // A full disk stops backups and nothing else: a daemon that does not start could not give anything back either.
            log.Warning($"what an interrupted run left could not be moved to failed; the next backup tries again: {e.Message}");
        }
    }

    private void Announce(DaemonConfiguration configuration, ControlServer server)
    {
        List<string> addresses = [];
        if (configuration.Socket.Length > 0)
        {
            addresses.Add($"unix:{configuration.Socket}");
        }
        if (server.TcpEndPoint is not null)
        {
            addresses.Add(server.TcpEndPoint.ToString());
        }
        string participants = Units.Count(configuration.Participants.Length, "participant");
        log.Info(
            $"backupd {context.Version} ready on {string.Join(" and ", addresses)}; store {configuration.Store}; {participants}");
        if (configuration.Vault is VaultSettings vault)
        {
            log.Info($"keeps the runs of {Units.Count(vault.Logins.Length, "login")} in {vault.Path}");
        }
        else if (configuration.Participants.IsEmpty)
        {
            string path = configuration.File.Length > 0 ? configuration.File : context.Places.Config;
            log.Info(
                $"nothing is backed up yet: name it in {path} and start again, for example: "
                + $"{{ \"store\": \"{configuration.Store}\", \"participants\": {{ \"etc\": {{ \"directory\": \"/etc\" }} }} }}");
        }
    }
}
