using System.Collections.Immutable;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>What stays on the screen after a restore in place: what is as it was, what is not, and what to type next.</summary>
internal sealed class RestoreSummary
{
    private const int ShownExtras = 3;
    private const int ShownSentences = 5;

    private readonly RestoreInPlaceRequest _request;
    private readonly RestoreObject _restore;
    private readonly string _store;
    private readonly ImmutableArray<ParticipantObject> _leftOut;

    /// <param name="request">What was asked for.</param>
    /// <param name="restore">How it ended.</param>
    /// <param name="store">The directory that a command must name, with a slash at its end; "" for the daemon's.</param>
    /// <param name="leftOut">What the run does not hold all of.</param>
    internal RestoreSummary(
        RestoreInPlaceRequest request, RestoreObject restore, string store, ImmutableArray<ParticipantObject> leftOut)
    {
        _request = request;
        _restore = restore;
        _store = store;
        _leftOut = leftOut;
    }

    /// <summary>The store of the daemon that has restored, where that is known; "" otherwise.</summary>
    internal string DaemonStore { get; init; } = "";

    /// <summary>The exit code.</summary>
    internal ExitCode Code =>
        _restore.Status == RunStatus.Completed && !_leftOut.IsEmpty ? ExitCode.Partial : ExitCodes.Of(_restore.Status);

    private string Undo => $"backupd restore --undo {_store}{_restore.RestoreId}";

    /// <summary>Why it is not completed. The engine knows no store by name.</summary>
    internal string Error => Units.Printable(_restore.ErrorSummary.Replace(
        $"backupd restore --undo {_restore.RestoreId}", Undo, StringComparison.Ordinal));

    /// <summary>Every change by name, a line each: for a dry run.</summary>
    internal void WriteChanges(TextWriter output)
    {
        foreach (RestoredParticipantObject participant in _restore.Participants)
        {
            foreach (RestoreChangeObject change in participant.Changes)
            {
                output.WriteLine($"{Word(change.Action),-7} {Units.Printable(change.Path)}");
            }
            long more = participant.Created + participant.Rewritten + participant.Adjusted + participant.Removed
                + participant.Extra - participant.Changes.Count;
            if (more > 0)
            {
                output.WriteLine($"and {Units.Count(more, "more change")} of {participant.Name}");
            }
        }
    }

    internal void Write(TextWriter output)
    {
        output.WriteLine(Headline());
        foreach (RestoredParticipantObject participant in _restore.Participants)
        {
            Write(participant, output);
        }
        foreach (ParticipantObject missing in _leftOut)
        {
            output.WriteLine($"  {missing.Name}: left out, the run does not hold all of it: {Units.Printable(missing.Error)}");
        }
        string error = Error;
        bool isTold = _restore.Participants.Any(
            p => HasErrorOfItsOwn(p) && _restore.ErrorSummary.EndsWith(p.Error, StringComparison.Ordinal));
        if (error.Length > 0 && !isTold)
        {
            output.WriteLine($"  {error}");
        }
        WriteNext(error, output);
    }

    private void Write(RestoredParticipantObject participant, TextWriter output)
    {
        bool wasReached = participant.StartedAt > 0;
        if (wasReached && (participant.Ok || Touched(participant) > 0))
        {
            // A dump without a program that takes it back has no target.
            string target = participant.Target.Length > 0 ? $": {Units.Printable(participant.Target)}" : "";
            output.WriteLine($"  {participant.Name}: {Figures(participant)}{target}");
        }
        if (HasErrorOfItsOwn(participant))
        {
            output.WriteLine($"  {participant.Name}: {Units.Printable(participant.Error)}");
        }
        if (participant.Extra > 0)
        {
            string[] extras =
            [
                .. participant.Changes.Where(c => c.Action == RestoreChangeKind.Extra).Take(ShownExtras)
                    .Select(c => Units.Printable(c.Path)),
            ];
            string more = participant.Extra > extras.Length && extras.Length > 0 ? " …" : "";
            output.WriteLine(
                $"    not in the backup, and {(_restore.DryRun ? "would stay" : "left as it is")}: "
                + $"{string.Join(", ", extras)}{more}".TrimEnd());
        }
        WriteSentences("problem", participant.Problems.Skip(participant.Ok ? 0 : 1), participant.EntriesFailed, output);
        WriteSentences("warning", participant.Warnings, participant.Warnings.Count, output);
    }

    private static void WriteSentences(string word, IEnumerable<string> sentences, long all, TextWriter output)
    {
        string[] shown = [.. sentences.Take(ShownSentences)];
        foreach (string sentence in shown)
        {
            output.WriteLine($"    {word}: {Units.Printable(sentence)}");
        }
        if (shown.Length == ShownSentences && all > ShownSentences + 1)
        {
            output.WriteLine($"    and more, {all:N0} in all: --json names the first hundred");
        }
    }

    private static string Figures(RestoredParticipantObject participant)
    {
        List<string> parts = [];
        Add(parts, participant.Created, "created");
        Add(parts, participant.Rewritten, "rewritten");
        Add(parts, participant.Adjusted, "adjusted");
        Add(parts, participant.Removed, "removed");
        Add(parts, participant.Same, "the same");
        Add(parts, participant.Extra, "extra");
        string written = participant.BytesWritten > 0 ? $", {Units.Bytes(participant.BytesWritten)} written" : "";
        return (parts.Count == 0 ? "nothing to do" : string.Join(", ", parts)) + written;

        static void Add(List<string> parts, long count, string word)
        {
            if (count > 0)
            {
                parts.Add(FormattableString.Invariant($"{count:N0} {word}"));
            }
        }
    }

    private static long Touched(RestoredParticipantObject participant) =>
        participant.Created + participant.Rewritten + participant.Adjusted + participant.Removed + participant.Same;

    private void WriteNext(string error, TextWriter output)
    {
        if (_restore.DryRun)
        {
            return;
        }
        if (_restore.Status is RunStatus.Partial or RunStatus.Failed or RunStatus.Timeout)
        {
            string[] failed = [.. _restore.Participants.Where(p => !p.Ok).Select(p => $"--participant {p.Name}")];
            string where = _request.IsUndo ? $"--undo {_store}{_restore.SourceRunId}" : $"{_store}{_restore.SourceRunId}";
            output.WriteLine($"  When that is mended: {string.Join(' ', ["backupd restore", where, .. failed])}");
        }
        if (DaemonStore.Length > 0 && _restore.Participants.Any(IsWalledOff))
        {
            // The unit of backupd service names what the daemon may write, and systemd passes over what is missing then.
            output.WriteLine(
                "  The daemon's service may not write there: its unit does not name that place, "
                + "or it was missing when the daemon started.");
            output.WriteLine("  See to that: sudo backupd service install && sudo systemctl restart backupd");
            output.WriteLine(
                "  Or without the daemon: "
                + $"sudo backupd restore {(_request.IsUndo ? "--undo " : "")}{DaemonStore}/{_restore.SourceRunId}");
        }
        if (_restore.PreRestorePath.Length > 0 && !error.Contains(Undo, StringComparison.Ordinal))
        {
            output.WriteLine($"  {(_request.IsUndo ? "Take that back" : "Undo it")}: {Undo}");
        }
    }

    // What ended the restore as a whole stands at each participant that it cut short, and is told once.
    private bool HasErrorOfItsOwn(RestoredParticipantObject participant) =>
        !participant.Ok && (participant.StartedAt > 0 || participant.Error != _restore.ErrorSummary);

    private static bool IsWalledOff(RestoredParticipantObject participant) =>
        participant.Problems.Prepend(participant.Error).Any(
            p => p.Contains("Read-only file system", StringComparison.Ordinal));

    private string Headline()
    {
        long seconds = _restore.FinishedAt - _restore.StartedAt;
        string time = seconds > 0 ? Units.Seconds(seconds) : "under 1s";
        string what = _request.IsUndo ? $"undo of {_restore.SourceRunId}" : $"restore of {_restore.SourceRunId}";
        string tail = _restore.DryRun
            ? $"dry run of the {what}, nothing was written"
            : $"{what} in place: {_restore.RestoreId}";
        (string word, string span) = _restore.Status switch
        {
            RunStatus.Completed => (_leftOut.IsEmpty ? "OK" : "! PARTIAL", "in"),
            RunStatus.Partial => ("! PARTIAL", "in"),
            RunStatus.Failed => ("! FAILED", "in"),
            RunStatus.Cancelled => ("! CANCELLED", "after"),
            RunStatus.Timeout => ("! TIMEOUT", "after"),
            RunStatus.Running => ("under way", "since"),
            _ => throw new InvalidOperationException($"a restore cannot be {_restore.Status}"),
        };
        string exit = Code == ExitCode.Ok ? "" : $" (exit {(int)Code})";
        return $"{word} {span} {time}{exit}, {tail}";
    }

    private static string Word(RestoreChangeKind kind) => kind switch
    {
        RestoreChangeKind.Create => "create",
        RestoreChangeKind.Rewrite => "rewrite",
        RestoreChangeKind.Adjust => "adjust",
        RestoreChangeKind.Remove => "remove",
        RestoreChangeKind.Extra => "extra",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
