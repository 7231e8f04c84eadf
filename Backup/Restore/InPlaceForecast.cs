using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Tells what a restore in place of a directory would do, step by step, and writes nothing. One thread.</summary>
internal sealed class InPlaceForecast
{
    private readonly string _root;
    private readonly InPlaceRules _rules;
    private readonly PresentTree _present;
    private readonly bool _preservesSpecial;
    private readonly RestoreTally _tally;
    private readonly ChangeList _changes;

    // Directories that are no directories in the backup, on the way to the present step.
    private readonly Stack<Doomed> _doomed = new();

    // What would be adjusted through one of its names is so through the others.
    private readonly Dictionary<string, ListingEntry> _adjusted = [];

    internal InPlaceForecast(
        string root, InPlaceRules rules, PresentTree present, bool preservesSpecial, RestoreTally tally, ChangeList changes)
    {
        _root = root;
        _rules = rules;
        _present = present;
        _preservesSpecial = preservesSpecial;
        _tally = tally;
        _changes = changes;
    }

    /// <summary>Takes the next step, in path order.</summary>
    internal void Take(InPlaceStep step)
    {
        while (_doomed.TryPeek(out Doomed? top) && !ListingEntry.IsAtOrBelow(step.Path, top.Step.Path))
        {
            Leave();
        }
        if (step.Present is not null && _adjusted.TryGetValue(step.Present.LinkId, out ListingEntry? now))
        {
            step = step.Adjusted(now);
        }
        RestoreChangeKind? kind = _rules.Decide(step);
        if (kind == RestoreChangeKind.Adjust && step.Present!.LinkId.Length > 0)
        {
            _adjusted[step.Present.LinkId] = step.Wanted!;
        }
        if (step.Present is { Type: EntryType.Directory } && step.Wanted?.Type != EntryType.Directory)
        {
            // What is in it decides whether it can go.
            _doomed.Push(new Doomed(step, kind, kind == RestoreChangeKind.Extra ? 0 : _present.CountNames()));
            return;
        }
        if (kind == RestoreChangeKind.Adjust && _present.IsMountPoint)
        {
            kind = null;
        }
        NoteGone(kind);
        Tell(step, kind);
    }

    /// <summary>Tells of what is still open, after the last step.</summary>
    internal void End()
    {
        while (_doomed.Count > 0)
        {
            Leave();
        }
    }

    private void Leave()
    {
        Doomed directory = _doomed.Pop();
        bool stays = directory.Kind == RestoreChangeKind.Extra || directory.Left > 0;
        if (!stays)
        {
            NoteGone(RestoreChangeKind.Remove);
            Tell(directory.Step, directory.Kind);
        }
        else if (directory.Step.Wanted is null)
        {
            Tell(directory.Step, RestoreChangeKind.Extra);
        }
        else
        {
            _tally.Missing(InPlaceTree.CannotReplace(Show(directory.Step), directory.Step.Wanted));
        }
    }

    private void NoteGone(RestoreChangeKind? kind)
    {
        if (kind == RestoreChangeKind.Remove && _doomed.TryPeek(out Doomed? holder))
        {
            holder.Left--;
        }
    }

    private void Tell(InPlaceStep step, RestoreChangeKind? kind)
    {
        bool isMade = kind is RestoreChangeKind.Create or RestoreChangeKind.Rewrite;
        if (isMade && SpecialRights.IsDevice(step.Wanted!) && !_preservesSpecial)
        {
            _tally.Missing(SpecialRights.DeviceLeftOut(Show(step)));
            return;
        }
        _changes.Add(kind, Show(step));
        if (isMade)
        {
            _tally.AddBytes(step.Wanted!.Size);
        }
    }

    private string Show(InPlaceStep step) => InPlaceTree.Show(_root, step.Path);

    private sealed class Doomed(InPlaceStep step, RestoreChangeKind? kind, int left)
    {
        internal InPlaceStep Step { get; } = step;

        internal RestoreChangeKind? Kind { get; } = kind;

        /// <summary>Names in it that have not gone, those that no walk enters among them.</summary>
        internal int Left { get; set; } = left;
    }
}
