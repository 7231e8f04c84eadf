namespace Backupd.Backup.Store;

/// <summary>What a listing entry is.</summary>
public enum EntryType
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A symbolic link.</summary>
    Symlink,

    /// <summary>A named pipe.</summary>
    Fifo,

    /// <summary>A character device.</summary>
    CharDevice,

    /// <summary>A block device.</summary>
    BlockDevice,
}

/// <summary>One entry of a listing: a file system object and where its content is.</summary>
public sealed record ListingEntry
{
    /// <summary>Path below the root, as bytes with <c>/</c>; empty for the root itself.</summary>
    public required byte[] Path { get; init; }

    /// <summary>What it is.</summary>
    public required EntryType Type { get; init; }

    /// <summary>Permission bits with setuid, setgid and sticky: 07777.</summary>
    public required uint Mode { get; init; }

    /// <summary>Owner.</summary>
    public required uint Uid { get; init; }

    /// <summary>Group.</summary>
    public required uint Gid { get; init; }

    /// <summary>Modification time, whole seconds since 1970; may be negative.</summary>
    public required long MtimeSeconds { get; init; }

    /// <summary>Content bytes of a file; 0 for everything else.</summary>
    public long Size { get; init; }
}
