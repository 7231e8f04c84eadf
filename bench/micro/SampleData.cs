using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Micro;

/// <summary>Content in memory, as a stream and as the chunks that it is cut into.</summary>
internal sealed class SampleData : IDisposable
{
    // More than any cache holds: a backup meets its data once.
    private const int Bytes = 256 * 1024 * 1024;

    // What a system with this SDK has in any case: libraries, headers, XML.
    private static readonly string[] Trees = ["/usr/share/dotnet", "/usr/lib/dotnet", "/usr/include"];

    private readonly NativeBuffer _buffer;

    private SampleData(NativeBuffer buffer, string description)
    {
        _buffer = buffer;
        Description = description;
        Chunks = CutAll(buffer.Span);
    }

    /// <summary>Where it comes from.</summary>
    internal string Description { get; }

    /// <summary>The whole stream.</summary>
    internal ReadOnlySpan<byte> Stream => _buffer.Span;

    /// <summary>Its chunks, in order: where each begins and how long it is.</summary>
    internal IReadOnlyList<(int Start, int Length)> Chunks { get; }

    /// <summary>Files of this machine one after the other; random bytes where there are none to be read.</summary>
    internal static SampleData Mixed()
    {
        NativeBuffer buffer = new(Bytes);
        int filled = Trees.Where(Directory.Exists).Aggregate(0, (at, tree) => ReadTree(tree, buffer, at));
        if (filled == 0)
        {
            Fill(buffer.Span);
            return new SampleData(buffer, "random, because this machine has no files to take");
        }
        // Compression looks back less than a chunk, so what comes again costs it as much as the first time.
        for (int at = filled; at < Bytes; at += filled)
        {
            int length = Math.Min(filled, Bytes - at);
            buffer.Span[..length].CopyTo(buffer.Span[at..]);
        }
        return new SampleData(buffer, $"{filled / (1024 * 1024)} MiB of files of this machine");
    }

    /// <summary>Random bytes, the same each time.</summary>
    internal static SampleData Random()
    {
        NativeBuffer buffer = new(Bytes);
        Fill(buffer.Span);
        return new SampleData(buffer, "random");
    }

    /// <summary>The next cut of a stream of which a slab at a time can be seen, as when a file is read.</summary>
    internal static int NextCut(ReadOnlySpan<byte> rest) =>
        Chunker.Cut(rest[..Math.Min(rest.Length, Slab.Bytes)], atEnd: rest.Length <= Slab.Bytes);

    /// <summary>The content of a chunk.</summary>
    internal ReadOnlySpan<byte> Content((int Start, int Length) chunk) => Stream.Slice(chunk.Start, chunk.Length);

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private static List<(int Start, int Length)> CutAll(ReadOnlySpan<byte> stream)
    {
        List<(int Start, int Length)> chunks = [];
        for (int at = 0; at < stream.Length; at += chunks[^1].Length)
        {
            chunks.Add((at, NextCut(stream[at..])));
        }
        return chunks;
    }

    private static int ReadTree(string tree, NativeBuffer buffer, int at)
    {
        EnumerationOptions options = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (string path in Directory.EnumerateFiles(tree, "*", options).Order(StringComparer.Ordinal))
        {
            if (at == Bytes)
            {
                break;
            }
            try
            {
                using FileStream file = File.OpenRead(path);
                at += file.ReadAtLeast(buffer.Span[at..], Bytes - at, throwOnEndOfStream: false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Any files will do; what cannot be read is passed over.
            }
        }
        return at;
    }

    private static void Fill(Span<byte> bytes) => new Random(20_261_125).NextBytes(bytes);
}
