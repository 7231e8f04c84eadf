using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd list</c>: the runs of a store.</summary>
internal static class ListVerb
{
    private const string Description = """
        List the runs of a store, newest first.

        Examples:
          backupd list
          backupd list /mnt/usb/backups --json | jq '.rows[].run_id'
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> directory = new("DIR")
        {
            Description = "The store; without it the daemon's",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Verb command = new("list", Description) { directory };
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.SetAction(parsed =>
        {
            string store = parsed.GetValue(directory)
                ?? DaemonConfiguration.Load(options.Config(parsed), context.Places).Store;
            BackupStore opened = BackupStore.Open(store);
            ImmutableArray<BackupRun> runs = new RunCatalog(opened)
                .List(int.MaxValue, before: null, out ImmutableArray<string> unreadable);
            if (options.Json(parsed))
            {
                GetBackupRunsReply rows = new([.. runs.Select(RunObject.From)]);
                context.Output.WriteLine(JsonSerializer.Serialize(rows, WireJson.Default.GetBackupRunsReply));
            }
            else
            {
                Write(runs, new RunPins(opened).All(), context);
            }
            foreach (string path in unreadable)
            {
                context.Error.WriteLine($"backupd: {path} holds no manifest that can be read");
            }
            return (int)(unreadable.IsEmpty ? ExitCode.Ok : ExitCode.Damaged);
        });
        return command;
    }

    private static void Write(ImmutableArray<BackupRun> runs, IReadOnlySet<RunId> pinned, CliContext context)
    {
        if (runs.IsEmpty)
        {
            context.Error.WriteLine("no runs yet");
        }
        foreach (BackupRun run in runs)
        {
            long size = run.Participants.SelectMany(p => p.Artifacts).Sum(a => a.SizeBytes);
            string names = string.Join(",", run.Participants.Select(p => p.Ok ? p.Name : $"!{p.Name}"));
            context.Output.WriteLine(
                $"{run.Id}  {Units.Time(run.StartedAtUnix)}  {run.Status.ToString().ToLowerInvariant(),-9}  "
                + $"{Units.Bytes(size),10}  {names}{(pinned.Contains(run.Id) ? "  (pinned)" : "")}");
        }
    }
}
