namespace Backupd.Backup.Store;

/// <summary>What tells whether an entry is the same as at an earlier run: the beginning of its line. A value, because a run makes
/// one for every entry that it meets.</summary>
internal readonly struct EntryIdentity
{
    /// <summary>Path below the root, as bytes with <c>/</c>.</summary>
    internal required byte[] Path { get; init; }

    /// <summary>What it is.</summary>
    internal required EntryType Type { get; init; }

    /// <summary>Permission bits with setuid, setgid and sticky: 07777.</summary>
    internal required uint Mode { get; init; }

    /// <summary>Owner.</summary>
    internal required uint Uid { get; init; }

    /// <summary>Group.</summary>
    internal required uint Gid { get; init; }

    /// <summary>Modification time.</summary>
    internal required FileTime Mtime { get; init; }

    /// <summary>Change time of the inode.</summary>
    internal required FileTime Ctime { get; init; }

    /// <summary>Inode number.</summary>
    internal required ulong Inode { get; init; }

    /// <summary>That of an entry.</summary>
    internal static EntryIdentity Of(ListingEntry entry) => new()
    {
        Path = entry.Path,
        Type = entry.Type,
        Mode = entry.Mode,
        Uid = entry.Uid,
        Gid = entry.Gid,
        Mtime = entry.Mtime,
        Ctime = entry.Ctime,
        Inode = entry.Inode,
    };
}
