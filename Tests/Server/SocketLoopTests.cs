using System.Net;
using System.Net.Sockets;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>The thread of the sockets without TLS, with the test as the session.</summary>
[TestClass]
public sealed class SocketLoopTests
{
    private readonly byte[] _space = new byte[1000];

    [TestMethod]
    public async Task Bytes_and_the_end_that_come_together_are_both_told()
    {
        await using Rig rig = await Rig.MakeAsync(begins: false);
        ValueTask<int> first = rig.Plain.ReceiveAsync(_space);
        Assert.IsFalse(first.IsCompleted, "nothing has come");
        await rig.Client.SendAsync("abc"u8.ToArray());
        rig.Client.Shutdown(SocketShutdown.Send);
        await Deadline.Until(() => rig.Server.Available == 3, "both have come");
        // Sees the two at once.
        rig.Loop.Start();
        Assert.AreEqual(3, await Deadline.Of(first.AsTask(), "the bytes"));
        Assert.AreEqual(0, await Receive(rig, "the end"));
        Assert.AreEqual(0, await Receive(rig, "the end once more"));
    }

    [TestMethod]
    public async Task A_peek_leaves_the_byte_for_the_receive()
    {
        await using Rig rig = await Rig.MakeAsync();
        await rig.Client.SendAsync("xyz"u8.ToArray());
        Assert.AreEqual(1, await Deadline.Of(rig.Plain.ReceiveAsync(_space.AsMemory(0, 1), peeks: true).AsTask(), "a peek"));
        Assert.AreEqual(3, await Receive(rig, "what was seen"));
        Assert.AreEqual("xyz", System.Text.Encoding.ASCII.GetString(_space, 0, 3));
    }

    [TestMethod]
    public async Task A_client_that_has_sent_much_lets_others_have_their_turn()
    {
        await using Rig rig = await Rig.MakeAsync(begins: false);
        byte[] all = new byte[20 * _space.Length];
        await rig.Client.SendAsync(all);
        await Deadline.Until(() => rig.Server.Available == all.Length, "all has come");
        int most = 0;
        async Task TakeAllAsync()
        {
            int inTurn = 0;
            for (int left = all.Length; left > 0;)
            {
                ValueTask<int> receiving = rig.Plain.ReceiveAsync(_space);
                inTurn = receiving.IsCompleted ? inTurn + 1 : 1;
                left -= await receiving;
                Assert.IsTrue(rig.Loop.IsInTurn);
                most = Math.Max(most, inTurn);
            }
        }
        Task taking = TakeAllAsync();
        rig.Loop.Start();
        await Deadline.Of(taking, "all");
        Assert.AreEqual(4, most, "receives in one turn");
    }

    [TestMethod]
    public async Task Many_clients_that_have_sent_much_are_answered_some_at_a_time()
    {
        await using Rig rig = await Rig.MakeAsync(begins: false);
        using ClientConnection connection = new(rig.Server, rig.Loop);
        SessionOutput output = new(
            connection, new ProgressFeed(new ProgressCell(1)), rig.Loop, new UnsentReplies());
        byte[] mark = new byte[ProtocolLimits.MaxQueuedReplyBytes + 1];
        int inTurn = 0;
        int most = 0;
        async Task TakeAllAsync(PlainSocket socket, int left)
        {
            byte[] space = new byte[1000];
            while (left > 0)
            {
                ValueTask<int> receiving = socket.ReceiveAsync(space);
                bool isVisit = !receiving.IsCompleted;
                left -= await receiving;
                if (output.HasRoom)
                {
                    // The mark of the turn before has left: a turn has begun.
                    inTurn = 0;
                    output.Append(mark, ReplyOrder.Any);
                    await output.FlushInTurnAsync();
                }
                inTurn += isVisit ? 1 : 0;
                most = Math.Max(most, inTurn);
            }
        }
        const int Clients = 200;
        List<Rig> others = [];
        List<Task> taking = [];
        byte[] all = new byte[20 * 1000];
        for (int i = 0; i < Clients; i++)
        {
            others.Add(await Rig.MakeAsync(rig.Loop));
            await others[i].Client.SendAsync(all);
            await Deadline.Until(() => others[i].Server.Available == all.Length, "all has come");
            taking.Add(TakeAllAsync(others[i].Plain, all.Length));
        }
        Task reading = ReadToEndAsync(rig.Client);
        rig.Loop.Start();
        await Deadline.Of(Task.WhenAll(taking), "all");
        Assert.IsInRange(33, 64, most, "clients in one turn");
        foreach (Rig other in others)
        {
            await other.DisposeAsync();
        }
        rig.Plain.Close();
        await Deadline.Of(reading, "the end");
    }

    [TestMethod]
    public async Task Closing_ends_the_receive_that_waits_and_not_on_the_thread_that_closes()
    {
        await using Rig rig = await Rig.MakeAsync();
        // The threads and not their numbers: that of one that has ended is given to another.
        Thread? ended = null;
        async Task ReceiveAsync()
        {
            await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () => await rig.Plain.ReceiveAsync(_space));
            ended = Thread.CurrentThread;
        }
        Task receiving = ReceiveAsync();
        Thread thread = new(rig.Plain.Close);
        thread.Start();
        Assert.IsTrue(thread.Join(Deadline.Long));
        await Deadline.Of(receiving, "the end of the receive");
        Assert.AreNotSame(thread, ended);
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () => await rig.Plain.ReceiveAsync(_space));
    }

    [TestMethod]
    public async Task What_is_answered_in_a_turn_leaves_at_its_end()
    {
        await using Rig rig = await Rig.MakeAsync();
        using ClientConnection connection = new(rig.Server, rig.Loop);
        SessionOutput output = new(connection, new ProgressFeed(new ProgressCell(1)), rig.Loop, new UnsentReplies());
        ValueTask<int> receiving = rig.Plain.ReceiveAsync(_space);
        int inTurn = -1;
        async Task AnswerAsync()
        {
            await receiving;
            Assert.IsTrue(rig.Loop.IsInTurn);
            output.Append("answer"u8, ReplyOrder.Any);
            Assert.IsTrue(output.FlushInTurnAsync().IsCompleted);
            inTurn = rig.Client.Available;
        }
        Task answering = AnswerAsync();
        await rig.Client.SendAsync("ask"u8.ToArray());
        await Deadline.Of(answering, "the answer");
        Assert.AreEqual(0, inTurn, "nothing leaves before the turn ends");
        await Deadline.Until(() => rig.Client.Available == "answer\r\n".Length, "the answer has come");
    }

    [TestMethod]
    public async Task Who_does_not_read_what_left_at_the_end_of_a_turn_gets_no_more_answers()
    {
        await using Rig rig = await Rig.MakeAsync();
        using ClientConnection connection = new(rig.Server, rig.Loop);
        SessionOutput output = new(connection, new ProgressFeed(new ProgressCell(1)), rig.Loop, new UnsentReplies());
        byte[] answer = new byte[16 * 1024 * 1024];
        ValueTask<int> receiving = rig.Plain.ReceiveAsync(_space);
        async Task AnswerAsync()
        {
            await receiving;
            output.Append(answer, ReplyOrder.Any);
            await output.FlushInTurnAsync();
        }
        Task answering = AnswerAsync();
        await rig.Client.SendAsync("ask"u8.ToArray());
        await Deadline.Of(answering, "the answer");
        await Deadline.Until(() => !output.HasRoom, "the turn has ended");
        Task room = output.WaitForRoomAsync();
        Assert.IsFalse(room.IsCompleted);
        byte[] read = new byte[1024 * 1024];
        for (int left = answer.Length + 2; left > 0;)
        {
            left -= await Deadline.Of(rig.Client.ReceiveAsync(read), "the rest of the answer");
        }
        await Deadline.Of(room, "room");
        Assert.IsTrue(output.HasRoom);
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        byte[] space = new byte[1024 * 1024];
        try
        {
            while (await socket.ReceiveAsync(space) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Closed with something unread, which is an end, too.
        }
    }

    private Task<int> Receive(Rig rig, string what) => Deadline.Of(rig.Plain.ReceiveAsync(_space).AsTask(), what);

    // A pair of sockets, one of them in a loop.
    private sealed class Rig : IAsyncDisposable
    {
        private readonly bool _ownsLoop;

        private Rig(Socket client, Socket server, SocketLoop? loop, bool begins)
        {
            _ownsLoop = loop is null;
            Loop = loop ?? new SocketLoop(e => Assert.Fail(e.ToString()));
            Client = client;
            Server = server;
            Plain = new PlainSocket(server, Loop);
            if (begins)
            {
                Loop.Start();
            }
        }

        public SocketLoop Loop { get; }

        public Socket Client { get; }

        public Socket Server { get; }

        public PlainSocket Plain { get; }

        public static Task<Rig> MakeAsync(bool begins = true) => MakeAsync(loop: null, begins);

        public static Task<Rig> MakeAsync(SocketLoop loop) => MakeAsync(loop, begins: false);

        private static async Task<Rig> MakeAsync(SocketLoop? loop, bool begins)
        {
            using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1);
            Socket client = new(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(listener.LocalEndPoint!);
            return new Rig(client, await listener.AcceptAsync(), loop, begins);
        }

        public async ValueTask DisposeAsync()
        {
            Plain.Close();
            Client.Dispose();
            if (_ownsLoop)
            {
                await Loop.DisposeAsync();
            }
        }
    }
}
