using System.Text;
using Backupd.Protocol.Server;

namespace Backupd.Tests.Protocol;

[TestClass]
public sealed class LineReaderTests
{
    [TestMethod]
    public void Lines_are_the_same_however_they_were_split()
    {
        byte[] input = "first\r\n\r\nsecond\n\nthird one\r\n"u8.ToArray();
        for (int step = 1; step <= input.Length; step++)
        {
            ReceiveBuffer received = new();
            LineReader reader = new(received);
            List<string> lines = [];
            for (int i = 0; i < input.Length; i += step)
            {
                ReadOnlySpan<byte> part = input.AsSpan(i, Math.Min(step, input.Length - i));
                part.CopyTo(received.Space().Span);
                received.Advance(part.Length);
                while (reader.TryRead(out ReadOnlyMemory<byte> line))
                {
                    lines.Add(Encoding.UTF8.GetString(line.Span));
                }
            }
            CollectionAssert.AreEqual((string[])["first", "second", "third one"], lines, $"in steps of {step}");
            Assert.IsTrue(reader.SawBareLineFeed);
            Assert.IsFalse(reader.HasPartialLine);
        }
    }

    [TestMethod]
    [DataRow(100, "\n", true)]
    [DataRow(100, "\r\n", true)]
    [DataRow(101, "\n", false)]
    [DataRow(101, "\r\n", false)]
    [DataRow(5000, "", false)]
    public void A_line_of_the_limit_is_read_and_one_byte_more_is_not(int length, string end, bool fits)
    {
        ReceiveBuffer received = new();
        LineReader reader = new(received) { MaxLineBytes = 100 };
        byte[] input = Encoding.ASCII.GetBytes(new string('x', length) + end);
        int at = 0;
        bool read = false;
        while (at < input.Length && !reader.IsTooLong && !read)
        {
            Memory<byte> space = received.Space();
            int count = Math.Min(space.Length, input.Length - at);
            input.AsSpan(at, count).CopyTo(space.Span);
            received.Advance(count);
            at += count;
            read = reader.TryRead(out ReadOnlyMemory<byte> line) && line.Length == length;
        }
        Assert.AreEqual(fits, read);
        Assert.AreEqual(!fits, reader.IsTooLong);
    }

    [TestMethod]
    public void A_carriage_return_inside_a_line_is_part_of_it()
    {
        ReceiveBuffer received = new();
        LineReader reader = new(received);
        "a\rb\n"u8.CopyTo(received.Space().Span);
        received.Advance(4);
        Assert.IsTrue(reader.TryRead(out ReadOnlyMemory<byte> line));
        Assert.AreEqual("a\rb", Encoding.UTF8.GetString(line.Span));
    }

    [TestMethod]
    public void What_is_left_without_a_line_end_can_be_taken()
    {
        ReceiveBuffer received = new();
        LineReader reader = new(received);
        "whole\nrest"u8.CopyTo(received.Space().Span);
        received.Advance(10);
        Assert.IsTrue(reader.TryRead(out _));
        Assert.IsTrue(reader.HasPartialLine);
        Assert.AreEqual("rest", Encoding.UTF8.GetString(reader.TakeRest().Span));
        Assert.IsFalse(reader.HasPartialLine);
    }
}
