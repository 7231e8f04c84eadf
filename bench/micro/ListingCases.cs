using System.Globalization;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Micro;

/// <summary>The two ways to deal with the line of a file in the listing of the run before.</summary>
internal sealed class ListingCases
{
    private readonly ListingEntry[] _entries;
    private readonly byte[][] _lines;

    /// <param name="count">How many files.</param>
    internal ListingCases(int count)
    {
        _entries = [.. Enumerable.Range(0, count).Select(Entry)];
        ListingLineWriter writer = new(1024);
        _lines = [.. _entries.Select(e => Line(writer, e))];
    }

    /// <summary>Makes the identity of a file as the walk met it, compares it and takes the segments from the line, as for
    /// every file that has not changed; lines a second.</summary>
    internal Measurement Match()
    {
        ListingLineWriter identity = new(1024);
        return Measurement.Of(
            _lines.Length,
            () =>
            {
                long same = 0;
                for (int i = 0; i < _lines.Length; i++)
                {
                    identity.Clear();
                    identity.WriteIdentity(EntryIdentity.Of(_entries[i]));
                    same += IsSame(_lines[i], identity, _entries[i].Size) ? 1 : 0;
                }
                return same;
            });
    }

    /// <summary>Parses a line completely, as for a restore or a file that has changed; lines a second.</summary>
    internal Measurement Parse() => Measurement.Of(
        _lines.Length,
        () =>
        {
            long right = 0;
            for (int i = 0; i < _lines.Length; i++)
            {
                right += ListingLine.Read(_lines[i]).ToEntry().Size == _entries[i].Size ? 1 : 0;
            }
            return right;
        });

    private static bool IsSame(ReadOnlySpan<byte> line, ListingLineWriter identity, long size)
    {
        if (!line.StartsWith(identity.Text) || !KnownLine.TryRead(line, identity.Length, size, out KnownLine known))
        {
            return false;
        }
        long length = 0;
        while (known.Next(out Segment segment))
        {
            length += segment.Length;
        }
        return known.IsAtEnd && length == size;
    }

    private static byte[] Line(ListingLineWriter writer, ListingEntry entry)
    {
        writer.Clear();
        writer.WriteEntry(entry, entry.Segments.Length);
        return writer.Text.ToArray();
    }

    // Most files of most trees: small, one segment, no attributes.
    private static ListingEntry Entry(int number)
    {
        string path = string.Create(
            CultureInfo.InvariantCulture, $"usr/share/doc/package-{number / 20}/examples/file-{number}.txt");
        ChunkId chunk = ChunkId.Of(BitConverter.GetBytes(number / 100));
        int size = 500 + number % 10_000;
        return new ListingEntry
        {
            Path = Encoding.UTF8.GetBytes(path),
            Type = EntryType.File,
            Mode = 0b110_100_100,
            Uid = 0,
            Gid = 0,
            Mtime = new FileTime(1_700_000_000 + number, 123_456_789),
            Ctime = new FileTime(1_750_000_000 + number, 987_654_321),
            Inode = 1_000_000 + (ulong)number,
            Size = size,
            Sha256 = chunk.ToString(),
            Segments = [new Segment(chunk, number % 100 * 10_500, size, 300_000)],
        };
    }
}
