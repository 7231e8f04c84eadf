using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Backupd.Backup.Remote;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>How long a connection waits for the other side.</summary>
[TestClass]
public sealed class SocketStreamTests
{
    [TestMethod]
    public async Task A_reader_that_takes_a_trickle_is_given_up_like_a_silent_one()
    {
        // Some 8 KB a second: something moves within each timeout, and in all it would take half an hour.
        await using SlowReader reader = await SlowReader.ConnectAsync(800, TimeSpan.FromMilliseconds(100));
        SocketStream stream = reader.Stream;
        stream.WriteTimeout = 1800;
        Stopwatch clock = Stopwatch.StartNew();
        IOException error = await Assert.ThrowsExactlyAsync<IOException>(
            () => Task.Run(() => stream.Write(new byte[16_000_000]), CancellationToken.None));
        Assert.AreEqual(SocketError.TimedOut, ((SocketException)error.InnerException!).SocketErrorCode);
        Assert.IsLessThan(TimeSpan.FromSeconds(10), clock.Elapsed);
    }

    [TestMethod]
    public async Task A_reader_that_takes_enough_is_waited_for_and_so_is_one_that_takes_the_last_of_it()
    {
        await using SlowReader reader = await SlowReader.ConnectAsync(4000, TimeSpan.FromMilliseconds(50));
        SocketStream stream = reader.Stream;
        stream.WriteTimeout = 1000;
        stream.ReadTimeout = 1000;
        Stopwatch clock = Stopwatch.StartNew();
        await Task.Run(() => stream.Write(new byte[250_000]), CancellationToken.None);
        // The end of it, less than a timeout asks for, is taken before an answer could come.
        IOException error = await Assert.ThrowsExactlyAsync<IOException>(
            () => Task.Run(() => stream.ReadByte(), CancellationToken.None));
        Assert.AreEqual(SocketError.TimedOut, ((SocketException)error.InnerException!).SocketErrorCode);
        Assert.IsGreaterThan(TimeSpan.FromSeconds(3), clock.Elapsed);
    }

    /// <summary>The other end of a connection, with little room, which takes so many bytes at a time.</summary>
    private sealed class SlowReader : IAsyncDisposable
    {
        private readonly Socket _socket;
        private readonly CancellationTokenSource _end = new(Deadline.Long);
        private readonly Task _reading;

        private SlowReader(SocketStream stream, Socket socket, int bytes, TimeSpan pause)
        {
            Stream = stream;
            _socket = socket;
            _reading = ReadAsync(bytes, pause);
        }

        public SocketStream Stream { get; }

        public static async Task<SlowReader> ConnectAsync(int bytes, TimeSpan pause)
        {
            using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            Socket sending = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await sending.ConnectAsync(listener.LocalEndPoint!);
            return new SlowReader(new SocketStream(sending, ownsSocket: true), await listener.AcceptAsync(), bytes, pause);
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await Deadline.Of(_reading, "the reader to end");
            await Stream.DisposeAsync();
            _socket.Dispose();
            _end.Dispose();
        }

        private async Task ReadAsync(int bytes, TimeSpan pause)
        {
            byte[] buffer = new byte[bytes];
            using PeriodicTimer timer = new(pause);
            try
            {
                while (await timer.WaitForNextTickAsync(_end.Token))
                {
                    _ = await _socket.ReceiveAsync(buffer, _end.Token);
                }
            }
            catch (OperationCanceledException)
            {
                // The test has seen what it wanted.
            }
        }
    }
}
