namespace Backupd.Backup.Store;

/// <summary>A store directory: what the wire and the documents call <c>backups/</c>.</summary>
public sealed class BackupStore
{
    private BackupStore(string directory) => Directory = directory;

    /// <summary>The absolute path of the store.</summary>
    public string Directory { get; }

    /// <summary>Opens a store; makes it when the directory is missing or empty.</summary>
    /// <exception cref="BackupException">StoreInvalid or Io.</exception>
    public static BackupStore OpenOrCreate(string directory) => new(Path.GetFullPath(directory));

    /// <summary>Opens a store that must exist.</summary>
    /// <exception cref="BackupException">StoreInvalid or Io.</exception>
    public static BackupStore Open(string directory) => new(Path.GetFullPath(directory));
}
