using System.CommandLine;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd repair</c>: takes damaged chunks out of the way, so that the next backup heals the store.</summary>
internal static class RepairVerb
{
    private const string Description = """
        Take damaged chunks of a store out of the way, so that the next backup stores them again.

        Every chunk is read from the disk; what is damaged moves to quarantine/, and nothing is deleted. When the next
        backup has stored the same content again, every run that used it is whole again.

        Examples:
          backupd repair
          backupd repair /mnt/usb/backups
          backupd repair --json | jq -r '.hurt[].run_id'
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> directory = new("DIR")
        {
            Description = "The store; without it the daemon's",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Verb command = new("repair", Description) { directory };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            string store = parsed.GetValue(directory)
                ?? DaemonConfiguration.Load(options.Config(parsed), context.Places).Store;
            using Interrupts interrupts = new();
            using BackupSupervisor supervisor = new(BackupStore.Open(store), [], new EngineSettings(), context.Time);
            ProgressDisplay display = options.Display(parsed, context, new Dictionary<string, string>());
            CancellationToken stop = interrupts.Token;
            RepairOutcome outcome = await LocalProgress.FollowAsync(
                supervisor.Progress, Task.Run(() => supervisor.Repair(supervisor.Progress, stop), stop), display);
            if (options.Json(parsed))
            {
                WriteJson(outcome, context.Output);
            }
            else if (!options.Quiet(parsed))
            {
                Write(outcome, store, context.Error);
            }
            return (int)(outcome.Quarantined.IsEmpty && outcome.Hurt.IsEmpty ? ExitCode.Ok : ExitCode.Damaged);
        });
        return command;
    }

    private static void WriteJson(RepairOutcome outcome, TextWriter output)
    {
        using JsonLines lines = new();
        lines.Write(output, json =>
        {
            json.WriteNumber("chunks", outcome.Chunks);
            json.WriteStartArray("damaged");
            foreach (string chunk in outcome.Quarantined)
            {
                json.WriteStringValue(chunk);
            }
            json.WriteEndArray();
            json.WriteStartArray("hurt");
            foreach (HurtParticipant hurt in outcome.Hurt)
            {
                json.WriteStartObject();
                json.WriteString("run_id", hurt.Run.ToString());
                json.WriteString("participant", hurt.Participant);
                json.WriteString("error", hurt.First);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
    }

    private static void Write(RepairOutcome outcome, string store, TextWriter output)
    {
        output.WriteLine(
            $"{Units.Count(outcome.Chunks, "chunk")} read, {outcome.Quarantined.Length} damaged"
            + (outcome.Quarantined.IsEmpty ? "" : $" and moved to {Path.Combine(store, "quarantine")}"));
        foreach (string chunk in outcome.Quarantined)
        {
            output.WriteLine($"  chunk {chunk}");
        }
        foreach (HurtParticipant hurt in outcome.Hurt)
        {
            string what = hurt.Participant.Length > 0 ? $"lacks data of {hurt.Participant}" : "is damaged itself";
            output.WriteLine($"  run {hurt.Run} {what}: {Units.Printable(hurt.First)}");
        }
        if (outcome.Hurt.Any(h => h.Participant.Length > 0))
        {
            output.WriteLine(
                "  Back up again: what is still the same at its source is stored anew and heals the runs that lack data.");
        }
        if (outcome.Hurt.FirstOrDefault(h => h.Participant.Length == 0) is HurtParticipant damaged)
        {
            output.WriteLine(
                "  No backup mends a run that is damaged itself. Restore what you need of it, then: "
                + $"backupd delete {Path.Combine(store, damaged.Run.ToString())}");
        }
    }
}
