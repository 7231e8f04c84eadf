using System.Text.Json;

namespace Backupd.Backup.Store;

/// <summary>Finds out which chunks the lines of one chunk of a listing name, without the listing around it.</summary>
internal static class ListingSegments
{
    /// <summary>The chunks that are named, each once, in the order in which they are needed.</summary>
    /// <param name="content">The content of a chunk of a listing.</param>
    /// <param name="chunks">They are added here.</param>
    /// <returns>False when the content is no part of a listing.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> content, List<ChunkId> chunks)
    {
        HashSet<ChunkId> seen = [];
        while (content.Length > 0)
        {
            int length = content.IndexOf((byte)'\n');
            if (length < 0 || !TryReadLine(content[..length], seen, chunks))
            {
                return false;
            }
            content = content[(length + 1)..];
        }
        return true;
    }

    private static bool TryReadLine(ReadOnlySpan<byte> line, HashSet<ChunkId> seen, List<ChunkId> chunks)
    {
        try
        {
            ListingLine fields = ListingLine.Read(line);
            ListingEntry entry = fields.Type == "more" ? fields.ToContinuation() : fields.ToEntry();
            foreach (Segment segment in entry.Segments)
            {
                if (!segment.IsHole && seen.Add(segment.Chunk))
                {
                    chunks.Add(segment.Chunk);
                }
            }
            return true;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            return false;
        }
    }
}
