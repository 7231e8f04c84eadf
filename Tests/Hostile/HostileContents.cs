using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Backupd.Tests.Support;
using static Backupd.Tests.Hostile.HostileCase;
using static Backupd.Tests.Support.HostileStore;

namespace Backupd.Tests.Hostile;

/// <summary>Sizes and segments that lie, chunks that are something else, and lines that are none.</summary>
internal static class HostileContents
{
    private static readonly string Id = new('a', 64);

    public static IEnumerable<HostileCase> All => [.. Sizes, .. Segments, .. Chunks, .. Listings];

    private static readonly HostileCase[] Sizes =
    [
        Of("a size larger than the content", Verdict.LeftOut, "a is 9 bytes long and 1 are listed", s => [Sized("a", "9", s.Segment("x"))]),
        Of("a size smaller than the content", Verdict.LeftOut, "a is 1 bytes long and 4 are listed", s => [Sized("a", "1", s.Segment("abcd"))]),
        Of("content behind a size of nothing, as a tar header", Verdict.LeftOut, "a is 0 bytes long", s => [Sized("a", "0", s.Segment(TarHeader()))]),
        Lines("a size without content", Verdict.LeftOut, "a is 5 bytes long and 0 are listed", Sized("a", "5")),
        Lines("a negative size", Verdict.Damaged, "negative size", Sized("a", "-1")),
        Of("the largest size and a byte", Verdict.LeftOut, "a is 9223372036854775807 bytes", s => [Sized("a", "9223372036854775807", s.Segment("x"))]),
        Lines("a size out of range", Verdict.Damaged, "cannot be read", Sized("a", "9223372036854775808")),
        Lines("a size that is a fraction", Verdict.Damaged, "cannot be read", Sized("a", "1.5")),
        Lines("a hole of 8 EiB", Verdict.Either, "a", Sized("a", "9223372036854775807", Hole("9223372036854775807"))),
        Lines("two holes of 8 EiB", Verdict.LeftOut, "a is 9223372036854775807 bytes",
            Sized("a", "9223372036854775807", Hole("9223372036854775807") + "," + Hole("9223372036854775807"))),
        Lines("holes that add up to nothing in 64 bits", Verdict.LeftOut, "a is 0 bytes long",
            Sized("a", "0", string.Join(',', Enumerable.Repeat(Hole("4611686018427387904"), 4)))),
        Of("holes that add up to one byte in 64 bits", Verdict.LeftOut, "a is 1 bytes long", s =>
            [Sized("a", "1", string.Join(',', Enumerable.Repeat(Hole("4611686018427387904"), 4)) + "," + s.Segment("x"))]),
        Lines("two sizes", Verdict.Damaged, "twice", Entry("a", "file", ",\"size\":0,\"size\":1")),
        Of("contents twice", Verdict.Damaged, "twice", s => [s.FileLine("a", "x", $",\"seg\":[{s.Segment("y")}]")]),
    ];

    private static readonly HostileCase[] Segments =
    [
        Of("a length that overflows the offset", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "1", "9223372036854775807"))]),
        Of("an offset that overflows the length", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "9223372036854775807", "1"))]),
        Of("a negative offset", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "-1", "1"))]),
        Of("a negative length", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "0", "-1"))]),
        Of("a length of nothing", Verdict.Damaged, "impossible numbers", s => [Sized("a", "0", Cut(s, "0", "0"))]),
        Of("more than a chunk can hold", Verdict.Damaged, "impossible numbers", s => [Sized("a", "4194305", Cut(s, "0", "4194305"))]),
        Of("a stored size of nothing", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "0", "1", "0"))]),
        Of("a negative stored size", Verdict.Damaged, "impossible numbers", s => [Sized("a", "1", Cut(s, "0", "1", "-5"))]),
        Of("a stored size that is not that of the file", Verdict.Taken, "t/a", s => [Sized("a", "1", Cut(s, "0", "1", "9223372036854775807"))]),
        Of("stored sizes that overflow together", Verdict.Taken, "t/a", s =>
            [Sized("a", "2", $"[\"{s.Chunk("b"u8.ToArray()).Id}\",0,1,9223372036854775807],{Cut(s, "0", "1", "9223372036854775807")}")]),
        Of("a stored size that lies about a chunk that is something else", Verdict.LeftOut, "were expected", s =>
            [Planted(s, s, Frame(s, "evil"u8.ToArray()), lie: 1)]),
        Of("a stored size that lies about a chunk without a byte", Verdict.LeftOut, "is not a chunk: 0 bytes", s => [Planted(s, s, [], lie: 1)]),
        Lines("a hole with an offset", Verdict.Damaged, "impossible numbers", Sized("a", "1", "[\"hole\",1,1,0]")),
        Lines("a negative hole", Verdict.Damaged, "impossible numbers", Sized("a", "1", Hole("-1"))),
        Of("a segment of three parts", Verdict.Damaged, "cannot be read", s => [Sized("a", "1", $"[\"{s.Chunk("abcd"u8.ToArray()).Id}\",0,1]")]),
        Of("a segment of five parts", Verdict.Damaged, "cannot be read", s =>
            [Sized("a", "4", s.Segment("abcd").Replace("]", ",0]", StringComparison.Ordinal))]),
        Lines("segments that are text", Verdict.Damaged, "cannot be read", Entry("a", "file", ",\"size\":0,\"seg\":\"x\"")),
        Of("a chunk shorter than its segment", Verdict.LeftOut, "too short", s => [Sized("a", "5", Cut(s, "0", "5"))]) with { IsHidden = true },
        Of("a chunk shorter than its offset", Verdict.LeftOut, "too short", s => [Sized("a", "1", Cut(s, "4194303", "1"))]) with { IsHidden = true },
        Of("a chunk longer than its segment", Verdict.Taken, "t/a", s => [Sized("a", "2", Cut(s, "1", "2"))]),
        Of("two stored sizes for one chunk", Verdict.Taken, "t/a", s =>
            [Sized("a", "8", Cut(s, "0", "4") + "," + Cut(s, "0", "4", "5"))]),
        Of("two stored sizes, one of them right, for a chunk that is something else", Verdict.LeftOut, "does not hash to its name", s =>
            [Sized("a", "8", $"[\"{Id}\",0,4,{s.WriteChunk(Id, Frame(s, "evil"u8.ToArray()))}],[\"{Id}\",0,4,7]")]),
        Lines("a chunk named ../", Verdict.Damaged, "chunk name", Sized("a", "1", $"[\"{Long("../../../../canary/secret")}\",0,1,9]")),
        Lines("a chunk with a short name", Verdict.Damaged, "chunk name", Sized("a", "1", $"[\"{Id[1..]}\",0,1,9]")),
        Lines("a chunk with a long name", Verdict.Damaged, "chunk name", Sized("a", "1", $"[\"{Id}a\",0,1,9]")),
        Lines("a chunk in capitals", Verdict.Damaged, "chunk name", Sized("a", "1", $"[\"{new string('A', 64)}\",0,1,9]")),
        Lines("a chunk without a name", Verdict.Damaged, "chunk name", Sized("a", "1", "[\"\",0,1,9]")),
        Lines("a chunk that is escaped", Verdict.Damaged, "chunk name", Sized("a", "1", "[\"\\u002e\\u002e\",0,1,9]")),
    ];

    private static readonly HostileCase[] Chunks =
    [
        Lines("a chunk that is missing", Verdict.LeftOut, "is missing", Entry("a", "file", HostileEntries.Missing('0'))),
        Of("a chunk that holds something else", Verdict.LeftOut, "does not hash to its name", s =>
            [Planted(s, s, Frame(s, "evil"u8.ToArray()))]) with { IsHidden = true },
        Of("a chunk that is a bomb by its header", Verdict.LeftOut, "not a zstd frame of a chunk", s =>
            [Planted(s, s, HeaderOnly(1L << 60))]) with { IsHidden = true },
        Of("a chunk that is a bomb without a size", Verdict.LeftOut, "not a zstd frame of a chunk", s =>
            [Planted(s, s, [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x01, 0x00, 0x00])]) with { IsHidden = true },
        Of("a chunk of eight frames of 4 MiB", Verdict.LeftOut, "cannot be decompressed", s =>
            [Planted(s, s, [.. Enumerable.Repeat(Frame(s, new byte[4 << 20]), 8).SelectMany(f => f)])]) with { IsHidden = true },
        Of("a chunk that is no frame", Verdict.LeftOut, "not a zstd frame", s => [Planted(s, s, "hello"u8.ToArray())]) with { IsHidden = true },
        Of("a chunk that is a link outside", Verdict.LeftOut, "a", s =>
        {
            string line = Planted(s, s, new byte[10]);
            File.Delete(s.ChunkFile(Id));
            File.CreateSymbolicLink(s.ChunkFile(Id), s["canary/secret"]);
            return [line];
        }),
        Of("a chunk that is a pipe", Verdict.LeftOut, "a", s =>
        {
            string line = Planted(s, s, new byte[10]);
            File.Delete(s.ChunkFile(Id));
            RawFile.MakeNode(Encoding.UTF8.GetBytes(s.ChunkFile(Id)), RawFile.Fifo, 0, 0);
            return [line];
        }),
        Of("a chunk that is a directory", Verdict.LeftOut, "a", s =>
        {
            string line = Planted(s, s, new byte[10]);
            File.Delete(s.ChunkFile(Id));
            Directory.CreateDirectory(s.ChunkFile(Id));
            return [line];
        }),
    ];

    private static readonly HostileCase[] Listings =
    [
        Lines("a line that is not JSON", Verdict.Damaged, "cannot be read", "evil"),
        Lines("a line that is a list", Verdict.Damaged, "cannot be read", "[]"),
        Lines("a line that is null", Verdict.Damaged, "cannot be read", "null"),
        Lines("an empty line", Verdict.Damaged, "cannot be read", ""),
        Lines("two objects in a line", Verdict.Damaged, "cannot be read", Dir("a") + Dir("b")),
        Lines("half an object", Verdict.Damaged, "cannot be read", Dir("a")[..30]),
        Lines("a member that nobody knows", Verdict.Taken, "t/a", Entry("a", "fifo", ",\"evil\":{\"path\":\"..\"}")),
        Lines("a member a thousand levels deep", Verdict.Damaged, "cannot be read",
            Entry("a", "fifo", ",\"evil\":" + new string('[', 1000) + new string(']', 1000))),
        Lines("a comment", Verdict.Damaged, "cannot be read", "/* */" + Dir("a")),
        Around("a line without an end", Verdict.Damaged, "has no end", s => s.Listing = l => [s.ListingChunk(l[..^1], "")]),
        Around("a chunk without a line", Verdict.Taken, "t/good", s => s.Listing = l => [s.ListingChunk(l, ""), s.ListingChunk([], "good")]),
        Around("a line of 16 MB", Verdict.Damaged, "not a zstd frame of a chunk", s => s.Listing = _ =>
        {
            byte[] frame = [.. HeaderOnly(16 << 20), .. new byte[100]];
            return [new JsonObject { ["chunk"] = Id, ["length"] = 16 << 20, ["stored_size"] = s.WriteChunk(Id, frame), ["first_path"] = "" }];
        }),
        Around("a chunk of the listing that is missing", Verdict.Damaged, "is missing", s => s.Listing = l => [Changed(s, l, "chunk", Id)]),
        Around("a chunk of the listing named ../", Verdict.Damaged, "is not a chunk name", s => s.Listing = l =>
            [Changed(s, l, "chunk", Long("../../../../canary/secret"))]),
        Around("a chunk of the listing in capitals", Verdict.Damaged, "is not a chunk name", s => s.Listing = l =>
            [Changed(s, l, "chunk", s.ListingChunk(l, "")["chunk"]!.GetValue<string>().ToUpperInvariant())]),
        Around("a stored size of the listing that lies", Verdict.Taken, "t/good", s => s.Listing = l => [Changed(s, l, "stored_size", 7)]),
        Around("a stored size of the listing that lies about something else", Verdict.Damaged, "were expected", s => s.Listing = l =>
        {
            JsonObject chunk = Changed(s, l, "stored_size", 7);
            s.WriteChunk(chunk["chunk"]!.GetValue<string>(), Frame(s, "evil"u8.ToArray()));
            return [chunk];
        }),
        Around("a length of the listing that lies", Verdict.Damaged, "are listed", s => s.Listing = l => [Changed(s, l, "length", 7)]),
        Around("a negative length of the listing", Verdict.Damaged, "are listed", s => s.Listing = l => [Changed(s, l, "length", -1)]),
        Around("a first path that lies", Verdict.Damaged, "does not begin with", s => s.Listing = l => [Changed(s, l, "first_path", "../evil")]),
        Around("no first path", Verdict.Damaged, "without its first path", s => s.Listing = l => [Changed(s, l, "first_path", null)]),
        Around("the listing twice", Verdict.Damaged, "out of order", s => s.Listing = l => [s.ListingChunk(l, ""), s.ListingChunk(l, "")]),
        Around("a listing of nothing but null", Verdict.Damaged, "p.snapshot", s => s.Listing = _ => [null]),
    ];

    private static string Sized(string path, string size, string segments = "") => Entry(path, "file", $",\"size\":{size},\"seg\":[{segments}]");

    private static string Hole(string length) => $"[\"hole\",0,{length},0]";

    // A part of a chunk of four bytes.
    private static string Cut(HostileStore store, string offset, string length, string stored = "")
    {
        (string id, long size) = store.Chunk("abcd"u8.ToArray());
        return $"[\"{id}\",{offset},{length},{(stored.Length > 0 ? stored : $"{size}")}]";
    }

    private static string Planted(HostileStore store, HostileStore _, byte[] file, int lie = 0) =>
        Sized("a", "4", $"[\"{Id}\",0,4,{store.WriteChunk(Id, file) + lie}]");

    private static byte[] Frame(HostileStore store, byte[] content) => File.ReadAllBytes(store.ChunkFile(store.Chunk(content).Id));

    // RFC 8878: the magic number, a descriptor that says "eight bytes of content size, one segment", and the size.
    private static byte[] HeaderOnly(long size)
    {
        byte[] header = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(5), size);
        return header;
    }

    // Of 64 characters, as a chunk's name has.
    private static string Long(string path) => path.PadRight(64, '/');

    private static JsonObject Changed(HostileStore store, byte[] listing, string member, JsonNode? value)
    {
        JsonObject chunk = store.ListingChunk(listing, "");
        chunk[member] = value;
        return chunk;
    }

    // What a reader of a stream would take for the next entry, were it written behind a header that says "no content".
    private static string TarHeader()
    {
        byte[] block = new byte[512];
        "../../canary/evil"u8.CopyTo(block);
        "0000644\0"u8.CopyTo(block.AsSpan(100));
        "00000000000\0"u8.CopyTo(block.AsSpan(124));
        "00000000000\0"u8.CopyTo(block.AsSpan(136));
        block[156] = (byte)'0';
        "ustar\000"u8.CopyTo(block.AsSpan(257));
        block.AsSpan(148, 8).Fill((byte)' ');
        Encoding.ASCII.GetBytes(Convert.ToString(block.Sum(b => b), 8).PadLeft(6, '0') + "\0 ", block.AsSpan(148));
        return Encoding.ASCII.GetString(block);
    }
}
