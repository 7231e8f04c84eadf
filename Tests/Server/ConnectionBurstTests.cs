using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Ten thousand connections at once, as many as the machine allows. Alone, because it measures.</summary>
[TestClass]
[DoNotParallelize]
public sealed class ConnectionBurstTests
{
    private const int Wanted = 10_000;
    private const int Least = 1_000;
    private const int Over = 100;

    // Descriptors of everything else in this process.
    private const int Others = 600;

    // The client's end included, which is in this process too.
    private const int MostBytesEach = 32 * 1024;

    [TestMethod]
    public async Task All_that_are_allowed_are_answered_and_no_more_and_nothing_is_left_of_them()
    {
        int count = Math.Min(Wanted, (await Descriptors() - Others - Over) / 2);
        Assert.IsGreaterThanOrEqualTo(Least, count, "the machine allows too few descriptors");
        await using TestServer server = new(o => o with { MaxConnections = count, MaxUnauthenticated = count });
        byte[] request = Encoding.ASCII.GetBytes($"{{\"command\":\"GetBackupProgress\",\"extID\":1,\"__token\":\"{TestServer.Token()}\"}}\r\n");
        Socket?[] sockets = new Socket?[count];
        long before = Resident();
        long began = Stopwatch.GetTimestamp();
        try
        {
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, _) =>
            {
                sockets[i] = await Connect(server);
                await ExpectAnswer(sockets[i]!, request);
            });
            Assert.AreEqual(count, server.Server.SessionCount);
            long growth = Resident() - before;
            Assert.IsLessThan((long)count * MostBytesEach, growth, $"{growth / count} bytes a connection");
            await Parallel.ForAsync(0, Over, async (_, _) => await ExpectRefusal(server));
            // Those that idled are served as before.
            for (int i = 0; i < count; i += 100)
            {
                await ExpectAnswer(sockets[i]!, request);
            }
        }
        finally
        {
            foreach (Socket? socket in sockets)
            {
                socket?.Dispose();
            }
        }
        await server.NoSessions("a burst");
        Assert.IsLessThan(TimeSpan.FromSeconds(20), Stopwatch.GetElapsedTime(began));
        Assert.DoesNotContain("ended badly", server.Log);
        using TestClient next = await server.ConnectAsync();
        await next.CallAsync("Ping");
    }

    private static async Task<Socket> Connect(TestServer server)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await Deadline.Of(socket.ConnectAsync(server.Server.TcpEndPoint!), "the connection");
        return socket;
    }

    private static async Task ExpectAnswer(Socket socket, byte[] request)
    {
        await socket.SendAsync(request);
        byte[] reply = new byte[1024];
        int count = 0;
        do
        {
            int more = await Deadline.Of(socket.ReceiveAsync(reply.AsMemory(count)).AsTask(), "an answer");
            Assert.AreNotEqual(0, more, "the connection ended without an answer");
            count += more;
        }
        while (reply[count - 1] != '\n');
        Assert.StartsWith("{\"extID\":1,\"active\":false", Encoding.ASCII.GetString(reply, 0, count));
    }

    private static async Task ExpectRefusal(TestServer server)
    {
        using Socket socket = await Connect(server);
        try
        {
            Assert.AreEqual(0, await Deadline.Of(socket.ReceiveAsync(new byte[1]), "the end"));
        }
        catch (SocketException e)
        {
            Assert.AreEqual(SocketError.ConnectionReset, e.SocketErrorCode);
        }
    }

    // Root may raise the limit of this process; others have what they have.
    private static async Task<int> Descriptors()
    {
        await Shell.Run("prlimit", "--pid", $"{Environment.ProcessId}", $"--nofile={3 * Wanted}:{3 * Wanted}");
        string line = (await File.ReadAllLinesAsync("/proc/self/limits")).Single(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        return int.Parse(
            line["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static long Resident()
    {
        GC.Collect();
        return Environment.WorkingSet;
    }
}
