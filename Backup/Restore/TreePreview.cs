using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Says what a <see cref="TreeWriter"/> would do with each entry of a listing, and refuses what it would refuse. Like
/// it, it looks at nothing but what open directories hold, and follows no link.
/// </summary>
internal sealed class TreePreview : IDisposable
{
    private readonly int? _target;
    private readonly string _root;
    private readonly bool _overwrite;
    private readonly bool _preserveSpecial;
    private readonly ExistingEntries _existing;
    private readonly ChunkPresence _chunks;
    private readonly RestoreTally _tally;
    private readonly Stack<SeenDirectory> _above = new();
    private readonly LinkedNames _links = new();

    /// <param name="target">The open directory that would receive the tree; null when it does not exist.</param>
    /// <param name="root">The path of the tree to be; its last component is its name in <paramref name="target"/>.</param>
    /// <param name="overwrite">Whether entries may exist.</param>
    /// <param name="preserveSpecial">Whether entries get their <see cref="SpecialRights"/>.</param>
    /// <param name="existing">Compares; must not change anything.</param>
    /// <param name="chunks">Knows which content could be written.</param>
    /// <param name="tally">Told the bytes that were looked at, and what would be missing or lost.</param>
    internal TreePreview(
        int? target, string root, bool overwrite, bool preserveSpecial, ExistingEntries existing, ChunkPresence chunks,
        RestoreTally tally)
    {
        _target = target;
        _root = root;
        _overwrite = overwrite;
        _preserveSpecial = preserveSpecial;
        _existing = existing;
        _chunks = chunks;
        _tally = tally;
    }

    /// <summary>Content bytes of what would be created or rewritten, hard links counted once.</summary>
    internal long BytesToWrite { get; private set; }

    /// <summary>One step an entry, in the order of the entries.</summary>
    internal IEnumerable<RestoreStep> Steps(IEnumerable<ListingEntry> entries)
    {
        foreach (ListingEntry entry in entries)
        {
            (int? parent, byte[] name) = Locate(entry);
            string problem = "";
            RestoreAction action = entry.Type == EntryType.Directory
                ? Enter(entry, parent, name)
                : Leaf(entry, parent, name, out problem);
            if (!_preserveSpecial && action is not (RestoreAction.LeaveOut or RestoreAction.Skip))
            {
                WarnOfSpecial(entry);
            }
            yield return new RestoreStep(action, Show(entry), entry, problem);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_above.Count > 0)
        {
            Leave();
        }
    }

    private void WarnOfSpecial(ListingEntry entry)
    {
        foreach (string sentence in SpecialRights.LeftOut(entry, Show(entry)))
        {
            _tally.Warn(sentence);
        }
    }

    private (int? Parent, byte[] Name) Locate(ListingEntry entry)
    {
        if (entry.Path.Length == 0)
        {
            return (_target, Posix.Terminated(Path.GetFileName(_root)));
        }
        int slash = entry.Path.AsSpan().LastIndexOf((byte)'/');
        ReadOnlySpan<byte> parent = entry.Path.AsSpan(0, Math.Max(slash, 0));
        while (_above.Count > 0 && !parent.SequenceEqual(_above.Peek().Path))
        {
            Leave();
        }
        return _above.Count > 0
            ? (_above.Peek().File, Posix.Terminated(entry.Path.AsSpan(slash + 1)))
            : throw ListedTree.OutOfPlace(entry);
    }

    private RestoreAction Enter(ListingEntry entry, int? parent, byte[] name)
    {
        if (!Exists(entry, parent, name, out _))
        {
            _above.Push(new SeenDirectory(null, entry.Path));
            return RestoreAction.Create;
        }
        if (!_overwrite)
        {
            throw new PosixException("make the directory", Show(entry), Errno.Exists);
        }
        int file = Posix.TryOpen(
            parent!.Value, name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out int error);
        if (file < 0)
        {
            throw TreeWriter.CannotEnter(Show(entry), error);
        }
        _above.Push(new SeenDirectory(file, entry.Path));
        return RestoreAction.Same;
    }

    private RestoreAction Leaf(ListingEntry entry, int? parent, byte[] name, out string problem)
    {
        problem = "";
        if (SpecialRights.IsDevice(entry) && !_preserveSpecial)
        {
            problem = SpecialRights.DeviceLeftOut(Show(entry));
            _tally.Missing(problem);
            return RestoreAction.Skip;
        }
        bool exists = Exists(entry, parent, name, out FileStatus status);
        if (exists && status.IsDirectory)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{Show(entry)} is a directory and would become a {ListingLineWriter.TypeText(entry.Type)}; move it away first");
        }
        if (_links.Find(entry) is { IsSame: true })
        {
            // Linked to the first name, whose content was counted.
            return exists ? RestoreAction.Rewrite : RestoreAction.Create;
        }
        try
        {
            EntryContent.Check(entry);
            if (exists && _overwrite && _existing.IsSame(entry, parent!.Value, name, Show(entry)))
            {
                return RestoreAction.Same;
            }
            CheckChunks(entry);
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            problem = e.Message;
            return RestoreAction.LeaveOut;
        }
        _links.Add(entry);
        BytesToWrite = CappedSum.Add(BytesToWrite, entry.Size);
        _tally.AddBytes(entry.Size);
        return exists ? RestoreAction.Rewrite : RestoreAction.Create;
    }

    private bool Exists(ListingEntry entry, int? parent, byte[] name, out FileStatus status)
    {
        status = default;
        int error = Errno.NoEntry;
        bool exists = parent is int directory && Posix.TryStatus(directory, name, out status, out error);
        return exists || error == Errno.NoEntry ? exists : throw new PosixException("look at", Show(entry), error);
    }

    private void CheckChunks(ListingEntry entry)
    {
        foreach (Segment segment in entry.Segments.Where(s => !s.IsHole))
        {
            string? problem = _chunks.ProblemOf(segment.Chunk, segment.StoredSize);
            if (problem is not null)
            {
                throw new BackupException(
                    BackupFault.RunDamaged, $"{entry.DisplayPath}: chunk {segment.Chunk} {problem}");
            }
        }
    }

    private void Leave()
    {
        if (_above.Pop().File is int file)
        {
            // Opened for looking: closing loses nothing.
            _ = Libc.Close(file);
        }
    }

    private string Show(ListingEntry entry) =>
        entry.Path.Length == 0 ? _root : $"{_root}/{Encoding.UTF8.GetString(entry.Path)}";

    private readonly record struct SeenDirectory(int? File, byte[] Path);
}
