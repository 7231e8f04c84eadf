using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd serve</c>: the daemon, in the foreground.</summary>
internal static class ServeVerb
{
    private const string Description = """
        Run the daemon in the foreground, until SIGTERM or Ctrl-C.

        Without a configuration file it serves an embedded default: a store in the state directory, the Unix socket and
        127.0.0.1:8620, no participants. See backupd config keys.
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("serve", Description);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction((parsed, _) =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.Load(options.Config(parsed), context.Places);
            return RunAsync(configuration, context);
        });
        return command;
    }

    private static async Task<int> RunAsync(DaemonConfiguration configuration, CliContext context)
    {
        using Interrupts interrupts = new();
        EventLog log = new(context.Error);
        // The secret first: it makes the state directory, which nobody else may look into.
        byte[] secret = TokenSecret.ReadOrMake(configuration.TokenSecretFile);
        BackupStore store = BackupStore.OpenOrCreate(configuration.Store);
        EngineSettings settings = new()
        {
            Timeout = configuration.Timeout,
            ValidateCold = configuration.ValidateCold,
            Version = context.Version,
        };
        using BackupSupervisor supervisor = new(store, configuration.Participants, settings, context.Time);
        ControlServerOptions serverOptions = new()
        {
            SocketPath = configuration.Socket.Length > 0 ? configuration.Socket : null,
            SocketGroup = configuration.Group,
            Tcp = configuration.Tcp,
            TokenSecret = secret,
            Version = context.Version,
        };
        await using ControlServer server = new(serverOptions, supervisor, log, context.Time);
        // First, so that whoever connects at once finds a run that was interrupted where it belongs.
        Recover(supervisor, log);
        server.Start();
        Announce(configuration, server, log, context);
        await Task.WhenAny(server.Completion, Signalled(interrupts.Token));
        if (server.Completion.IsFaulted)
        {
            // An accept loop that ended unasked: better no daemon than one that nobody can reach.
            await server.Completion;
        }
        log.Info("stopping");
        // The active run first: the sessions that wait for it are still owed their answer.
        await Task.Run(supervisor.Dispose);
        await server.StopAsync();
        log.Info("stopped");
        return (int)ExitCode.Ok;
    }

    private static void Recover(BackupSupervisor supervisor, EventLog log)
    {
        try
        {
            foreach (RunId id in supervisor.Recover())
            {
                log.Warning($"run {id} was interrupted; its record is in failed, earlier runs are untouched");
            }
        }
        catch (BackupException e)
        {
            // A full disk stops backups and nothing else: a daemon that does not start could not give anything back either.
            log.Warning($"what an interrupted run left could not be moved to failed; the next backup tries again: {e.Message}");
        }
    }

    private static void Announce(
        DaemonConfiguration configuration, ControlServer server, EventLog log, CliContext context)
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
        string participants = Terminal.Units.Count(configuration.Participants.Length, "participant");
        log.Info(
            $"backupd {context.Version} ready on {string.Join(" and ", addresses)}; store {configuration.Store}; {participants}");
        if (configuration.Participants.IsEmpty)
        {
            string file = configuration.File.Length > 0 ? configuration.File : context.Places.Config;
            log.Info(
                $"nothing is backed up yet: name it in {file} and start again, for example: "
                + $"{{ \"store\": \"{configuration.Store}\", \"participants\": {{ \"etc\": {{ \"directory\": \"/etc\" }} }} }}");
        }
    }

    private static Task Signalled(CancellationToken token)
    {
        TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(() => source.TrySetResult());
        return source.Task;
    }
}
