using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Chunks that are read a little ahead of whoever takes them.</summary>
[TestClass]
public sealed class ChunkReadAheadTests : IDisposable
{
    private readonly TempDirectory _source = new();
    private readonly NativeBuffer[] _buffers =
        [.. Enumerable.Range(0, ChunkReadAhead.Pieces).Select(_ => new NativeBuffer(ChunkCodec.FileBufferBytes))];

    public void Dispose()
    {
        Array.ForEach(_buffers, b => b.Dispose());
        _source.Dispose();
    }

    [TestMethod]
    public async Task They_come_in_their_order_and_one_that_is_missing_is_told_in_its_turn()
    {
        using Engine engine = await FilledAsync();
        ChunkId[] ids = Ids(engine);
        Assert.IsGreaterThan(2 * ChunkReadAhead.Pieces, ids.Length);
        ids[ChunkReadAhead.Pieces] = new ChunkId(new byte[ChunkId.Size]);
        AssertRead(engine.Store, ids);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(4)]
    public async Task Whoever_takes_no_more_is_not_waited_for(int taken)
    {
        using Engine engine = await FilledAsync();
        ChunkId[] ids = Ids(engine);
        Assert.IsGreaterThan(taken + ChunkReadAhead.Pieces, ids.Length);
        Task reading = Task.Run(
            () =>
            {
                using ChunkReadAhead ahead = new(engine.Store, ids, _buffers);
                for (int i = 0; i < taken; i++)
                {
                    Assert.IsNull(ahead.Next(out _));
                }
            },
            CancellationToken.None);
        await Deadline.Of(reading, "the reading to end");
    }

    private void AssertRead(BackupStore store, ChunkId[] ids)
    {
        using ChunkReadAhead ahead = new(store, ids, _buffers);
        foreach (ChunkId id in ids)
        {
            string? problem = ahead.Next(out ReadOnlySpan<byte> stored);
            string path = BackupStore.ChunkPath(store.ChunksDirectory, id);
            Assert.AreEqual(File.Exists(path) ? null : "is missing", problem);
            CollectionAssert.AreEqual(File.Exists(path) ? File.ReadAllBytes(path) : [], stored.ToArray(), id.ToString());
        }
        Assert.ThrowsExactly<InvalidOperationException>(() => ahead.Next(out _));
    }

    // A few chunks, each of them several times: nobody minds.
    private static ChunkId[] Ids(Engine engine) => [.. Enumerable.Repeat(engine.Chunks(), 5).SelectMany(c => c).Select(IdOf)];

    private async Task<Engine> FilledAsync()
    {
        byte[] noise = new byte[300_000];
        Random random = new(91);
        for (int i = 0; i < 8; i++)
        {
            random.NextBytes(noise);
            Directory.CreateDirectory(_source["tree"]);
            await File.WriteAllBytesAsync(_source[$"tree/{i}"], noise, CancellationToken.None);
        }
        Engine engine = new(new DirectoryParticipant("tree", true, _source["tree"]));
        await engine.RunOk();
        return engine;
    }

    private static ChunkId IdOf(string path)
    {
        Assert.IsTrue(ChunkId.TryParse(Path.GetFileName(path), out ChunkId id));
        return id;
    }
}
