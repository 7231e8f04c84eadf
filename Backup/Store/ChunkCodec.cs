using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>
/// The one place that maps a chunk's content to the bytes of its file and back: a zstd frame with content size and
/// checksum. One instance a thread.
/// </summary>
internal sealed class ChunkCodec : IDisposable
{
    /// <summary>Level 1: on two cores a higher one would make the processor the limit, not the disk.</summary>
    internal const int CompressionLevel = 1;

    /// <summary>The largest that the file of a chunk can be.</summary>
    internal static readonly int MaxFileBytes = Zstd.MaxCompressedSize(Chunker.MaxBytes);

    // With room for the whole block that a direct write or read ends with.
    internal static readonly int FileBufferBytes = MaxFileBytes + DirectFile.Alignment;

    private readonly Zstd _zstd = new();
    private NativeBuffer? _file;
    private NativeBuffer? _content;

    /// <summary>The content bytes that the file of a chunk states; -1 when it cannot be read.</summary>
    internal static long ContentSize(BackupStore store, ChunkId id)
    {
        string path = BackupStore.ChunkPath(store.ChunksDirectory, id);
        int file = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0, out _);
        if (file < 0)
        {
            return -1;
        }
        try
        {
            // A frame's header has at most 18 bytes (RFC 8878, 3.1.1.1, with the magic number).
            Span<byte> header = stackalloc byte[18];
            return Zstd.ContentSize(header[..Posix.ReadFully(file, header, 0, path)]);
        }
        catch (PosixException)
        {
            // Whoever needs the content meets the same and reports it.
            return -1;
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }

    /// <summary>Makes the bytes of the chunk's file.</summary>
    /// <returns>The buffer that begins with them, valid until the next call, and how many they are.</returns>
    internal (NativeBuffer File, int Length) Encode(ReadOnlySpan<byte> content)
    {
        _file ??= new NativeBuffer(FileBufferBytes);
        return (_file, _zstd.Compress(content, _file.Span, CompressionLevel));
    }

    /// <summary>
    /// Reads a chunk's file and checks that it holds what the name says. Valid until the next call.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="id">Its name.</param>
    /// <param name="cold">Drop the file's cached pages first, so that the disk answers.</param>
    /// <param name="storedSize">The size that a listing recorded; 0 when none is known. Another size alone is no damage: the
    /// same content may have been stored by another version of the compressor.</param>
    /// <param name="content">The content when the result is null.</param>
    /// <returns>Null when all is right, else what is wrong, as a clause: <c>is missing</c>.</returns>
    internal string? TryRead(string path, ChunkId id, bool cold, long storedSize, out ReadOnlySpan<byte> content)
    {
        content = default;
        string? problem = TryReadStored(path, cold, out ReadOnlySpan<byte> stored) ?? TryDecode(stored, id, out content);
        // Another size alone is no damage; where there is some, it says most.
        return problem is not null && stored.Length > 0 && storedSize != 0 && stored.Length != storedSize
            ? $"has {stored.Length} bytes where {storedSize} were expected"
            : problem;
    }

    /// <summary>Reads the bytes of a chunk's file, whatever is in them. Valid until the next call.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cold">Drop the file's cached pages first, so that the disk answers.</param>
    /// <param name="stored">The bytes when the result is null.</param>
    /// <returns>Null, or what is wrong, as a clause.</returns>
    internal string? TryReadStored(string path, bool cold, out ReadOnlySpan<byte> stored)
    {
        _file ??= new NativeBuffer(FileBufferBytes);
        string? problem = TryReadStored(path, cold, _file, out int length);
        stored = _file.Span[..length];
        return problem;
    }

    /// <summary>The same into given memory, of <see cref="FileBufferBytes"/>.</summary>
    internal static string? TryReadStored(string path, bool cold, NativeBuffer buffer, out int length)
    {
        length = 0;
        int file = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0,
            out int error);
        if (file < 0)
        {
            return error == Errno.NoEntry
                ? "is missing"
                : $"cannot be read: {new PosixException("open", path, error).Reason}";
        }
        try
        {
            FileStatus status = Posix.Status(file, path);
            if (!status.IsRegular || status.Size == 0 || status.Size > MaxFileBytes)
            {
                return $"is not a chunk: {status.Size} bytes";
            }
            if (cold)
            {
                Posix.DropCache(file);
            }
            int size = (int)status.Size;
            if (DirectFile.Read(file, buffer, size, path) < size)
            {
                return "became shorter while it was read";
            }
            length = size;
            return null;
        }
        catch (PosixException e)
        {
            return $"cannot be read: {e.Reason}";
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _zstd.Dispose();
        _file?.Dispose();
        _content?.Dispose();
    }

    /// <summary>Takes the content out of the bytes of a chunk's file and checks that it is what the name says. Valid until the
    /// next call.</summary>
    /// <returns>Null when all is right, else what is wrong, as a clause.</returns>
    internal string? TryDecode(ReadOnlySpan<byte> stored, ChunkId id, out ReadOnlySpan<byte> content)
    {
        content = default;
        long size = Zstd.ContentSize(stored);
        if (size is < 0 or > Chunker.MaxBytes)
        {
            return "is not a zstd frame of a chunk";
        }
        _content ??= new NativeBuffer(Chunker.MaxBytes);
        int length = _zstd.Decompress(stored, _content.Span, out string error);
        if (length < 0)
        {
            return $"cannot be decompressed: {error}";
        }
        if (ChunkId.Of(_content.Span[..length]) != id)
        {
            return "does not hash to its name";
        }
        content = _content.Span[..length];
        return null;
    }
}
