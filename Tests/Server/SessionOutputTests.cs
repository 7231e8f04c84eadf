using System.Net;
using System.Net.Sockets;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>What a session sends, with nobody but the test to send it.</summary>
[TestClass]
public sealed class SessionOutputTests
{
    private static readonly ProgressSnapshot Ended = new() { RunId = "20260102-030405-000001", Message = "ended" };

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task An_ending_that_nobody_has_come_to_send_goes_out_before_the_output_is_complete(bool isSubscribed)
    {
        (TestClient client, Socket socket) = await Pair();
        await using SocketLoop loop = new(_ => { });
        using ClientConnection connection = new(socket, loop);
        ProgressCell cell = new(1);
        SessionOutput output = new(connection, new ProgressFeed(cell), loop, new UnsentReplies());
        output.Append("{\"ok\":true}"u8, isSubscribed ? ReplyOrder.BeginsSubscription : ReplyOrder.EndsSubscription);
        await output.DrainAsync();
        cell.PublishEnding(Ended, ProgressSnapshot.Idle(2));
        await Deadline.Of(output.CompleteAsync(WebSocketStatus.Normal), "everything to be sent");
        connection.Close();
        Assert.AreEqual("{\"ok\":true}", await client.ReadLineAsync());
        if (isSubscribed)
        {
            Assert.Contains("\"message\":\"ended\"", await client.ReadLineAsync() ?? "");
        }
        Assert.IsNull(await client.ReadLineAsync("the end"));
        client.Dispose();
    }

    [TestMethod]
    public async Task Who_takes_a_little_now_and_then_has_not_stalled()
    {
        (Socket client, Socket server) = await UnixPair();
        using (client)
        {
            await using SocketLoop loop = new(_ => { });
            using ClientConnection connection = new(server, loop);
            UnsentReplies unsent = new();
            SessionOutput output = new(connection, new ProgressFeed(new ProgressCell(1)), loop, unsent);
            const int Length = 4 * 1024 * 1024;
            output.Append(new byte[Length], ReplyOrder.Any);
            Assert.IsFalse(output.HasStalled(1000, 15), "nothing was sent");
            Task sent = output.FlushAsync();
            Assert.IsFalse(sent.IsCompleted);
            Assert.IsGreaterThan(Length, unsent.Bytes);
            Assert.IsFalse(output.HasStalled(1000, 15), "the first look");
            Assert.IsFalse(output.HasStalled(1014, 15), "not for long enough");
            Assert.IsTrue(output.HasStalled(1015, 15));
            long now = 1015;
            // In fifteen looks at most it takes more than the kernel holds, so that some of the rest has left as well.
            byte[] space = new byte[64 * 1024];
            for (int left = Length + 2; left > 0; now++)
            {
                // All of the space each time: a receive may give a small piece, and many of those are less than the kernel holds.
                int wanted = Math.Min(space.Length, left);
                for (int had = 0; had < wanted;)
                {
                    int count = await Deadline.Of(client.ReceiveAsync(space.AsMemory(had, wanted - had)).AsTask(), "some bytes");
                    Assert.IsGreaterThan(0, count);
                    had += count;
                }
                left -= wanted;
                Assert.IsFalse(output.HasStalled(now, 15), $"{left} bytes are left");
            }
            await Deadline.Of(sent, "the rest");
            Assert.IsFalse(output.HasStalled(now + 1000, 15), "nothing waits");
            Assert.AreEqual(0, unsent.Bytes);
        }
    }

    [TestMethod]
    public async Task What_a_client_has_not_read_when_it_goes_is_counted_no_more()
    {
        (Socket client, Socket server) = await UnixPair();
        await using SocketLoop loop = new(_ => { });
        using ClientConnection connection = new(server, loop);
        UnsentReplies unsent = new();
        SessionOutput output = new(connection, new ProgressFeed(new ProgressCell(1)), loop, unsent);
        output.Append(new byte[1024 * 1024], ReplyOrder.Any);
        Task sent = output.FlushAsync();
        output.Append(new byte[1024 * 1024], ReplyOrder.Any);
        Assert.IsGreaterThan(2 * 1024 * 1024, unsent.Bytes, "both");
        client.Dispose();
        await Deadline.Of(sent, "the end of the send");
        Assert.IsTrue(output.IsBroken);
        Assert.AreEqual(0, unsent.Bytes);
        output.Append(new byte[1024 * 1024], ReplyOrder.Any);
        Assert.IsTrue(output.FlushAsync().IsCompleted);
        Assert.AreEqual(0, unsent.Bytes);
    }

    private static async Task<(Socket Client, Socket Server)> UnixPair()
    {
        using TempDirectory directory = new();
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(directory["s"]));
        listener.Listen(1);
        Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(listener.LocalEndPoint!);
        return (client, await listener.AcceptAsync());
    }

    private static async Task<(TestClient Client, Socket Server)> Pair()
    {
        using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        TestClient client = await TestClient.ConnectAsync(listener.LocalEndPoint!, "");
        return (client, await listener.AcceptAsync());
    }
}
