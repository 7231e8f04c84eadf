using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What is in a live tree, for a dry run of a restore in place. Reads only what cannot be told without. One
/// thread.</summary>
internal sealed class PresentTree : IDisposable
{
    private readonly DirectoryParticipant _directory;
    private readonly InPlaceContext _context;
    private readonly DirectoryWalker? _walker;
    private readonly ContentReader _content;
    private readonly ExistingEntries _existing;
    private WalkEntry _current;
    private ulong _device;

    /// <param name="directory">The tree.</param>
    /// <param name="context">Of the restore.</param>
    /// <param name="only">The part of it that is looked at; null for all.</param>
    internal PresentTree(DirectoryParticipant directory, InPlaceContext context, SelectedPaths? only)
    {
        _directory = directory;
        _context = context;
        _content = new ContentReader(context.Store);
        _existing = new ExistingEntries(_content, metadata: null, new RestoreTally(), context.Cancellation);
        if (Directory.Exists(directory.Root))
        {
            WalkRules rules = ParticipantBackup.RulesOf(directory with { Only = only }, context.Store);
            _walker = new DirectoryWalker(directory.Root, rules, new WalkCounts());
        }
    }

    /// <summary>Whether what was returned last is a mount point that is left alone.</summary>
    internal bool IsMountPoint => _directory.OneFileSystem && _current.Status.IsDirectory && _current.Status.Device != _device;

    /// <summary>The entries in path order.</summary>
    internal IEnumerable<ListingEntry> Entries()
    {
        while (_walker?.Next(out _current) == true)
        {
            _device = _current.Path.Length == 0 ? _current.Status.Device : _device;
            yield return EntryFacts.Entry(_current.Path, _current.Status, _context.Time.GetUtcNow()) with
            {
                LinkId = EntryFacts.LinkId(_current.Status, _device),
                Target = _current.Status.Kind == FileKind.Symlink ? Posix.ReadLink(_current.Parent, _current.Name) : [],
                // A mount point is left alone, and its file system may not answer.
                Xattrs = IsMountPoint ? [] : ReadXattrs(
                    _current.File >= 0 ? XattrPlace.Open(_current.File) : XattrPlace.Named(_current.Parent, _current.Name),
                    InPlaceTree.Show(_directory.Root, _current.Path)),
            };
        }
    }

    /// <summary>Whether the file that was returned last holds what is wanted.</summary>
    internal bool HasSameContent(ListingEntry wanted, ListingEntry present) =>
        EntryFacts.IsUnchanged(wanted, _current.Status)
        || _existing.HasSameContent(
            wanted, _current.Parent, _current.Name, InPlaceTree.Show(_directory.Root, present.Path));

    /// <inheritdoc/>
    public void Dispose()
    {
        _walker?.Dispose();
        _content.Dispose();
    }

    /// <summary>How many names the directory has that was returned last, whether the walk returns them or not.</summary>
    internal int CountNames()
    {
        int file = _current.File < 0
            ? -1
            : Posix.TryOpen(_current.File, Posix.Terminated("."), Posix.ReadOnly | Posix.DirectoryOnly, 0, out _);
        if (file < 0)
        {
            // A mount point, which is not entered, and so on: it stays.
            return int.MaxValue;
        }
        try
        {
            List<byte[]> names = [];
            int leftOut = new DirectoryNames().Read(file, InPlaceTree.Show(_directory.Root, _current.Path), names);
            // Sockets go with the directory.
            return leftOut + names.Count(
                n => !Posix.TryStatus(file, n, out FileStatus status, out _) || status.Kind != FileKind.Socket);
        }
        finally
        {
            _ = Libc.Close(file);
        }
    }

    /// <summary>The attributes of an entry; none when they cannot be read: a dry run then tells a change that the restore would
    /// find to be none.</summary>
    internal static ImmutableArray<Xattr> ReadXattrs(XattrPlace place, string display)
    {
        try
        {
            return Xattrs.Read(place, display);
        }
        catch (PosixException)
        {
            // As the summary says.
            return [];
        }
    }
}
