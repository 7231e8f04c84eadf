using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>Chunks and the bytes that their files take.</summary>
/// <param name="Chunks">How many.</param>
/// <param name="Bytes">The sizes of their files.</param>
public readonly record struct ChunkTally(long Chunks, long Bytes)
{
    /// <summary>Both together.</summary>
    public static ChunkTally operator +(ChunkTally left, ChunkTally right) =>
        new(left.Chunks + right.Chunks, left.Bytes + right.Bytes);
}

/// <summary>A chunk's file.</summary>
internal readonly record struct ChunkFile(ChunkId Id, long Size)
{
    /// <summary>Its name as the C library wants it.</summary>
    internal byte[] Name => Posix.Terminated(Id.ToString());
}

/// <summary>
/// Chunk files as they lie in <c>chunks/</c> and in <c>trash/chunks-…/</c>: <c>ab/abcd…</c>. Only what is exactly so is
/// seen: a link, a file of another name or in the wrong folder is somebody else's, and no link is followed.
/// </summary>
internal static class ChunkTree
{
    internal const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The folder that holds a chunk: its first two digits.</summary>
    internal static string FolderOf(ChunkId id) => id.ToString()[..2];

    /// <summary>Does something with the chunks of every folder.</summary>
    /// <param name="root">What holds the folders.</param>
    /// <param name="work">Given a folder's name, the folder, open, and its chunks, which were all read before.</param>
    /// <param name="advance">Told before each folder how many are done and how many there are.</param>
    /// <returns>What the work returned, together.</returns>
    internal static ChunkTally Visit(
        string root, Func<string, SafeFileHandle, List<ChunkFile>, ChunkTally> work, Action<int, int> advance)
    {
        string[] names =
        [
            .. Directory.EnumerateDirectories(root)
                .Select(p => Path.GetFileName(p))
                .Where(n => n.Length == 2 && n.All(char.IsAsciiHexDigitLower))
                .Order(StringComparer.Ordinal),
        ];
        ChunkTally total = default;
        for (int i = 0; i < names.Length; i++)
        {
            advance(i, names.Length);
            using SafeFileHandle? folder = TryOpenFolder(root, names[i]);
            if (folder is not null)
            {
                total += work(names[i], folder, Files(root, names[i], folder));
            }
        }
        return total;
    }

    /// <summary>Opens a folder; null when there is none or when it is a link.</summary>
    internal static SafeFileHandle? TryOpenFolder(string root, string folder)
    {
        string path = $"{root}/{folder}";
        int file = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0,
            out int error);
        if (file >= 0)
        {
            return new SafeFileHandle(file, ownsHandle: true);
        }
        return error is Errno.NoEntry or Errno.NotDirectory or Errno.TooManyLinks
            ? null
            : throw new PosixException("open", path, error);
    }

    /// <summary>The size of a chunk's file in an open folder; -1 when there is none.</summary>
    internal static long SizeOf(SafeFileHandle folder, ChunkId id) =>
        Posix.TryStatus(Posix.Number(folder), Posix.Terminated(id.ToString()), out FileStatus status, out _)
            && status.IsRegular
            ? status.Size
            : -1;

    private static List<ChunkFile> Files(string root, string folder, SafeFileHandle opened)
    {
        List<ChunkFile> files = [];
        foreach (string path in Directory.EnumerateFiles($"{root}/{folder}"))
        {
            ReadOnlySpan<char> name = Path.GetFileName(path.AsSpan());
            if (name.StartsWith(folder) && ChunkId.TryParse(name, out ChunkId id)
                && SizeOf(opened, id) is long size and >= 0)
            {
                files.Add(new ChunkFile(id, size));
            }
        }
        return files;
    }
}
