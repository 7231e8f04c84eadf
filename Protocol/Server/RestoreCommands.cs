using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Protocol.Server;

/// <summary>The commands about restores in place. What the engine refuses is left to the dispatcher to name.</summary>
internal sealed class RestoreCommands(BackupSupervisor supervisor, EventLog log)
{
    /// <summary>Restores and answers when that has ended, whatever its status.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or nothing was restored: the run is damaged, the
    /// present state could not be captured, nothing matches.</exception>
    /// <exception cref="BackupException">It was not begun.</exception>
    internal async Task<byte[]> StartAsync(Request request, string who, SessionRole role)
    {
        RestoreRunRequest asked = ReadRequest(request, role);
        StartedRestore started = await Task.Run(() => supervisor.StartRestore(asked));
        string id = started.Id.ToString();
        // Its end is told by who composes engine and log: this session may not be there any more.
        log.Info($"restore {id} of {asked.Source}{(asked.IsDryRun ? ", a dry run," : "")} started by {who}", id);
        RestoreEnd end = await started.Completion;
        if (end.Refusal is BackupException refusal)
        {
            throw new RequestException(ErrorSymbol.Of(refusal.Fault), refusal.Message, refusal.Detail, restoreId: id);
        }
        return ReplyWriter.Reply(request, RestoreObject.From(end.Restore), WireJson.Default.RestoreObject);
    }

    /// <summary>Restores, newest first. Disk.</summary>
    /// <exception cref="RequestException">Something in the request is wrong.</exception>
    internal byte[] List(Request request)
    {
        RequestData data = new(request);
        bool isWhole = data.Flag("participants");
        ImmutableArray<RestoreRun> restores = supervisor.Restores.List(
            data.Count("limit", isWhole ? ProtocolLimits.MaxWholeListRows : ProtocolLimits.MaxListRows),
            data.OptionalRestoreId("before"), out ImmutableArray<string> unreadable);
        foreach (string path in unreadable)
        {
            log.Warning($"{path} is no record of a restore that can be read");
        }
        GetRestoreRunsReply reply = new([.. restores.Select(r => isWhole ? RestoreObject.Row(r) : RestoreObject.Summary(r))]);
        return ReplyWriter.Reply(request, reply, WireJson.Default.GetRestoreRunsReply);
    }

    /// <summary>One restore. Disk.</summary>
    /// <exception cref="RequestException">Something in the request is wrong.</exception>
    /// <exception cref="BackupException">RestoreNotFound, RunDamaged.</exception>
    internal byte[] Get(Request request)
    {
        RestoreRun restore = supervisor.Restores.Get(new RequestData(request).RestoreId("restore_id"));
        return ReplyWriter.Reply(request, RestoreObject.From(restore), WireJson.Default.RestoreObject);
    }

    private static RestoreRunRequest ReadRequest(Request request, SessionRole role)
    {
        RequestData data = new(request);
        RestoreRunRequest asked = new(data.RunId("run_id"))
        {
            IsDryRun = data.Flag("dry_run"),
            Participants = data.Texts("participants") ?? [],
            IsForced = data.Flag("force"),
            Paths = data.Texts("paths") ?? [],
            PreserveSpecial = data.Flag("preserve_special"),
        };
        // A setuid program or a device node that comes out of a backup is as good as root on this machine.
        return asked.PreserveSpecial && role != SessionRole.Admin
            ? throw new RequestException(
                ErrorSymbol.Permissions,
                "data.preserve_special is for administrators: it brings back setuid bits and device nodes")
            : asked;
    }
}
