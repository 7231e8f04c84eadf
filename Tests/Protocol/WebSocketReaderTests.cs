using System.Text;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Protocol;

[TestClass]
public sealed class WebSocketReaderTests
{
    private const int Limit = 300;

    // Frames are written as hex: F(first byte, payload) is a masked frame; everything else is bytes as they are.
    [TestMethod]
    // Bytes that are no frame of a client.
    [DataRow("an unmasked text frame", "81 01 41", 1002)]
    [DataRow("an unmasked empty frame", "81 00", 1002)]
    [DataRow("an unmasked ping", "89 00", 1002)]
    [DataRow("an unmasked close", "88 02 03 e8", 1002)]
    [DataRow("the first reserved bit", "F(c1,41)", 1002)]
    [DataRow("the second reserved bit", "F(a1,41)", 1002)]
    [DataRow("the third reserved bit", "F(91,41)", 1002)]
    [DataRow("all reserved bits", "F(f1,41)", 1002)]
    [DataRow("a reserved bit in a ping", "F(c9,)", 1002)]
    [DataRow("a reserved bit, before the length is there", "c1", 1002)]
    [DataRow("opcode 3", "F(83,41)", 1002)]
    [DataRow("opcode 4", "F(84,41)", 1002)]
    [DataRow("opcode 5", "F(85,41)", 1002)]
    [DataRow("opcode 6", "F(86,41)", 1002)]
    [DataRow("opcode 7", "F(87,41)", 1002)]
    [DataRow("opcode 11", "F(8b,)", 1002)]
    [DataRow("opcode 12", "F(8c,)", 1002)]
    [DataRow("opcode 13", "F(8d,)", 1002)]
    [DataRow("opcode 14", "F(8e,)", 1002)]
    [DataRow("opcode 15", "F(8f,)", 1002)]
    // Control frames.
    [DataRow("a ping in pieces", "F(09,41)", 1002)]
    [DataRow("a pong in pieces", "F(0a,41)", 1002)]
    [DataRow("a close in pieces", "F(08,03e8)", 1002)]
    [DataRow("a ping of 126 bytes", "F(89,*126)", 1002)]
    [DataRow("a ping with an eight-byte length", "89 ff 00 00 00 00 00 01 00 00", 1002)]
    [DataRow("a close of 126 bytes", "F(88,03e8*124)", 1002)]
    [DataRow("a close of one byte", "F(88,03)", 1002)]
    [DataRow("close code 0", "F(88,0000)", 1002)]
    [DataRow("close code 999", "F(88,03e7)", 1002)]
    [DataRow("close code 1004", "F(88,03ec)", 1002)]
    [DataRow("close code 1005", "F(88,03ed)", 1002)]
    [DataRow("close code 1006", "F(88,03ee)", 1002)]
    [DataRow("close code 1015", "F(88,03f7)", 1002)]
    [DataRow("close code 2999", "F(88,0bb7)", 1002)]
    [DataRow("close code 5000", "F(88,1388)", 1002)]
    [DataRow("a close reason that is not UTF-8", "F(88,03e8ff)", 1007)]
    // Pieces.
    [DataRow("a continuation of nothing", "F(80,41)", 1002)]
    [DataRow("a continuation of nothing that goes on", "F(00,41)", 1002)]
    [DataRow("a continuation after a whole message", "F(81,41) F(80,41)", 1002, 1)]
    [DataRow("a text inside a text in pieces", "F(01,41) F(81,42)", 1002)]
    [DataRow("a text in pieces inside another", "F(01,41) F(01,42)", 1002)]
    [DataRow("65 pieces", "F(01,) x63(F(00,)) F(80,)", 1009)]
    // Kinds and sizes.
    [DataRow("a binary message", "F(82,41)", 1003)]
    [DataRow("a binary message in pieces", "F(02,41)", 1003)]
    [DataRow("a binary message inside a text in pieces", "F(01,41) F(82,42)", 1002)]
    [DataRow("a message one byte too long, by its header alone", "81 fe 01 2d", 1009)]
    [DataRow("a message of 64 KiB, by its header alone", "81 ff 00 00 00 00 00 01 00 00", 1009)]
    [DataRow("a message of exabytes", "81 ff 7f ff ff ff ff ff ff ff", 1009)]
    [DataRow("a length with its top bit set", "81 ff 80 00 00 00 00 00 00 01", 1002)]
    [DataRow("a short length in two bytes", "81 fe 00 7d", 1002)]
    [DataRow("a short length in eight bytes", "81 ff 00 00 00 00 00 00 ff ff", 1002)]
    [DataRow("pieces that are too long together", "F(01,*200) F(80,*101)", 1009)]
    // Text.
    [DataRow("a byte that is never UTF-8", "F(81,ff)", 1007)]
    [DataRow("a cut character at the end", "F(81,c3)", 1007)]
    [DataRow("an overlong slash", "F(81,c0af)", 1007)]
    [DataRow("half a surrogate pair", "F(81,eda080)", 1007)]
    [DataRow("a character above the last", "F(81,f5808080)", 1007)]
    [DataRow("bad UTF-8 split over pieces", "F(01,e2) F(00,82) F(80,41)", 1007)]
    [DataRow("a character cut at the end of the last piece", "F(01,41e2) F(80,82)", 1007)]
    public void What_a_client_may_not_send_fails_with_its_code(string what, string frames, int status, int messages = 0)
    {
        byte[] bytes = Bytes(frames);
        for (int step = 1; step <= bytes.Length; step++)
        {
            (List<string> events, WebSocketStatus failure) = Read(bytes, step);
            Assert.AreEqual(status, (int)failure, $"{what}, in steps of {step}: {string.Join(' ', events)}");
            Assert.AreEqual(messages, events.Count(e => e.StartsWith("text", StringComparison.Ordinal)), what);
        }
    }

    [TestMethod]
    [DataRow("F(81,4869)", "text Hi")]
    [DataRow("F(81,)", "text ")]
    [DataRow("F(81,41) F(81,42) F(81,43)", "text A|text B|text C")]
    [DataRow("F(01,41) F(00,) F(80,42)", "text AB")]
    [DataRow("F(01,) F(80,)", "text ")]
    [DataRow("F(01,41) F(89,70) F(80,42) F(8a,)", "ping p|text AB|pong ")]
    [DataRow("F(01,e2) F(00,82) F(80,ac)", "text €")]
    [DataRow("F(01,) x62(F(00,)) F(80,41)", "text A")]
    [DataRow("F(01,41) F(80,42) F(01,43) F(80,44)", "text AB|text CD")]
    [DataRow("F(88,)", "close 0")]
    [DataRow("F(88,03e8)", "close 1000")]
    [DataRow("F(88,03e8e282ac)", "close 1000")]
    [DataRow("F(88,0bb8)", "close 3000")]
    [DataRow("F(88,1387)", "close 4999")]
    public void What_a_client_may_send_is_read_however_it_was_split(string frames, string expected)
    {
        byte[] bytes = Bytes(frames);
        for (int step = 1; step <= bytes.Length; step++)
        {
            (List<string> events, WebSocketStatus failure) = Read(bytes, step);
            Assert.AreEqual(expected, string.Join('|', events), $"in steps of {step}");
            Assert.AreEqual(WebSocketStatus.None, failure);
        }
    }

    [TestMethod]
    [DataRow(0x81, "text", 125)]
    [DataRow(0x81, "text", 126)]
    [DataRow(0x81, "text", 127)]
    [DataRow(0x81, "text", Limit)]
    [DataRow(0x89, "ping", 125)]
    public void Frames_of_every_form_of_length_are_read_up_to_the_limit(int first, string word, int length)
    {
        byte[] frame = TestClient.Frame(first, Encoding.ASCII.GetBytes(new string('x', length)));
        (List<string> events, _) = Read(frame, 7);
        Assert.AreEqual($"{word} {new string('x', length)}", events.Single());
    }

    private static (List<string> Events, WebSocketStatus Failure) Read(byte[] bytes, int step)
    {
        using ReceiveBuffer received = new();
        using WebSocketReader reader = new(received) { MaxMessageBytes = Limit };
        List<string> events = [];
        for (int at = 0; at < bytes.Length; at += step)
        {
            ReadOnlySpan<byte> part = bytes.AsSpan(at, Math.Min(step, bytes.Length - at));
            part.CopyTo(received.Space().Span);
            received.Advance(part.Length);
            WebSocketEvent found;
            while ((found = reader.Read(out ReadOnlyMemory<byte> payload)) != WebSocketEvent.None)
            {
                if (found == WebSocketEvent.Failed)
                {
                    return (events, reader.Status);
                }
                if (found == WebSocketEvent.Close)
                {
                    events.Add($"close {(int)reader.Status}");
                    return (events, WebSocketStatus.None);
                }
                string word = found == WebSocketEvent.Message ? "text" : found == WebSocketEvent.Ping ? "ping" : "pong";
                events.Add($"{word} {Encoding.UTF8.GetString(payload.Span)}");
            }
        }
        Assert.IsFalse(reader.HasPartial && reader.IsInMessage, "a message has begun and not ended");
        return (events, WebSocketStatus.None);
    }

    private static byte[] Bytes(string frames)
    {
        List<byte> bytes = [];
        foreach (string word in frames.Split(' '))
        {
            int times = word.StartsWith('x') ? int.Parse(word[1..3], System.Globalization.CultureInfo.InvariantCulture) : 1;
            string frame = word.StartsWith('x') ? word[4..^1] : word;
            for (int i = 0; i < times; i++)
            {
                bytes.AddRange(frame.StartsWith('F') ? Framed(frame[2..^1]) : Convert.FromHexString(frame));
            }
        }
        return [.. bytes];
    }

    private static byte[] Framed(string text)
    {
        string[] parts = text.Split(',');
        string[] payload = parts[1].Split('*');
        string filling = payload.Length > 1
            ? new string('x', int.Parse(payload[1], System.Globalization.CultureInfo.InvariantCulture))
            : "";
        byte[] bytes = [.. Convert.FromHexString(payload[0]), .. Encoding.ASCII.GetBytes(filling)];
        return TestClient.Frame(Convert.ToInt32(parts[0], 16), bytes);
    }
}
