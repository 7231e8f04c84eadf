using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Store;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>The names of chunks, in the 64 digits that listings and file names spell them with.</summary>
[TestClass]
public sealed class ChunkIdTests
{
    [TestMethod]
    public void A_name_is_read_as_it_is_written() =>
        Gen.Byte.Array[ChunkId.Size].Sample(bytes =>
        {
            string hex = Convert.ToHexStringLower(bytes);
            Assert.IsTrue(ChunkId.TryParse(Encoding.ASCII.GetBytes(hex), out ChunkId id), hex);
            byte[] back = new byte[ChunkId.Size];
            id.CopyTo(back);
            Assert.AreEqual(hex, Convert.ToHexStringLower(back));
            Assert.AreEqual(hex, id.ToString());
            Assert.AreEqual(new ChunkId(bytes), id);
        });

    [TestMethod]
    public void Nothing_but_lower_case_digits_is_taken_anywhere()
    {
        byte[] good = Encoding.ASCII.GetBytes(ChunkId.Of([]).ToString());
        for (int at = 0; at < good.Length; at++)
        {
            for (int value = 0; value < 256; value++)
            {
                byte[] text = [.. good];
                text[at] = (byte)value;
                bool isDigit = value is (>= '0' and <= '9') or (>= 'a' and <= 'f');
                Assert.AreEqual(isDigit, ChunkId.TryParse(text, out ChunkId id), $"byte {value} at {at}");
                Assert.AreEqual(isDigit ? Encoding.ASCII.GetString(text) : new string('0', text.Length), id.ToString());
            }
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(63)]
    [DataRow(65)]
    [DataRow(128)]
    public void No_other_length_is_taken(int length)
    {
        string text = new('a', length);
        Assert.IsFalse(ChunkId.TryParse(Encoding.ASCII.GetBytes(text), out _));
        Assert.IsFalse(ChunkId.TryParse(text, out _));
    }

    [TestMethod]
    public void It_is_the_hash_of_the_content() =>
        Assert.AreEqual(Convert.ToHexStringLower(SHA256.HashData("abc"u8)), ChunkId.Of("abc"u8).ToString());
}
