using System.CommandLine;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>A restore in place that the daemon does.</summary>
internal sealed class RestoreInDaemon
{
    private readonly RestoreInPlaceRequest _request;
    private readonly DaemonResolver _resolver;
    private readonly DaemonClient _daemon;
    private readonly CommonOptions _options;
    private readonly ParseResult _parsed;
    private readonly CliContext _context;

    internal RestoreInDaemon(
        RestoreInPlaceRequest request, DaemonResolver resolver, DaemonClient daemon, CommonOptions options,
        ParseResult parsed, CliContext context)
    {
        _request = request;
        _resolver = resolver;
        _daemon = daemon;
        _options = options;
        _parsed = parsed;
        _context = context;
    }

    internal async Task<int> RunAsync()
    {
        RunObject run = await UndoneRestore.FindAsync(_request, _daemon, CancellationToken.None);
        RestoreSubject subject = RestoreSubject.Of(run, _request.Participants);
        await RefuseOutsideMaintenanceAsync();
        GetBackupParticipantsReply configured = await _daemon.RequestAsync(
            "GetBackupParticipants", "{}", WireJson.Default.GetBackupParticipantsReply, CancellationToken.None);
        DaemonConfiguration? known = Configuration();
        RestoreQuestion question = new(
            _request, subject, configured.Rows.ToDictionary(r => r.Name, r => r.Kind), known?.Participants ?? []);
        if (!await question.IsAnsweredYesAsync(_context))
        {
            return (int)ExitCode.Cancelled;
        }
        using Interrupts interrupts = new();
        using RunFollower follower = await RunFollower.SubscribeAsync(_resolver, interrupts.Token);
        StartedOperation started = await StartedOperation.StartAsync(
            "restore", "StartRestoreRun", _request.ForWire(run.RunId, subject.Names), _daemon, follower, interrupts.Token);
        if (_request.IsDetached)
        {
            return await started.DetachAsync(_options, _parsed, _context);
        }
        ProgressDisplay display = _options.Display(
            _parsed, _context, follower.Sources, RestoreReporter.Mode(_request, _options, _parsed));
        string? line = await started.FollowAsync(display, interrupts, _resolver, _context);
        if (line is null)
        {
            return (int)ExitCode.Cancelled;
        }
        if (StartedOperation.IsError(line))
        {
            await RestoreReporter.WriteRefusedAsync(line, _options, _parsed, _context);
            ThrowError(line);
        }
        RestoreObject restore = JsonSerializer.Deserialize(line, WireJson.Default.RestoreObject)!;
        RestoreSummary summary = new(_request, restore, store: "", subject.LeftOut)
        {
            DaemonStore = known?.Store ?? "",
        };
        return await RestoreReporter.WriteAsync(summary, line, _request, _options, _parsed, _context);
    }

    private static void ThrowError(string line)
    {
        try
        {
            DaemonClient.ThrowIfError(line);
        }
        catch (ErrorReplyException e) when (e.Symbol == "INVALID_DATA" && StartedOperation.HasBegun(line))
        {
            // The wire has one word for data that is wrong and for patterns that match nothing. Only the latter are found out
            // when the restore has begun.
            throw new BackupException(BackupFault.NothingMatches, e.Message, e.Detail, e);
        }
    }

    // Before the question: nobody likes to think about an answer in vain.
    private async Task RefuseOutsideMaintenanceAsync()
    {
        if (_request.IsDryRun || _request.IsForced)
        {
            return;
        }
        GetServerInfoReply daemon = await _daemon.RequestAsync(
            "GetServerInfo", "{}", WireJson.Default.GetServerInfoReply, CancellationToken.None);
        if (!daemon.Maintenance)
        {
            throw new BackupException(
                BackupFault.MaintenanceRequired,
                "the daemon restores in place in maintenance mode only, so that nobody counts on what is being changed",
                "switch it on first, with backupd maintenance on, or go on without it, with --force");
        }
    }

    // Where the participants belong is not for the wire to tell. The daemon of this machine has the configuration by which
    // it was found; of any other one only names and kinds are known.
    private DaemonConfiguration? Configuration() => _resolver.IsNamed
        ? null
        : DaemonConfiguration.Load(_options.Config(_parsed), _context.Places);
}
