using Backupd.Backup.Participants;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>Asks a person whether a restore in place is meant: what it replaces, and that it can be undone.</summary>
internal sealed class RestoreQuestion
{
    private readonly RestoreInPlaceRequest _request;
    private readonly RestoreSubject _subject;
    private readonly IReadOnlyDictionary<string, string> _kinds;
    private readonly IReadOnlyList<ParticipantDefinition> _known;

    /// <param name="request">What is asked for.</param>
    /// <param name="subject">What that is.</param>
    /// <param name="kinds">What each participant is.</param>
    /// <param name="known">Those of which it is known where they belong.</param>
    internal RestoreQuestion(
        RestoreInPlaceRequest request, RestoreSubject subject, IReadOnlyDictionary<string, string> kinds,
        IReadOnlyList<ParticipantDefinition> known)
    {
        _request = request;
        _subject = subject;
        _kinds = kinds;
        _known = known;
    }

    /// <summary>True when it is to be done.</summary>
    internal async Task<bool> IsAnsweredYesAsync(CliContext context)
    {
        if (_request.IsDryRun || _request.IsConfirmed)
        {
            return true;
        }
        foreach (string line in Lines())
        {
            await context.Error.WriteLineAsync(line);
        }
        await context.Error.WriteAsync("Go on? [y/N] ");
        await context.Error.FlushAsync();
        string answer = (await context.Answers!.ReadLineAsync() ?? "").Trim();
        if (answer.Equals("y", StringComparison.OrdinalIgnoreCase) || answer.Equals("yes", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }
        await context.Error.WriteLineAsync("nothing was restored");
        return false;
    }

    private IEnumerable<string> Lines()
    {
        RunObject run = _subject.Run;
        string count = Units.Count(_subject.Chosen.Length, "participant");
        yield return _request.IsUndo
            ? $"Undo restore {run.RunId}, and bring {count} back to the state before it?"
            : $"Restore {count} of {run.RunId} ({Units.Time(run.StartedAt)}) in place?";
        int width = _subject.Chosen.Max(p => p.Name.Length);
        foreach (ParticipantObject participant in _subject.Chosen)
        {
            yield return $"  {participant.Name.PadRight(width)}  {Target(participant.Name)}".TrimEnd();
        }
        foreach (ParticipantObject missing in _subject.LeftOut)
        {
            yield return $"  left out, because the run does not hold all of it: {missing.Name}";
        }
        if (!_request.Paths.IsEmpty)
        {
            yield return $"  of them only what matches {Units.Printable(string.Join(" or ", _request.Paths))}";
        }
        yield return "What differs there is replaced. It is captured first, so that backupd restore --undo brings it back.";
    }

    private string Target(string name)
    {
        ParticipantDefinition? definition = _known.FirstOrDefault(p => p.Name == name);
        string kind = definition?.Kind ?? _kinds.GetValueOrDefault(name, "");
        string target = definition switch
        {
            null => "",
            CommandParticipant command => string.Join(' ', command.RestoreArgv),
            _ => definition.Source,
        };
        string removes = definition is DirectoryParticipant { RestoreDeletes: true } && !_request.IsUndo
            ? " (what the backup does not have is removed)"
            : "";
        return $"{kind,-9}  {Units.Printable(target)}{removes}";
    }
}
