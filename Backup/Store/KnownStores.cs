namespace Backupd.Backup.Store;

/// <summary>Which directories of a daemon were stores once: <c>known-stores</c> in its state directory, a path a line. A mount
/// point without its disk looks like a directory for a new store; what was a store once must be one now. Safe from any thread;
/// every member touches the disk.</summary>
public sealed class KnownStores
{
    private readonly LineFile _file;

    /// <param name="directory">The state directory, which need not be there yet.</param>
    public KnownStores(string directory) => _file = new LineFile(Path.Combine(directory, "known-stores"));

    /// <summary>Makes sure that a directory may be opened as a store, or made one.</summary>
    /// <param name="directory">The store.</param>
    /// <param name="beside">Stores on the same disk: when some were known and none of them is there, the disk is not.</param>
    /// <exception cref="BackupException">Io: there was a store and there is none, with what to do; or nobody knows.</exception>
    public void Demand(string directory, IEnumerable<string> beside)
    {
        if (WhatIsLost(directory, beside) is string lost)
        {
            throw new BackupException(
                BackupFault.Io,
                $"{lost} holds no store, and did before; is the disk mounted? If it was removed on purpose, remove its line "
                + $"from {_file.Path}");
        }
    }

    /// <summary>Remembers a store that was opened.</summary>
    /// <exception cref="BackupException">Io: it is not remembered.</exception>
    public void Remember(BackupStore store)
    {
        string path = Normal(store.Directory);
        // What is no line cannot be remembered, and nobody calls a store so.
        if (path.Any(char.IsControl) || path != path.Trim())
        {
            return;
        }
        try
        {
            _file.Add(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"{path} is not remembered as a store: {e.Message}", inner: e);
        }
    }

    private string? WhatIsLost(string directory, IEnumerable<string> beside)
    {
        string path = Normal(directory);
        if (BackupStore.IsAt(path))
        {
            return null;
        }
        try
        {
            HashSet<string> known = [.. _file.Read()];
            string[] others = [.. beside.Select(Normal).Where(known.Contains)];
            return known.Contains(path) ? path
                : others.Length > 0 && !Array.Exists(others, BackupStore.IsAt) ? others[0]
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io, $"{path} holds no store, and it is not known whether it ever did: {e.Message}", inner: e);
        }
    }

    private static string Normal(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
