namespace Backupd.Backup.Store;

/// <summary>
/// Passes the entries of a whole listing on as long as they are what the artifact says: one file, or a tree in which every entry
/// lies in a directory of the same listing. Whoever writes what it reads, to the disk or into an archive, reads it through this.
/// </summary>
internal sealed class ListedTree
{
    private readonly ArtifactFile _artifact;
    private readonly Stack<byte[]> _directories = new();
    private bool _hasRoot;

    private ListedTree(ArtifactFile artifact) => _artifact = artifact;

    /// <summary>The same entries.</summary>
    /// <exception cref="BackupException">RunDamaged: names the entry that is out of place.</exception>
    internal static IEnumerable<ListingEntry> Of(ArtifactFile artifact, IEnumerable<ListingEntry> entries)
    {
        ListedTree tree = new(artifact);
        foreach (ListingEntry entry in entries)
        {
            tree.Take(entry);
            yield return entry;
        }
        if (!tree._hasRoot)
        {
            throw tree.Damaged("it has no entry");
        }
    }

    private void Take(ListingEntry entry)
    {
        bool isTree = _artifact.Kind == ArtifactFile.DirectoryKind;
        if (entry.Path.Length == 0)
        {
            if (entry.Type != (isTree ? EntryType.Directory : EntryType.File))
            {
                throw Damaged(
                    $"its root is a {ListingLineWriter.TypeText(entry.Type)} and is not a {(isTree ? "directory" : "file")}");
            }
            _hasRoot = true;
        }
        else
        {
            int slash = entry.Path.AsSpan().LastIndexOf((byte)'/');
            ReadOnlySpan<byte> parent = entry.Path.AsSpan(0, Math.Max(slash, 0));
            while (_directories.Count > 0 && !parent.SequenceEqual(_directories.Peek()))
            {
                _directories.Pop();
            }
            if (_directories.Count == 0)
            {
                throw OutOfPlace(entry);
            }
        }
        if (entry.Type == EntryType.Directory)
        {
            _directories.Push(entry.Path);
        }
    }

    /// <summary>What is said of an entry below something that is no directory.</summary>
    internal static BackupException OutOfPlace(ListingEntry entry) => new(
        BackupFault.RunDamaged,
        $"the listing holds an entry that cannot be restored, {entry.DisplayPath}: the directory that holds it is not a "
        + "directory of the listing");

    private BackupException Damaged(string what) =>
        new(BackupFault.RunDamaged, $"the listing of {_artifact.Participant} is damaged: {what}");
}
