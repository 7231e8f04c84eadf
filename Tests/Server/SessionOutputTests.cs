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
        SessionOutput output = new(connection, new ProgressFeed(cell), loop);
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

    private static async Task<(TestClient Client, Socket Server)> Pair()
    {
        using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        TestClient client = await TestClient.ConnectAsync(listener.LocalEndPoint!, "");
        return (client, await listener.AcceptAsync());
    }
}
