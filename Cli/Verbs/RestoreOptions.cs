using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;

namespace Backupd.Cli.Verbs;

/// <summary>The options of <c>backupd restore</c>, and which of them go together.</summary>
internal sealed class RestoreOptions
{
    private readonly Option<string?> _undo = new("--undo")
    {
        Description = "Instead of WHERE: take back a restore in place, by its id, latest, DIR/latest or DIR/RESTORE_ID",
        HelpName = "RESTORE_ID",
    };

    private readonly Option<string[]> _participant = new("--participant")
    {
        Description = "Only this participant; may be repeated",
        HelpName = "P",
    };

    private readonly Option<string[]> _path = new("--path")
    {
        Description = "Only what matches; may be repeated",
        HelpName = "GLOB",
    };

    private readonly Option<bool> _overwrite = new("--overwrite")
    {
        Description = "With --to: entries may exist; only what differs is rewritten, nothing is removed",
    };

    private readonly Option<bool> _special = new("--preserve-special")
    {
        Description = "As root: keep setuid and setgid bits, file capabilities and device nodes, else left out and named",
    };

    private readonly Option<bool> _force = new("--force")
    {
        Description = "In place: go on although the daemon is not in maintenance mode",
    };

    private readonly Option<bool> _yes = new("--yes", "-y") { Description = "In place: do not ask" };

    private readonly Option<bool> _detach = new("--detach")
    {
        Description = "In place: return as soon as the daemon has started it",
    };

    /// <summary>The directory to restore into; nothing for in place.</summary>
    internal Option<string?> To { get; } = new("--to")
    {
        Description = "The directory to restore into; without it the restore is in place",
        HelpName = "DIR",
    };

    internal Option<bool> DryRun { get; } = new("--dry-run") { Description = "Print what would change, and write nothing" };

    internal void AddTo(Command command)
    {
        foreach (Option option in (Option[])
            [To, _participant, _path, DryRun, _undo, _yes, _force, _detach, _overwrite, _special])
        {
            command.Add(option);
        }
    }

    /// <exception cref="BackupException">InputInvalid: something is missing, or means nothing beside something else.</exception>
    internal void RefuseWhatMeansNothing(string? where, CommonOptions options, ParseResult parsed)
    {
        bool isInto = parsed.GetValue(To) is not null;
        string? undo = parsed.GetValue(_undo);
        (bool IsWrong, string Why)[] rules =
        [
            (where is null && undo is null, "restore needs WHERE, the run to restore (see backupd list), or --undo"),
            (where is not null && undo is not null,
                "--undo stands instead of WHERE: what was there before the restore is what comes back"),
            (isInto && undo is not null,
                $"--undo is for restores in place; to look at what one has replaced: backupd restore {undo} --to DIR"),
            (undo is not null && parsed.GetValue(_path) is { Length: > 0 },
                "an undo gives back all that the restore has changed: leave out --path"),
            (!isInto && parsed.GetValue(_overwrite), "--overwrite is for --to; in place only what differs is rewritten anyway"),
            (isInto && parsed.GetValue(_force), "--force is for a restore in place; with --to, --overwrite lets entries exist"),
            (isInto && parsed.GetValue(_yes), "--yes is for a restore in place; with --to nothing is asked"),
            (isInto && parsed.GetValue(_detach), "--detach is for a restore in place by the daemon; this process fills --to DIR"),
            (isInto && options.Address(parsed) is not null,
                "--addr is for a restore in place by the daemon; --to DIR is filled from a store that this process can read"),
            (parsed.GetValue(DryRun) && parsed.GetValue(_detach), "a dry run is there to be looked at: leave out --detach"),
        ];
        if (rules.FirstOrDefault(r => r.IsWrong).Why is string why)
        {
            throw new BackupException(BackupFault.InputInvalid, why);
        }
    }

    internal RestoreInPlaceRequest InPlace(string? where, ParseResult parsed) => new()
    {
        Where = where ?? parsed.GetValue(_undo)!,
        IsUndo = where is null,
        Participants = [.. parsed.GetValue(_participant) ?? []],
        Paths = [.. parsed.GetValue(_path) ?? []],
        PreserveSpecial = parsed.GetValue(_special),
        IsDryRun = parsed.GetValue(DryRun),
        IsForced = parsed.GetValue(_force),
        IsConfirmed = parsed.GetValue(_yes),
        IsDetached = parsed.GetValue(_detach),
    };

    internal RestoreRequest Into(RunId run, string target, ParseResult parsed) => new()
    {
        Run = run,
        TargetDirectory = target,
        Participants = [.. parsed.GetValue(_participant) ?? []],
        Paths = [.. parsed.GetValue(_path) ?? []],
        Overwrite = parsed.GetValue(_overwrite),
        PreserveSpecial = parsed.GetValue(_special),
    };
}
