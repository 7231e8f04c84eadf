using System.Collections.Concurrent;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ChunkWriterTests
{
    private const int Threads = 8;

    [TestMethod]
    public void Every_thread_that_waited_for_a_chunk_tells_why_it_could_not_be_written()
    {
        using TempDirectory directory = new();
        using ChunkWriter chunks = new(BackupStore.OpenOrCreate(directory["s"]), directory.MakeDirectory("run"));
        Directory.Delete(directory["run"]);
        ConcurrentBag<string> reasons = [];
        for (int round = 0; round < 20; round++)
        {
            byte[] content = new byte[Chunker.MaxBytes];
            new Random(round).NextBytes(content);
            ChunkId id = ChunkId.Of(content);
            using Barrier together = new(Threads);
            Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
            {
                using ChunkCodec codec = new();
                together.SignalAndWait();
                reasons.Add(Assert.ThrowsExactly<StoreWriteException>(() => chunks.Put(id, content, codec)).Message);
            }))];
            Array.ForEach(threads, t => t.Start());
            Array.ForEach(threads, t => t.Join());
        }
        Assert.HasCount(20 * Threads, reasons);
        foreach (string reason in reasons)
        {
            Assert.Contains("No such file or directory", reason);
        }
    }

    [TestMethod]
    public void A_directory_that_cannot_be_made_is_a_failure_of_the_store()
    {
        using TempDirectory directory = new();
        using ChunkWriter chunks = new(BackupStore.OpenOrCreate(directory["s"]), directory.MakeDirectory("run"));
        using ChunkCodec codec = new();
        ChunkId id = ChunkId.Of("content"u8);
        directory.Write($"run/{id.ToString()[..2]}", "in the way");
        Assert.ThrowsExactly<StoreWriteException>(() => chunks.Put(id, "content"u8, codec));
    }
}
