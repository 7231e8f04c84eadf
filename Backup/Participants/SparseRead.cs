using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Reads large files as streams and leaves their holes out.</summary>
internal static class SparseRead
{
    private const int ReadBytes = 1024 * 1024;

    // A hole shorter than this is read as the zeros it is: a segment of its own would cost more.
    private const long MinHoleBytes = 64 * 1024;

    /// <summary>Reads a file from its start to its end.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="before">Its status before the first read.</param>
    /// <param name="content">Takes what is read.</param>
    /// <param name="display">The path, for messages.</param>
    /// <param name="context">Told of what is read.</param>
    /// <param name="isKind">Looks at how the file begins.</param>
    /// <returns>What <paramref name="isKind"/> said.</returns>
    internal static bool All(
        int file, FileStatus before, StreamedFile content, string display, ParticipantContext context,
        Func<ReadOnlySpan<byte>, bool> isKind)
    {
        Posix.ReadAhead(file);
        bool isOfKind = false;
        bool sparse = before.Blocks512 * 512 < before.RawSize;
        long counted = 0;
        long position = 0;
        while (true)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            long dataEnd = long.MaxValue;
            if (sparse)
            {
                position = SkipHole(file, position, before.Size, content, out dataEnd);
            }
            Span<byte> space = content.Space();
            int wanted = (int)Math.Min(Math.Min(space.Length, ReadBytes), dataEnd - position);
            int count = wanted == 0 ? 0 : Posix.ReadFully(file, space[..wanted], position, display);
            if (count == 0)
            {
                break;
            }
            isOfKind |= position == 0 && isKind(space[..count]);
            content.Advance(count);
            position += count;
            context.BytesRead += count;
            context.Advance(0, content.Length - counted);
            counted = content.Length;
        }
        content.Complete();
        return isOfKind;
    }

    // Adds the hole at a position, if there is one worth it, and tells where the data after it ends.
    private static long SkipHole(int file, long position, long size, StreamedFile content, out long dataEnd)
    {
        dataEnd = long.MaxValue;
        if (position >= size)
        {
            return position;
        }
        long data = FileHoles.DataFrom(file, position, size);
        if (data - position >= MinHoleBytes)
        {
            content.Hole(data - position);
            position = data;
        }
        long hole = data < size ? FileHoles.DataEnd(file, Math.Max(position, data)) : size;
        if (hole > position)
        {
            dataEnd = hole;
        }
        return position;
    }
}
