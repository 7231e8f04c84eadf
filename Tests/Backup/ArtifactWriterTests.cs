using System.Text;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ArtifactWriterTests
{
    [TestMethod]
    public void Long_lines_that_wait_are_bounded_by_their_bytes()
    {
        using ListingStore store = new();
        using ChunkWriter chunks = new(store.Store, store.Store.ChunksDirectory);
        using ContentPipeline pipeline = new(chunks, 1, () => { });
        using ArtifactWriter writer = new(pipeline);
        writer.FillSmall(writer.Reserve(), ListingStore.Entry("a") with { Size = 1 }, "x"u8);
        int added = 0;
        while (!writer.IsFull && added < 1000)
        {
            byte[] path = Encoding.UTF8.GetBytes($"b{added++:D4}");
            byte[] line = new byte[90_000];
            line.AsSpan().Fill((byte)' ');
            writer.AddUnchanged(path, line, size: 0, chunks: 0);
        }
        Assert.IsLessThan(200, added);
        writer.Relieve();
        Assert.IsFalse(writer.IsFull);
        long bytes = writer.Finish().Sum(c => (long)c.Length);
        Assert.IsGreaterThan(added * 90_000L, bytes);
    }
}
