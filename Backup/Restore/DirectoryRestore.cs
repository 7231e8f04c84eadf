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
        using ListingReader? wanted = Open(_context.Store, _item.Wanted);
        using ListingReader? undone = Open(_context.Store, _item.Undone);
        if (_context.IsDryRun)
        {
            using PresentTree present = new(_directory, _context, _item.Only);
            using InPlaceRules rules = new(present.HasSameContent, _directory.RestoreDeletes, _item.Created(undone));
            Foresee(
                InPlaceStep.Merge(_item.Choices(wanted), _item.Mine(present.Entries())),
                new InPlaceForecast(_directory.Root, rules, present, _context.PreserveSpecial, _tally, _changes));
        }
        else
        {
            using ListingReader? present = Open(_context.Store, _item.Present);
            using InPlaceRules rules = new(EntryContent.AreSame, _directory.RestoreDeletes, _item.Created(undone));
            Write(InPlaceStep.Merge(_item.Choices(wanted), _item.Mine(present?.Entries() ?? [])), rules);
        }
        return _tally.Figures(_changes, _directory.Root);
    }

    /// <summary>What is there, in the safety run, and will not be there any more.</summary>
    internal static IEnumerable<ListingEntry> AtRisk(
        DirectoryParticipant directory, InPlaceItem item, BackupStore store, ListingReader present)
    {
        using ListingReader? wanted = Open(store, item.Wanted);
        using ListingReader? undone = Open(store, item.Undone);
        using InPlaceRules rules = new(EntryContent.AreSame, directory.RestoreDeletes, item.Created(undone));
        foreach (InPlaceStep step in InPlaceStep.Merge(item.Choices(wanted), item.Mine(present.Entries())))
        {
            if (rules.Decide(step) is RestoreChangeKind.Rewrite or RestoreChangeKind.Remove)
            {
                yield return step.Present!;
            }
        }
    }

    private static ListingReader? Open(BackupStore store, ArtifactFile? artifact) =>
        artifact is null ? null : new ListingReader(store, artifact);

    private void Foresee(IEnumerable<InPlaceStep> steps, InPlaceForecast forecast)
    {
        foreach (InPlaceStep step in steps)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            forecast.Take(step);
            _context.Advance(1, step.Wanted?.Size ?? 0);
        }
        forecast.End();
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
