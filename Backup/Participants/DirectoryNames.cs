using System.Buffers.Binary;
using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>Reads the names in an open directory, as bytes, in listing order.</summary>
internal sealed class DirectoryNames
{
    private const byte DirectoryType = 4;

    private readonly byte[] _buffer = new byte[64 * 1024];

    /// <summary>
    /// Fills <paramref name="names"/>, each zero-terminated. A directory that says it is a cache keeps its tag, so that
    /// it is one again after a restore, and nothing else (Bryan Ford, "Cache Directory Tagging Specification").
    /// </summary>
    /// <param name="directory">Open, and not read yet.</param>
    /// <param name="display">Its path for messages.</param>
    /// <param name="names">Is filled.</param>
    /// <param name="directories">Is filled with those names that the file system calls directories; null when nobody wants
    /// to know.</param>
    /// <returns>How many names were left out for that reason.</returns>
    internal int Read(int directory, string display, List<byte[]> names, List<byte[]>? directories = null)
    {
        while (ReadSome(directory, display, names, directories))
        {
        }
        Order(names);
        if (directories is not null)
        {
            Order(directories);
        }
        return KeepOnlyCacheTag(directory, names);
    }

    /// <summary>Whether there is anything in a directory.</summary>
    /// <exception cref="PosixException">It cannot be read.</exception>
    internal static bool IsEmpty(string path)
    {
        int directory = Posix.TryOpenQuietly(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.DirectoryOnly, out int error);
        if (directory < 0)
        {
            throw new PosixException("open", path, error);
        }
        try
        {
            DirectoryNames reader = new();
            List<byte[]> names = [];
            while (names.Count == 0 && reader.ReadSome(directory, path, names, directories: null))
            {
            }
            return names.Count == 0;
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(directory);
        }
    }

    /// <summary>Sorts names. A directory that changes while it is read may tell one twice, and a listing has every path
    /// once.</summary>
    internal static void Order(List<byte[]> names)
    {
        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        byte[]? last = null;
        names.RemoveAll(name =>
        {
            bool isSame = last is not null && last.AsSpan().SequenceEqual(name);
            last = name;
            return isSame;
        });
    }

    // False at the end.
    private unsafe bool ReadSome(int directory, string display, List<byte[]> names, List<byte[]>? directories)
    {
        nint count;
        fixed (byte* buffer = _buffer)
        {
            count = Libc.GetDents(directory, buffer, _buffer.Length);
        }
        if (count < 0)
        {
            throw PosixException.Last("list", display);
        }
        Add(_buffer.AsSpan(0, (int)count), names, directories);
        return count > 0;
    }

    private static int KeepOnlyCacheTag(int directory, List<byte[]> names)
    {
        ReadOnlySpan<byte> tag = "CACHEDIR.TAG\0"u8;
        int index = -1;
        for (int i = 0; i < names.Count && index < 0; i++)
        {
            index = tag.SequenceEqual(names[i]) ? i : -1;
        }
        if (index < 0 || !HasCacheSignature(directory, names[index]))
        {
            return 0;
        }
        int others = names.Count - 1;
        byte[] kept = names[index];
        names.Clear();
        names.Add(kept);
        return others;
    }

    private static bool HasCacheSignature(int directory, byte[] name)
    {
        ReadOnlySpan<byte> signature = "Signature: 8a477f597d28d172789f06886806bc55"u8;
        int file = Posix.TryOpenQuietly(directory, name, Posix.NoFollow | Posix.NonBlock, out _);
        if (file < 0)
        {
            return false;
        }
        try
        {
            Span<byte> start = stackalloc byte[signature.Length];
            return Posix.Status(file, "CACHEDIR.TAG").IsRegular
                && start[..Posix.ReadFully(file, start, 0, "CACHEDIR.TAG")].SequenceEqual(signature);
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }

    // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, then the name with its zero.
    private static void Add(ReadOnlySpan<byte> records, List<byte[]> names, List<byte[]>? directories)
    {
        while (records.Length > 0)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(records[16..]);
            ReadOnlySpan<byte> name = records[19..length];
            name = name[..name.IndexOf((byte)0)];
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
            {
                names.Add(Posix.Terminated(name));
                if (records[18] == DirectoryType)
                {
                    directories?.Add(names[^1]);
                }
            }
            records = records[length..];
        }
    }
}
