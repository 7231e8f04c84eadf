using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;

namespace Backupd.Cli.Verbs;

/// <summary>What somebody asks of a restore in place.</summary>
internal sealed record RestoreInPlaceRequest
{
    /// <summary>A run as WHERE names it or, for an undo, a restore in the same ways.</summary>
    internal required string Where { get; init; }

    /// <summary>The restore that <see cref="Where"/> names is undone.</summary>
    internal bool IsUndo { get; init; }

    /// <summary>Only these; empty for all.</summary>
    internal ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Only what matches; empty for everything.</summary>
    internal ImmutableArray<string> Paths { get; init; } = [];

    internal bool PreserveSpecial { get; init; }

    /// <summary>Only tell what would change.</summary>
    internal bool IsDryRun { get; init; }

    /// <summary>Go on without maintenance mode.</summary>
    internal bool IsForced { get; init; }

    /// <summary>The question is answered already.</summary>
    internal bool IsConfirmed { get; init; }

    /// <summary>Return when it has started.</summary>
    internal bool IsDetached { get; init; }

    /// <summary>It names a store, which this process opens; else the daemon's is meant.</summary>
    internal bool NamesStore => Where.Contains('/', StringComparison.Ordinal);

    /// <summary>For the engine.</summary>
    /// <param name="run">The run, or the restore to be undone.</param>
    /// <param name="names">The participants; empty for all of the run.</param>
    internal RestoreRunRequest ForEngine(RunId run, ImmutableArray<string> names) => new(run)
    {
        Participants = names,
        Paths = Paths,
        IsDryRun = IsDryRun,
        // No daemon, no maintenance mode: whoever has answered the question is the guard.
        IsForced = true,
        PreserveSpecial = PreserveSpecial,
    };

    /// <summary>For the wire.</summary>
    /// <param name="run">The run, or the restore to be undone.</param>
    /// <param name="names">The participants; empty for all of the run.</param>
    internal string ForWire(string run, ImmutableArray<string> names)
    {
        JsonObject data = new() { ["run_id"] = run, ["dry_run"] = IsDryRun, ["force"] = IsForced };
        if (!names.IsEmpty)
        {
            data["participants"] = Texts(names);
        }
        if (!Paths.IsEmpty)
        {
            data["paths"] = Texts(Paths);
        }
        if (PreserveSpecial)
        {
            data["preserve_special"] = true;
        }
        return data.ToJsonString();
    }

    /// <summary>Refuses a restore that nobody has agreed to and nobody can be asked about.</summary>
    /// <exception cref="BackupException">InputInvalid.</exception>
    internal void RefuseUnattended(CliContext context)
    {
        if (!IsDryRun && !IsConfirmed && context.Answers is null)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                "a restore in place replaces what is there, and nobody can be asked about that here",
                "say yes with --yes, look first with --dry-run, or restore into a directory with --to DIR");
        }
    }

    private static JsonArray Texts(ImmutableArray<string> texts) =>
        new([.. texts.Select(t => (JsonNode)JsonValue.Create(t))]);
}
