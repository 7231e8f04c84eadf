using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Gives a directory tree back in place: what is wanted and what is there are put side by side, and only what
/// differs is written.</summary>
internal sealed class DirectoryRestore
{
    private readonly DirectoryParticipant _directory;
    private readonly InPlaceItem _item;
    private readonly InPlaceContext _context;
    private readonly RestoreTally _tally = new();
    private readonly ChangeList _changes;

    internal DirectoryRestore(DirectoryParticipant directory, InPlaceItem item, InPlaceContext context)
    {
        _directory = directory;
        _item = item;
        _context = context;
        _changes = new ChangeList(context.MaxChanges);
    }

    /// <summary>Restores, or tells what would be done.</summary>
    internal RestoreFigures Run()
    {
        using ListingReader? wanted = _item.Wanted is null ? null : new ListingReader(_context.Store, _item.Wanted);
        using ListingReader? undone = _item.Undone is null ? null : new ListingReader(_context.Store, _item.Undone);
        if (_context.IsDryRun)
        {
            using PresentTree present = new(_directory, _context, _item.Only);
            using InPlaceRules rules = new(present.HasSameContent, _directory.RestoreDeletes, Created(undone));
            Foresee(InPlaceStep.Merge(Wanted(wanted), present.Entries()), rules);
        }
        else
        {
            using ListingReader? present = _item.Present is null ? null : new ListingReader(_context.Store, _item.Present);
            using InPlaceRules rules = new(EntryContent.AreSame, _directory.RestoreDeletes, Created(undone));
            Write(InPlaceStep.Merge(Wanted(wanted), present?.Entries() ?? []), rules);
        }
        return _tally.Figures(_changes, _directory.Root);
    }

    private IEnumerable<(ListingEntry Entry, bool IsChosen)> Wanted(ListingReader? listing) =>
        listing is null ? [] : _item.Choices(listing);

    private IEnumerable<ListingEntry>? Created(ListingReader? undone) => undone is null ? null : _item.Created(undone);

    private void Foresee(IEnumerable<InPlaceStep> steps, InPlaceRules rules)
    {
        foreach (InPlaceStep step in steps)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            RestoreChangeKind? kind = rules.Decide(step);
            _changes.Add(kind, InPlaceTree.Show(_directory.Root, step.Path));
            if (kind is RestoreChangeKind.Create or RestoreChangeKind.Rewrite)
            {
                _tally.AddBytes(step.Wanted!.Size);
            }
            _context.Advance(1, step.Wanted?.Size ?? 0);
        }
    }

    private void Write(IEnumerable<InPlaceStep> steps, InPlaceRules rules)
    {
        RestoreSetting setting = new(
            _context.Store, Overwrite: true, new EntryMetadata(_tally, _context.PreserveSpecial), _tally, new DirectWrites(),
            _context.Cancellation)
        {
            Changes = _changes,
        };
        long told = 0;
        void Tick()
        {
            long written = _tally.Bytes;
            _context.Advance(0, written - told);
            told = written;
        }
        using RestoreWorkers workers = new(setting, Tick);
        using InPlaceTree tree = new(
            _directory.Root, _directory.OneFileSystem, setting, rules, workers, _context.Advance);
        tree.Apply(steps);
    }
}
