using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Tests.Backup;

/// <summary>Small files by their hash, before and after somebody has asked.</summary>
[TestClass]
public sealed class KnownFilesTests
{
    private const int Max = 64 * 1024;

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(1024)]
    [DataRow(2500)]
    public void What_was_noted_is_found_whenever_it_was_noted(int before)
    {
        KnownFiles files = new();
        for (int i = 0; i < before; i++)
        {
            files.Add(Hash(i), Content(i));
        }
        Assert.IsFalse(files.TryFind(Hash(before), out _));
        files.Add(Hash(before), Content(before));
        for (int i = 0; i <= before; i++)
        {
            Assert.IsTrue(files.TryFind(Hash(i), out Segment found), $"{i}");
            Assert.AreEqual(Content(i), found);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void The_first_of_two_holds(bool isAskedBetween)
    {
        KnownFiles files = new();
        files.Add(Hash(1), Content(1));
        if (isAskedBetween)
        {
            Assert.IsTrue(files.TryFind(Hash(1), out _));
        }
        files.Add(Hash(1), Content(2));
        Assert.IsTrue(files.TryFind(Hash(1), out Segment found));
        Assert.AreEqual(Content(1), found);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void It_is_bounded(bool isAskedFirst)
    {
        KnownFiles files = new();
        if (isAskedFirst)
        {
            Assert.IsFalse(files.TryFind(Hash(0), out _));
        }
        for (int i = 0; i <= Max; i++)
        {
            files.Add(Hash(i), Content(i));
        }
        Assert.IsTrue(files.TryFind(Hash(Max - 1), out _));
        Assert.IsFalse(files.TryFind(Hash(Max), out _));
    }

    private static ChunkId Hash(int i) => ChunkId.Of(BitConverter.GetBytes(i));

    private static Segment Content(int i) => new(ChunkId.Of(BitConverter.GetBytes(-i)), i, i + 1, i + 2);
}
