using System.Text;
using System.Text.Json;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>How long a line of a listing may be (docs/format.md).</summary>
[TestClass]
public sealed class ListingLineTests
{
    [TestMethod]
    [DataRow(999, "999")]
    [DataRow(1000, "1000")]
    [DataRow(1001, "1000 1")]
    [DataRow(2500, "1000 1000 500")]
    public void A_line_has_at_most_a_thousand_segments(int segments, string expected)
    {
        using ListingStore store = new();
        ListingEntry entry = ListingStore.Entry("big"u8.ToArray()) with
        {
            Segments = [.. Enumerable.Range(1, segments).Select(i => new Segment(ChunkId.Of([(byte)i]), i, i, i))],
        };
        List<int> counts = [];
        using ChunkCodec codec = new();
        foreach (ListingChunk chunk in store.Add([entry]).Listing)
        {
            Assert.IsTrue(ChunkId.TryParse(chunk.Chunk, out ChunkId id));
            Assert.IsNull(codec.TryRead(store.ChunkFile(chunk), id, cold: false, chunk.StoredSize, out ReadOnlySpan<byte> content));
            foreach (string line in Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                using JsonDocument json = JsonDocument.Parse(line);
                counts.Add(json.RootElement.GetProperty("seg").GetArrayLength());
            }
        }
        Assert.AreEqual(expected, string.Join(' ', counts));
    }
}
