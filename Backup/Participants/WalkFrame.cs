namespace Backupd.Backup.Participants;

/// <summary>A directory of the path that a walk has come down, with the names that are left of it.</summary>
internal sealed class WalkFrame(byte[] path, int file)
{
    private int _nextDirectory;

    internal byte[] Path { get; } = path;

    /// <summary>In listing order, each with a zero at its end.</summary>
    internal List<byte[]> Names { get; } = [];

    /// <summary>Those of them of which the file system says that they are directories, in the same order. It may say nothing,
    /// and what it says may have changed.</summary>
    internal List<byte[]> Directories { get; } = [];

    /// <summary>-1 while closed.</summary>
    internal int File { get; set; } = file;

    /// <summary>Of the name that is visited next.</summary>
    internal int Index { get; set; }

    /// <summary>Whether the name that is visited is said to be a directory. To be asked for each name once, in order.</summary>
    internal bool IsDirectory(byte[] name)
    {
        bool isDirectory = _nextDirectory < Directories.Count && Directories[_nextDirectory].AsSpan().SequenceEqual(name);
        _nextDirectory += isDirectory ? 1 : 0;
        return isDirectory;
    }

    /// <summary>Whether a name that was just visited has its -wal or -journal beside it: names are sorted, so it would come
    /// soon.</summary>
    internal bool HasDatabaseLog(byte[] name)
    {
        ReadOnlySpan<byte> start = name.AsSpan(0, name.Length - 1);
        for (int i = Index; i < Names.Count && Names[i].AsSpan().StartsWith(start); i++)
        {
            ReadOnlySpan<byte> suffix = Names[i].AsSpan(start.Length);
            if (suffix.SequenceEqual("-wal\0"u8) || suffix.SequenceEqual("-journal\0"u8))
            {
                return true;
            }
        }
        return false;
    }
}
