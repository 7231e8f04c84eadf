using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd restore</c> without <c>--to</c>: by the daemon when its store is meant and it is there, else by this
/// process.</summary>
internal sealed class RestoreInPlace
{
    // A restore takes as long as it takes; a configuration may say otherwise.
    private static readonly TimeSpan NoHurry = TimeSpan.FromDays(30);

    private readonly RestoreInPlaceRequest _request;
    private readonly CommonOptions _options;
    private readonly ParseResult _parsed;
    private readonly CliContext _context;

    internal RestoreInPlace(
        RestoreInPlaceRequest request, CommonOptions options, ParseResult parsed, CliContext context)
    {
        _request = request;
        _options = options;
        _parsed = parsed;
        _context = context;
    }

    internal async Task<int> RunAsync()
    {
        _request.RefuseUnattended(_context);
        if (!_request.NamesStore)
        {
            // What names nothing is refused without asking anybody.
            RunLocator.IdOrLatest(_request.Where);
            DaemonResolver resolver = new(_options, _parsed, _context);
            using DaemonClient? daemon = await ConnectAsync(resolver);
            if (daemon is not null)
            {
                return await new RestoreInDaemon(_request, resolver, daemon, _options, _parsed, _context).RunAsync();
            }
        }
        else if (_request.IsDetached || _options.Address(_parsed) is not null)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{_request.Where} is restored by this process: --detach and --addr are for a run of the daemon's store, "
                + "named by its id or latest");
        }
        return await HereAsync();
    }

    private async Task<DaemonClient?> ConnectAsync(DaemonResolver resolver)
    {
        try
        {
            return await resolver.ConnectAsync(CancellationToken.None);
        }
        catch (NoDaemonException) when (!resolver.IsNamed && !_request.IsDetached)
        {
            // Without a daemon a restore may be wanted most: its configuration says all that it takes.
            return null;
        }
    }

    private async Task<int> HereAsync()
    {
        DaemonConfiguration configuration = DaemonConfiguration.Load(_options.Config(_parsed), _context.Places);
        RunLocator found = UndoneRestore.Find(_request, _options.Config(_parsed), _context.Places);
        BackupRun run = new RunCatalog(found.Store).Get(found.Run);
        RestoreSubject subject = RestoreSubject.Of(RunObject.From(run), _request.Participants);
        bool isConfigured = found.Store.Directory == Path.GetFullPath(configuration.Store).TrimEnd('/');
        ImmutableArray<ParticipantDefinition> participants = isConfigured
            ? configuration.Participants
            : new RecordedParticipants(found.Store).Of(run, [.. subject.Chosen.Select(p => p.Name)]);
        RestoreQuestion question = new(_request, subject, new Dictionary<string, string>(), participants);
        if (!await question.IsAnsweredYesAsync(_context))
        {
            return (int)ExitCode.Cancelled;
        }
        using Interrupts interrupts = new();
        EngineSettings settings = isConfigured
            ? configuration.ToSettings(_context.Version)
            : new EngineSettings { Version = _context.Version, Timeout = NoHurry };
        using BackupSupervisor supervisor = new(found.Store, participants, settings, _context.Time);
        StartedRestore started = supervisor.StartRestore(_request.ForEngine(found.Run, subject.Names));
        using CancellationTokenRegistration stop = interrupts.Token.Register(() => supervisor.Cancel());
        ProgressDisplay display = _options.Display(
            _parsed, _context, participants.ToDictionary(p => p.Name, p => p.Source),
            RestoreReporter.Mode(_request, _options, _parsed));
        RestoreEnd end = await LocalProgress.FollowAsync(supervisor.Progress, started.Completion, display);
        RestoreObject restore = RestoreObject.From(end.Restore);
        string line = JsonSerializer.Serialize(restore, WireJson.Default.RestoreObject);
        if (end.Refusal is not null)
        {
            await RestoreReporter.WriteRefusedAsync(line, _options, _parsed, _context);
            throw end.Refusal;
        }
        RestoreSummary summary = new(
            _request, restore, _request.NamesStore ? found.Store.Directory + "/" : "", subject.LeftOut);
        return await RestoreReporter.WriteAsync(summary, line, _request, _options, _parsed, _context);
    }
}
