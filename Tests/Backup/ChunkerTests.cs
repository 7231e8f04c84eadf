using System.Security.Cryptography;
using Backupd.Backup.Store;
using CsCheck;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ChunkerTests
{
    [TestMethod]
    public void Cuts_of_a_known_stream_never_change()
    {
        // Store compatibility: other cuts would make every store hold everything twice. The stream is the first
        // 16 MiB of SHA-256 in counter mode over "backupd chunker vector".
        byte[] data = Stream(16 * 1024 * 1024);
        int[] lengths = Lengths(data);
        CollectionAssert.AreEqual(Vector, lengths, string.Join(", ", lengths));
    }

    // Printed by this test when it fails; a person decides whether a change is meant.
    private static readonly int[] Vector =
    [
        1398281, 1918916, 1074982, 1080745, 1074044, 1195516, 513895, 1134348, 1095434, 1856406, 1240720, 336192, 1271499,
        1234865, 351373,
    ];

    [TestMethod]
    public void Chunks_stay_within_their_bounds_and_make_up_the_stream() =>
        Gen.Select(Gen.Int[0, 12 * 1024 * 1024], Gen.Int[0, 255], Gen.Bool).Sample(
            (length, fill, random) =>
            {
                byte[] data = new byte[length];
                if (random)
                {
                    new Random(fill).NextBytes(data);
                }
                else
                {
                    Array.Fill(data, (byte)fill);
                }
                int[] lengths = Lengths(data);
                Assert.AreEqual(length, lengths.Sum());
                Assert.IsTrue(lengths.All(l => l <= Chunker.MaxBytes));
                Assert.IsTrue(lengths.SkipLast(1).All(l => l > Chunker.MinBytes));
            },
            iter: 30);

    [TestMethod]
    public void A_cut_found_without_the_rest_of_the_stream_is_the_cut_found_with_it() =>
        Gen.Select(Gen.Int[1, 6 * 1024 * 1024], Gen.Int[0, 1000]).Sample(
            (known, seed) =>
            {
                byte[] data = new byte[8 * 1024 * 1024];
                new Random(seed).NextBytes(data);
                int early = Chunker.Cut(data.AsSpan(0, known), atEnd: false);
                int late = Chunker.Cut(data, atEnd: false);
                Assert.IsTrue(early == 0 || early == late, $"{early} and {late}");
            },
            iter: 50);

    [TestMethod]
    public void An_insertion_moves_only_the_cuts_near_it()
    {
        byte[] data = Stream(32 * 1024 * 1024);
        byte[] changed = [.. data.AsSpan(0, 5_000_000), 1, 2, 3, .. data.AsSpan(5_000_000)];
        HashSet<string> before = Hashes(data);
        int same = Hashes(changed).Count(before.Contains);
        Assert.IsGreaterThan(before.Count - 4, same, $"{same} of {before.Count} chunks are the same");
    }

    private static int[] Lengths(ReadOnlySpan<byte> data)
    {
        List<int> lengths = [];
        while (data.Length > 0)
        {
            int cut = Chunker.Cut(data, atEnd: true);
            lengths.Add(cut);
            data = data[cut..];
        }
        return [.. lengths];
    }

    private static HashSet<string> Hashes(ReadOnlySpan<byte> data)
    {
        HashSet<string> hashes = [];
        foreach (int length in Lengths(data))
        {
            hashes.Add(Convert.ToHexString(SHA256.HashData(data[..length])));
            data = data[length..];
        }
        return hashes;
    }

    private static byte[] Stream(int length)
    {
        byte[] data = new byte[length];
        for (int i = 0; i < length; i += 32)
        {
            byte[] block = SHA256.HashData(System.Text.Encoding.ASCII.GetBytes($"backupd chunker vector {i / 32}"));
            block.CopyTo(data, i);
        }
        return data;
    }
}
