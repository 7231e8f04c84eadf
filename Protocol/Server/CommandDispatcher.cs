using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Protocol.Contracts;
using Backupd.Protocol.Http;

namespace Backupd.Protocol.Server;

/// <summary>
/// Turns requests into replies. Progress and subscriptions answer at once on the socket's thread; everything that
/// touches the disk runs on a worker.
/// </summary>
internal sealed class CommandDispatcher
{
    private readonly BackupSupervisor _supervisor;
    private readonly RestoreCommands _restores;
    private readonly EndpointCommands _endpoints;
    private readonly RemoteCommands _remotes;
    private readonly ProgressFeed _feed;
    private readonly EventLog _log;
    private readonly TimeProvider _time;
    private readonly DaemonFigures _figures;
    private readonly long _startedAt;
    private readonly CancellationToken _stopping;

    internal CommandDispatcher(
        BackupSupervisor supervisor, ProgressFeed feed, EventLog log, DaemonFigures figures, TimeProvider time,
        CancellationToken stopping)
    {
        _supervisor = supervisor;
        _restores = new RestoreCommands(supervisor, log);
        _endpoints = new EndpointCommands(supervisor.Endpoints, log);
        _remotes = new RemoteCommands(supervisor, log, stopping);
        _feed = feed;
        _log = log;
        _figures = figures;
        _time = time;
        _startedAt = time.GetTimestamp();
        _stopping = stopping;
    }

    /// <summary>The reply to a request whose sender may use the command.</summary>
    /// <exception cref="RequestException">The request is refused.</exception>
    internal async ValueTask<byte[]> DispatchAsync(
        WireCommand command, Request request, string who, SessionRole role)
    {
        try
        {
            return command switch
            {
                WireCommand.GetBackupProgress => ReplyWriter.Reply(request, _feed.PolledObject().Span),
                WireCommand.Subscribe => Subscriptions(request, isNamed: true, [ProgressFeed.Channel]),
                WireCommand.SubscribeAll => Subscriptions(request, isNamed: false, [ProgressFeed.Channel]),
                WireCommand.Unsubscribe => Subscriptions(request, isNamed: true, []),
                WireCommand.UnsubscribeAll => Subscriptions(request, isNamed: false, []),
                WireCommand.StartFullBackup => await StartAsync(request, who),
                WireCommand.StopBackupServer => Stop(request, who),
                WireCommand.GetBackupRuns => await Task.Run(() => ListRuns(request)),
                WireCommand.GetBackupRun => await Task.Run(() => GetRun(request)),
                WireCommand.ValidateBackupRun => await AtLengthAsync(() => Validate(request, who)),
                WireCommand.DeleteBackupRun => await Task.Run(() => Delete(request, who)),
                WireCommand.GetBackupParticipants => ListParticipants(request),
                WireCommand.GetServerInfo => ServerInfo(request, role),
                WireCommand.PruneBackupRuns => await AtLengthAsync(() => Prune(request, who)),
                WireCommand.SetMaintenance => await Task.Run(() => SetMaintenance(request, who)),
                WireCommand.StartRestoreRun => await _restores.StartAsync(request, who, role),
                WireCommand.GetRestoreRuns => await Task.Run(() => _restores.List(request)),
                WireCommand.GetRestoreRun => await Task.Run(() => _restores.Get(request)),
                WireCommand.GetBackupConfig => await Task.Run(() => _endpoints.List(request)),
                WireCommand.AddBackupConfig => await Task.Run(() => _endpoints.Add(request, who, role)),
                WireCommand.UpdateBackupConfig => await Task.Run(() => _endpoints.Update(request, who, role)),
                WireCommand.DeleteBackupConfig => await Task.Run(() => _endpoints.Delete(request, who)),
                WireCommand.GetRemoteBackupRuns => await AtLengthAsync(() => _remotes.List(request)),
                WireCommand.ImportRemoteBackupRun => await AtLengthAsync(() => _remotes.Import(request, who)),
                WireCommand.DeleteRemoteBackupRun => await AtLengthAsync(() => _remotes.Delete(request, who)),
                WireCommand.PublishBackupRun => await AtLengthAsync(() => _remotes.Publish(request, who)),
                _ => throw new ArgumentOutOfRangeException(nameof(command)),
            };
        }
        catch (BackupException e)
        {
            ErrorSymbol symbol = ErrorSymbol.Of(e.Fault);
            if (symbol == ErrorSymbol.Internal)
            {
                _log.Error($"{command}: {e.Message}");
            }
            throw new RequestException(symbol, e.Message, e.Detail);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw new RequestException(ErrorSymbol.Shutdown, "backupd is stopping");
        }
    }

    // On a thread of its own: what takes minutes must not keep one of the few of the pool from the sessions.
    private static Task<byte[]> AtLengthAsync(Func<byte[]> work) => Task.Factory.StartNew(
        work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    // The session changes its subscription together with the reply.
    private static byte[] Subscriptions(Request request, bool isNamed, IReadOnlyList<string> afterwards)
    {
        if (isNamed)
        {
            CheckChannels(request);
        }
        return ReplyWriter.Reply(request, new SubscribeReply(true, afterwards), WireJson.Default.SubscribeReply);
    }

    private static void CheckChannels(Request request)
    {
        RequestData data = new(request);
        if (data.Has("channels"))
        {
            // The misspelling is the contract. Taking both would make clients that work here fail elsewhere.
            throw new RequestException(ErrorSymbol.InvalidData, "data.channels is not known: the member is chanels");
        }
        ImmutableArray<string> chanels = data.RequiredTexts("chanels");
        string? unknown = chanels.FirstOrDefault(c => c != ProgressFeed.Channel);
        if (unknown is not null || chanels.IsEmpty)
        {
            throw new RequestException(
                ErrorSymbol.InvalidData,
                chanels.IsEmpty ? "data.chanels is empty" : $"there is no channel {unknown}",
                $"the channel is {ProgressFeed.Channel}");
        }
    }

    private async Task<byte[]> StartAsync(Request request, string who)
    {
        RunRequest asked = ReadRunRequest(request);
        StartedRun started = await Task.Run(() => _supervisor.Start(asked));
        // Its end is told by who composes engine and log: this session may not be there any more.
        _log.Info($"run {started.Id} started by {who}", started.Id.ToString());
        BackupRun run = await started.Completion;
        if (ErrorSymbol.Of(run.Status) is ErrorSymbol symbol)
        {
            throw new RequestException(symbol, run.ErrorSummary, runId: run.Id.ToString());
        }
        return ReplyWriter.Reply(request, RunObject.From(run), WireJson.Default.RunObject);
    }

    private static RunRequest ReadRunRequest(Request request)
    {
        RequestData data = new(request);
        RunTrigger trigger = data.Text("trigger") switch
        {
            null or "manual" => RunTrigger.Manual,
            "pre_update" => RunTrigger.PreUpdate,
            _ => throw new RequestException(
                ErrorSymbol.InvalidData, "data.trigger must be \"manual\" or \"pre_update\""),
        };
        return new RunRequest(trigger, data.Texts("participants") ?? []);
    }

    private byte[] Stop(Request request, string who)
    {
        if (!_supervisor.TryCancel(out RunId? run, out string name))
        {
            throw new RequestException(ErrorSymbol.NotRunning, "no backup is running");
        }
        // A prune has no id, and a validation is not the run that it reads.
        string id = run?.ToString() ?? "";
        _log.Info($"{name} is cancelled by {who}", id);
        return ReplyWriter.Reply(
            request, new StopBackupServerReply(true, id), WireJson.Default.StopBackupServerReply);
    }

    private byte[] ListRuns(Request request)
    {
        RequestData data = new(request);
        bool isWhole = data.Flag("participants");
        ImmutableArray<BackupRun> runs = _supervisor.Catalog.List(
            data.Count("limit", isWhole ? ProtocolLimits.MaxWholeListRows : ProtocolLimits.MaxListRows),
            data.OptionalRunId("before"), out ImmutableArray<string> unreadable);
        foreach (string path in unreadable)
        {
            _log.Warning($"{path} holds no manifest that can be read");
        }
        IReadOnlySet<RunId> pinned = _supervisor.PinnedRuns();
        GetBackupRunsReply reply = new(
        [
            .. runs.Select(r => (isWhole ? RunObject.Row(r) : RunObject.Summary(r)) with { Pinned = pinned.Contains(r.Id) }),
        ]);
        return ReplyWriter.Reply(request, reply, WireJson.Default.GetBackupRunsReply);
    }

    private byte[] GetRun(Request request)
    {
        BackupRun run = _supervisor.Catalog.Get(new RequestData(request).RunId("run_id"));
        RunObject reply = RunObject.From(run) with { Pinned = _supervisor.PinnedRuns().Contains(run.Id) };
        return ReplyWriter.Reply(request, reply, WireJson.Default.RunObject);
    }

    private byte[] Validate(Request request, string who)
    {
        RequestData data = new(request);
        RunId id = data.RunId("run_id");
        ImmutableArray<string> participants = data.Texts("participants") ?? [];
        bool isQuick = data.Flag("quick");
        try
        {
            BackupRun run = isQuick
                ? _supervisor.ValidateQuickly(id, participants, _supervisor.Progress, _stopping)
                : _supervisor.Validate(id, participants, incompleteToo: false, _supervisor.Progress, _stopping);
            _log.Info($"run {id} was validated{(isQuick ? " quickly" : "")} for {who}: all is well");
            return ReplyWriter.Reply(
                request, new ValidateBackupRunReply(true, RunObject.From(run)).ToJson());
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            _log.Error($"run {id} was validated for {who}: {e.Message}; {e.Detail}");
            throw;
        }
        catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
        {
            throw new RequestException(ErrorSymbol.RunCancelled, "the validation was cancelled");
        }
    }

    private byte[] Delete(Request request, string who)
    {
        RunId id = new RequestData(request).RunId("run_id");
        string path = _supervisor.Delete(id);
        _log.Info($"run {id} was deleted by {who}");
        return ReplyWriter.Reply(
            request, new DeleteBackupRunReply(true, id.ToString(), path), WireJson.Default.DeleteBackupRunReply);
    }

    private byte[] Prune(Request request, string who)
    {
        RequestData data = new(request);
        bool isDryRun = data.Flag("dry_run");
        bool emptyTrash = data.Flag("empty_trash");
        PruneOutcome outcome;
        try
        {
            outcome = _supervisor.PruneAsConfigured(isDryRun, emptyTrash, _stopping);
        }
        catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
        {
            throw new RequestException(
                ErrorSymbol.RunCancelled, "the prune was cancelled; what it had removed by then is removed");
        }
        PruneBackupRunsReply reply = PruneBackupRunsReply.From(outcome, isDryRun);
        if (!isDryRun)
        {
            string gone = string.Join(' ', reply.Rows.Where(r => !r.Kept).Select(r => r.RunId));
            _log.Info(
                $"pruned for {who}: {reply.Removed} runs removed, {reply.Kept} kept, {reply.BytesFreed} bytes freed"
                + (gone.Length > 0 ? $"; removed: {gone}" : ""));
        }
        return ReplyWriter.Reply(request, reply, WireJson.Default.PruneBackupRunsReply);
    }

    private byte[] SetMaintenance(Request request, string who)
    {
        bool enable = new RequestData(request).RequiredFlag("enable");
        _supervisor.Maintenance.Set(enable);
        _log.Info($"maintenance mode was switched {(enable ? "on" : "off")} by {who}");
        return ReplyWriter.Reply(
            request, new SetMaintenanceReply(true, enable), WireJson.Default.SetMaintenanceReply);
    }

    private byte[] ListParticipants(Request request)
    {
        IReadOnlyList<ParticipantRow> rows =
        [
            .. _supervisor.Participants.Select(p => new ParticipantRow(
                p.Name, p.Critical, p.Kind, ParticipantRestore.IsPossible(p))),
        ];
        return ReplyWriter.Reply(
            request, new GetBackupParticipantsReply(rows), WireJson.Default.GetBackupParticipantsReply);
    }

    private byte[] ServerInfo(Request request, SessionRole role)
    {
        GetServerInfoReply reply = new(
            _figures.Version,
            ProtocolLimits.ProtocolVersion,
            (long)_time.GetElapsedTime(_startedAt).TotalSeconds,
            _supervisor.Maintenance.IsOn,
            _figures.NextRunAtUnix());
        if (CommandTable.HasBackupAccess(role))
        {
            (HistoryState history, OverdueState lateness) = (_figures.History, _figures.Lateness);
            reply = reply with
            {
                LastGoodAt = history.LastGood?.StartedAtUnix ?? 0,
                LastValidatedAt = history.ValidatedAtUnix,
                Overdue = lateness.IsOverdue,
                OverdueAt = lateness.AtUnix,
                StoreBytes = history.StoreBytes,
                FreeBytes = history.FreeBytes,
            };
        }
        return ReplyWriter.Reply(request, reply, WireJson.Default.GetServerInfoReply);
    }
}
