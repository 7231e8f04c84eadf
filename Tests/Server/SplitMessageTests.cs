using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Server;

/// <summary>What segments the bytes come in makes no difference.</summary>
[TestClass]
public sealed partial class SplitMessageTests
{
    private static TestServer _server = null!;

    [ClassInitialize]
    public static void Start(TestContext _) => _server = new TestServer();

    [ClassCleanup]
    public static async Task Stop() => await _server.DisposeAsync();

    // Line ends of both kinds, an empty line, characters of several bytes, an escape, and a last line without an end.
    private static byte[] Conversation(string token)
    {
        string member = token.Length > 0 ? $",\"__token\":\"{token}\"" : "";
        return Encoding.UTF8.GetBytes(
            $"{{\"command\":\"GetBackupParticipants\",\"extID\":\"ü€😀\",\"data\":{{}}{member}}}\r\n\r\n"
            + $"{{\"extID\":2,\"x\":\"\\u00e4\\\"\"{member},\"command\":\"Nope\"}}\n"
            + $"{{\"extID\":3,\"command\":\"GetBackupRuns\"{member}}}");
    }

    private static readonly string[] Replies =
    [
        "{\"extID\":\"\\u00FC\\u20AC\\uD83D\\uDE00\",\"rows\":[]}",
        "{\"extID\":2,\"status\":404,\"error\":\"RET_INVALID_METHOD\",\"message\":\"there is no such command\"}",
        "{\"extID\":3,\"rows\":[]}",
    ];

    [TestMethod]
    public async Task Two_segments_split_at_every_byte()
    {
        byte[] all = Conversation("");
        for (int cut = 0; cut <= all.Length; cut++)
        {
            await Expect(all, cut);
        }
    }

    [TestMethod]
    public async Task Any_number_of_segments_split_anywhere()
    {
        byte[] all = Conversation("");
        Gen<int[]> cuts = Gen.Int[0, all.Length].Array[2, 6];
        await cuts.SampleAsync(async positions =>
        {
            Array.Sort(positions);
            await Expect(all, positions);
        }, iter: 100, threads: 1);
    }

    [TestMethod]
    public async Task Over_tcp_with_a_token_split_at_every_seventh_byte()
    {
        byte[] all = Conversation(TestServer.Token());
        for (int cut = 1; cut < all.Length; cut += 7)
        {
            using TestClient client = await _server.ConnectAsync();
            await client.SendAsync(all.AsMemory(0, cut));
            await client.SendAsync(all.AsMemory(cut));
            client.HalfClose();
            await ExpectReplies(client, $"split at {cut}");
        }
    }

    [TestMethod]
    public async Task A_hundred_messages_in_one_segment_are_answered_in_order()
    {
        using TestClient client = await _server.ConnectAsync();
        string[] commands = ["Ping", "GetBackupRuns", "Nope", "GetBackupProgress", "GetBackupRun", "SubscribeAll"];
        StringBuilder all = new();
        // No more at a time than may wait: some of them need the disk.
        for (int i = 0; i < 100; i += 10)
        {
            all.Clear();
            for (int n = i; n < i + 10; n++)
            {
                all.Append(client.Line(commands[n % commands.Length], extId: $"{n}")).Append(n % 3 == 0 ? "\n" : "\r\n");
            }
            await client.SendAsync(all.ToString());
            for (int n = i; n < i + 10; n++)
            {
                Assert.StartsWith($"{{\"extID\":{n},", await client.ReadLineAsync($"reply {n}") ?? "");
            }
        }
    }

    [TestMethod]
    public async Task Answers_at_hand_do_not_count_as_waiting()
    {
        using TestClient client = await _server.ConnectAsync();
        const int many = 50 * ProtocolLimits.MaxWaitingRequests;
        await client.SendAsync(string.Concat(Enumerable.Range(0, many).Select(n => client.Line("GetBackupProgress", extId: $"{n}") + "\n")));
        for (int n = 0; n < many; n++)
        {
            Assert.StartsWith($"{{\"extID\":{n},\"active\":", await client.ReadLineAsync($"reply {n}") ?? "");
        }
    }

    // Over the Unix socket, where the sender can see that the server has taken a segment before the next one leaves.
    private static async Task Expect(byte[] all, params int[] cuts)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_server.SocketPath));
        string what = $"split at {string.Join(", ", cuts)}";
        int from = 0;
        foreach (int to in (int[])[.. cuts, all.Length])
        {
            int sent = 0;
            while (sent < to - from)
            {
                sent += await socket.SendAsync(all.AsMemory(from + sent, to - from - sent));
            }
            from = to;
            await Deadline.Until(() => Unread(socket) == 0, $"the server has read what was {what}");
        }
        using NetworkStream stream = new(socket);
        socket.Shutdown(SocketShutdown.Send);
        using StreamReader reader = new(stream);
        string answer = await Deadline.Of(reader.ReadToEndAsync(), $"the answers to what was {what}");
        // The first answer may or may not have left before the bare line feed was read.
        Assert.AreEqual(string.Join('\n', Replies) + "\n", answer.Replace("\r", "", StringComparison.Ordinal), what);
        Assert.EndsWith(Replies[1] + "\n" + Replies[2] + "\n", answer, what);
    }

    private static async Task ExpectReplies(TestClient client, string what)
    {
        foreach (string reply in Replies)
        {
            Assert.AreEqual(reply, await client.ReadLineAsync(what), what);
        }
        Assert.IsNull(await client.ReadLineAsync(what), what);
    }

    private static unsafe int Unread(Socket socket)
    {
        const nuint outputQueue = 0x5411;
        int bytes = 0;
        Assert.AreEqual(0, Ioctl((int)socket.Handle, outputQueue, &bytes));
        return bytes;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static unsafe partial int Ioctl(int file, nuint request, int* value);
}
