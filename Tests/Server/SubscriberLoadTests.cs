using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A thousand subscribers during a real backup, a hundred of whom never read. Alone, because it measures.</summary>
[TestClass]
[DoNotParallelize]
public sealed class SubscriberLoadTests
{
    private const int Reading = 900;
    private const int Silent = 100;
    private const int Participants = 24;
    private const int FilesEach = 50;
    private const long MaxGrowth = 64 * 1024 * 1024;

    [TestMethod]
    public async Task All_get_the_ending_and_neither_the_run_nor_the_memory_suffers()
    {
        using TempDirectory source = new();
        await using TestServer server = new(
            [.. Enumerable.Range(0, Participants).Select(p => new DirectoryParticipant($"p{p:00}", true, source.MakeDirectory($"p{p:00}")))]);
        // The first run warms up, the second is the measure.
        await Backup(server, source, 1);
        TimeSpan alone = await Backup(server, source, 2);
        List<EventReader> readers = [];
        List<EventReader> silent = [];
        try
        {
            long before = Resident();
            await Subscribe(server, readers, silent);
            long versions = server.Engine.Supervisor.Progress.Current.Version;
            // Started before the run, so that each of them reads as it comes.
            Task<string>[] endings = [.. readers.Select(r => r.ReadEndingAsync())];
            List<TimeSpan> watched = [await Backup(server, source, 3)];
            string[] received = await Deadline.Of(Task.WhenAll(endings), "the ending at every subscriber that reads");
            long growth = Resident() - before;
            long published = server.Engine.Supervisor.Progress.Current.Version - versions;

            Assert.HasCount(1, received.Distinct());
            ExpectDone(received[0]);
            Assert.IsGreaterThan(2 * Participants, published, "the run published much progress");
            Assert.IsLessThan(MaxGrowth, growth, "bytes of memory for 1,000 sessions and their clients");

            // Those that slept read now: the same ending, and on the way to it less than there was.
            string[] late = await Deadline.Of(Task.WhenAll(silent.Select(s => s.ReadEndingAsync())), "the ending at those that had not read");
            CollectionAssert.AreEqual(Enumerable.Repeat(received[0], Silent).ToArray(), late);
            Assert.Contains(s => s.Lines < published, silent, "some were behind, or the test shows nothing");
            // The machine may have had something else to do meanwhile: the best of three counts.
            while (watched.Min() >= 2 * alone + TimeSpan.FromSeconds(2) && watched.Count < 3)
            {
                endings = [.. readers.Select(r => r.ReadEndingAsync())];
                watched.Add(await Backup(server, source, 3 + watched.Count));
                await Deadline.Of(Task.WhenAll(endings), "the ending at every subscriber that reads");
            }
            Assert.IsLessThan(
                2 * alone + TimeSpan.FromSeconds(2), watched.Min(), $"a run took {alone} alone and {string.Join(", ", watched)} watched");
        }
        finally
        {
            readers.ForEach(r => r.Dispose());
            silent.ForEach(s => s.Dispose());
        }
    }

    private static async Task Subscribe(TestServer server, List<EventReader> readers, List<EventReader> silent)
    {
        EndPoint tcp = server.Server.TcpEndPoint!;
        UnixDomainSocketEndPoint unix = new(server.SocketPath);
        string token = TestServer.Token();
        // One after the other: few may be without a token at a time. A Unix socket holds little that nobody reads.
        for (int i = 0; i < Reading; i++)
        {
            readers.Add(await EventReader.SubscribeAsync(tcp, token, 0));
        }
        for (int i = 0; i < Silent; i++)
        {
            silent.Add(await EventReader.SubscribeAsync(i % 2 == 0 ? unix : tcp, i % 2 == 0 ? "" : token, 4096));
        }
    }

    // Every file anew, so that each run has the same to do. The time of the run alone is what counts.
    private static async Task<TimeSpan> Backup(TestServer server, TempDirectory source, int round)
    {
        Random random = new(round);
        byte[] content = new byte[2000];
        for (int file = 0; file < Participants * FilesEach; file++)
        {
            random.NextBytes(content);
            await File.WriteAllBytesAsync(source[$"p{file % Participants:00}/{file}"], content, CancellationToken.None);
        }
        using TestClient starter = await server.ConnectLocalAsync();
        long began = Stopwatch.GetTimestamp();
        JsonElement run = await starter.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("completed", run.GetProperty("status").GetString());
        return Stopwatch.GetElapsedTime(began);
    }

    private static void ExpectDone(string line)
    {
        JsonElement data = JsonDocument.Parse(line).RootElement.GetProperty("data");
        Assert.AreEqual("done", data.GetProperty("phase").GetString());
        Assert.AreEqual("completed", data.GetProperty("status").GetString());
        Assert.AreEqual(100, data.GetProperty("overall_percent").GetInt32());
        Assert.AreEqual(Participants, data.GetProperty("participants_done").GetInt32());
    }

    private static long Resident()
    {
        GC.Collect();
        return Environment.WorkingSet;
    }
}
