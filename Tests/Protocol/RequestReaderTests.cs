using System.Text;
using Backupd.Protocol.Server;
using CsCheck;

namespace Backupd.Tests.Protocol;

/// <summary>Lines are read in two ways, a quick one for nearly all and one for any; clients must not be able to tell.</summary>
[TestClass]
public sealed class RequestReaderTests
{
    private const string Poll = """{"command":"GetBackupProgress","extID":4711,"data":{},"__token":"eyJh.eyJp-_Q.c2ln"}""";

    // Everything that a line may be made of, near the edge between the two.
    private static readonly Gen<string> Name = Any(
        "\"command\"", "\"extID\"", "\"data\"", "\"__token\"", "\"x\"", "\"ext\\u0049D\"", "\"extid\"", "\"\"", "command", "5");

    private static readonly Gen<string> Value = Any(
        "\"GetBackupProgress\"", "\"Ping\"", "\"StartBackupServer\"", "\"Nope\"", "\"ping\"", "\"GetBackupProgressGetBackupProgressX\"",
        "\"\"", "\"a b\"", "\"it's\"", "\"\\u0061\"", "\"\\ud800\"", "\"é\"", "\"a\tb\"", "\"a.b-c_d:e\"", "\"a", "'a'",
        "0", "1", "01", "007", "-0", "-1", "12345678901234567890123456789012345", "1.5", "1.", "1e5", "1x", "NaN", "+1",
        "true", "false", "null", "tru", "{}", "{ }", "{\"a\":1}", "{\"a\":1,\"a\":1}", "{", "[]", "[{}]", "");

    private static readonly Gen<string> Blank = Gen.Frequency(
        (9, Gen.Const("")), (2, Gen.Const(" ")), (1, Any("  ", "\t", "\r", "/**/", "\u00a0", "x")));

    private static readonly Gen<string> Member =
        Gen.Select(Name, Blank, Gen.Frequency((30, Gen.Const(":")), (1, Any("", "::", ","))), Blank, Value)
            .Select((name, before, colon, after, value) => name + before + colon + after + value);

    // Whole members, so that many lines are right.
    private static readonly Gen<string> GoodMember = Any(
        "\"command\":\"GetBackupProgress\"", "\"command\": \"Ping\"", "\"extID\":12", "\"extID\":\"a-1\" ", "\"extID\":0",
        "\"data\":{}", "\"data\":{ }", "\"data\":null", "\"__token\":\"a.b.c\"", "\"__token\" :\"\"");

    private static readonly Gen<string> Line =
        Gen.Select(
            Gen.Frequency((5, GoodMember), (2, Member)).Array[0, 5], Blank, Gen.Frequency((20, Gen.Const(",")), (1, Any("", ",,", " , "))),
            Gen.Frequency((20, Gen.Const("{")), (1, Any("", "[", "{{", " {", "\ufeff{"))),
            Gen.Frequency((20, Gen.Const("}")), (1, Any("", "]", "}}", "} ", "}x", ",}"))))
            .Select((members, blank, comma, start, end) => start + blank + string.Join(comma, members) + blank + end);

    // And what no grammar makes: bytes changed, taken out and put in.
    private static readonly Gen<byte[]> Mutated =
        Gen.Select(Gen.OneOf(Line, Gen.Const(Poll)), Gen.Int[0, 200], Gen.Byte, Gen.Int[0, 3]).Select((line, at, b, how) =>
        {
            List<byte> bytes = [.. Encoding.UTF8.GetBytes(line)];
            at = bytes.Count == 0 ? 0 : at % bytes.Count;
            switch (how)
            {
                case 0 when bytes.Count > 0:
                    bytes[at] = b;
                    break;
                case 1 when bytes.Count > 0:
                    bytes.RemoveAt(at);
                    break;
                case 2:
                    bytes.Insert(at, b);
                    break;
                default:
                    break;
            }
            return bytes.ToArray();
        });

    [TestMethod]
    public void Both_ways_of_reading_a_line_agree()
    {
        int plain = 0;
        int other = 0;
        Mutated.Sample(
            line =>
            {
                Request any = new();
                RequestReader.ReadAny(line, any);
                Request read = RequestReader.Read(line);
                Assert.AreEqual(Text(any), Text(read), Encoding.UTF8.GetString(line));
                _ = PlainRequest.TryRead(line, new Request()) ? Interlocked.Increment(ref plain) : Interlocked.Increment(ref other);
            },
            iter: 100_000);
        Assert.IsGreaterThan(5_000, plain);
        Assert.IsGreaterThan(5_000, other);
    }

    [TestMethod]
    public void A_request_that_is_read_into_again_forgets_the_one_before()
    {
        Mutated.Array[2, 6].Sample(
            lines =>
            {
                Request again = new();
                foreach (byte[] line in lines)
                {
                    RequestReader.Read(line, again);
                    Assert.AreEqual(Text(RequestReader.Read(line)), Text(again));
                }
            },
            iter: 5_000);
    }

    [TestMethod]
    [DataRow(Poll)]
    [DataRow("""{"extID": "7f3a-11.b_2:c", "command": "GetBackupProgress", "__token": "a.b.c"}""")]
    [DataRow("""{"command":"Ping"}""")]
    [DataRow("""{"data":{},"extID":0,"command":"StartBackupServer"}""")]
    public void Lines_as_clients_write_them_are_read_the_quick_way(string line) =>
        Assert.IsTrue(PlainRequest.TryRead(Encoding.UTF8.GetBytes(line), new Request()));

    [TestMethod]
    public void Reading_polls_into_one_request_allocates_nothing()
    {
        byte[] line = Encoding.UTF8.GetBytes(Poll);
        Request request = new();
        RequestReader.Read(line, request);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            RequestReader.Read(line, request);
        }
        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.AreEqual("GetBackupProgress", request.Command);
        Assert.AreEqual("4711", Encoding.UTF8.GetString(request.ExtId));
    }

    private static Gen<string> Any(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    private static string Text(Request request) =>
        $"extID {Encoding.UTF8.GetString(request.ExtId)}, command {request.Command ?? "none"}, "
        + $"token {Encoding.UTF8.GetString(request.Token)}, data {Encoding.UTF8.GetString(request.Data.Span)}, given {request.HasData}, "
        + $"problem {request.Problem?.Symbol.Name} {request.Problem?.Message} {request.Problem?.Detail}";
}
