using System.Globalization;
using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Notifications;

[TestClass]
public sealed class NotifierTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 22, 1, 45, TimeSpan.Zero);

    private readonly SharedText _log = new();

    public void Dispose() => _log.Dispose();

    [TestMethod]
    public async Task A_webhook_gets_one_object_with_the_run_and_the_token_of_its_file()
    {
        using TempDirectory files = new();
        files.Write("token", "s3cr3t\n");
        File.SetUnixFileMode(files["token"], UnixFileMode.UserRead);
        await using PostReceiver receiver = new();
        await SendAsync(Target(NotifyKind.Webhook, receiver.Address + "/a%20b?c=d", files["token"]), Notice.Of(Run(RunStatus.Failed)));
        string[] parts = (await receiver.ReceivesAsync()).Split("\r\n\r\n", 2);
        string[] head = parts[0].Split("\r\n");
        Assert.AreEqual("POST /a%20b?c=d HTTP/1.1", head[0]);
        Assert.AreEqual($"Host: {receiver.Address["http://".Length..]}", head[1]);
        Assert.AreEqual("User-Agent: backupd/9.9", head[2]);
        CollectionAssert.IsSubsetOf((string[])["Content-Type: application/json", "Authorization: Bearer s3cr3t", "Connection: close"], head);
        Assert.AreEqual(
            "{\"event\":\"failed\",\"host\":\"web1\",\"text\":\"backupd on web1: run 20261123-220145-000007 is failed after 1m 40s: disk full\","
            + "\"run_id\":\"20261123-220145-000007\",\"status\":\"failed\",\"exit_code\":1,\"type\":\"full\",\"trigger\":\"cron\","
            + "\"started_at\":1795471305,\"finished_at\":1795471405,\"size_bytes\":0,\"bytes_new\":0,\"bytes_stored\":0,"
            + "\"error_summary\":\"disk full\",\"failed_participants\":[\"pg\"],\"failed_servers\":[]}",
            parts[1]);
    }

    [TestMethod]
    [DataRow(RunStatus.Completed, true, "finished", 0, "low")]
    [DataRow(RunStatus.Completed, false, "unpublished", 5, "default")]
    [DataRow(RunStatus.Partial, true, "partial", 3, "default")]
    [DataRow(RunStatus.Failed, true, "failed", 1, "high")]
    [DataRow(RunStatus.Timeout, true, "failed", 124, "high")]
    [DataRow(RunStatus.Cancelled, true, "failed", 130, "high")]
    public async Task Each_ending_is_its_event_and_its_exit_code_on_every_way(
        RunStatus status, bool isPublished, string word, int code, string priority)
    {
        Notice notice = Notice.Of(Run(status, isPublished));
        await using PostReceiver receiver = new();
        await SendAsync(Target(NotifyKind.Webhook, receiver.Address), notice);
        using JsonDocument json = JsonDocument.Parse((await receiver.ReceivesAsync()).Split("\r\n\r\n", 2)[1]);
        Assert.AreEqual(word, json.RootElement.GetProperty("event").GetString());
        Assert.AreEqual(code, json.RootElement.GetProperty("exit_code").GetInt32());
        await SendAsync(Target(NotifyKind.Ping, receiver.Address + "/key/"), notice);
        string ping = await receiver.ReceivesAsync(2);
        Assert.StartsWith($"POST /key/{code}?rid=", ping);
        Assert.EndsWith($"\r\n\r\n{notice.Text}", ping);
        await SendAsync(Target(NotifyKind.Ntfy, receiver.Address + "/topic"), notice);
        string ntfy = await receiver.ReceivesAsync(3);
        Assert.StartsWith("POST /topic HTTP/1.1\r\n", ntfy);
        Assert.Contains($"\r\nTitle: web1: backup {word}\r\nPriority: {priority}\r\nTags: {(code == 0 ? "white_check_mark" : "warning")}\r\n", ntfy);
        Assert.EndsWith($"\r\n\r\n{notice.Text}", ntfy);
    }

    [TestMethod]
    public async Task The_id_of_a_ping_is_a_uuid_that_is_the_same_for_the_same_run_and_another_for_another()
    {
        await using PostReceiver receiver = new();
        NotifyTarget target = Target(NotifyKind.Ping, receiver.Address + "/k?create=1");
        await SendAsync(target, Notice.Of(Run(RunStatus.Failed)));
        await SendAsync(target, Notice.Of(Run(RunStatus.Failed)));
        await SendAsync(target, Notice.Of(Run(RunStatus.Failed) with { Host = "web2" }));
        string[] ids = [.. receiver.Received.Select(r => r.Split(' ')[1])];
        Assert.StartsWith("/k/1?create=1&rid=", ids[0]);
        Guid id = Guid.ParseExact(ids[0].Split("rid=")[1], "D");
        Assert.AreEqual(8, id.Version);
        Assert.AreEqual(ids[0], ids[1]);
        Assert.AreNotEqual(ids[0], ids[2]);
    }

    [TestMethod]
    public async Task A_program_gets_everything_in_its_environment_and_nothing_of_the_daemons()
    {
        using TempDirectory files = new();
        NotifyTarget target = new()
        {
            Name = "t", Kind = NotifyKind.Command, Argv = ["sh", "-c", "env > \"$1\"", "sh", files["env"]],
        };
        await SendAsync(target, Notice.Of(Run(RunStatus.Partial)));
        string[] lines = await File.ReadAllLinesAsync(files["env"]);
        CollectionAssert.IsSubsetOf(
            (string[])
            [
                "BACKUPD_EVENT=partial", "BACKUPD_HOST=web1", "BACKUPD_RUN_ID=20261123-220145-000007", "BACKUPD_STATUS=partial", "BACKUPD_EXIT_CODE=3",
                "BACKUPD_TEXT=backupd on web1: run 20261123-220145-000007 is partial after 1m 40s: disk full",
            ],
            lines);
        using JsonDocument json = JsonDocument.Parse(lines.Single(l => l.StartsWith("BACKUPD_JSON=", StringComparison.Ordinal))["BACKUPD_JSON=".Length..]);
        Assert.AreEqual("partial", json.RootElement.GetProperty("event").GetString());
        Assert.IsEmpty(lines.Where(l => l.StartsWith("DOTNET", StringComparison.Ordinal)));
        PostException e = await Assert.ThrowsExactlyAsync<PostException>(
            () => SendAsync(new NotifyTarget { Name = "t", Kind = NotifyKind.Command, Argv = ["sh", "-c", "echo no mail >&2; exit 7"] }, Notice.Test("h")));
        Assert.AreEqual("sh exit 7: no mail", e.Message);
    }

    [TestMethod]
    [DataRow("HTTP/1.1 204 No Content\r\n\r\n", null, false)]
    [DataRow("HTTP/1.0 201 Created\r\n\r\n", null, false)]
    [DataRow("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", null, false)]
    [DataRow("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n", "it answered 404", true)]
    [DataRow("HTTP/1.1 100 Continue\r\n\r\n", "it sent no answer of HTTP", false)]
    [DataRow("HTTP/1.1 404 Not Found\r\n\r\n", "it answered 404", true)]
    [DataRow("HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\n\r\n", "it answered 301: name the address that it redirects to", true)]
    [DataRow("HTTP/1.1 429 Too Many\r\n\r\n", "it answered 429", false)]
    [DataRow("HTTP/1.1 500 Oh\r\n\r\n", "it answered 500", false)]
    [DataRow("HTTP/1.1 2", "it sent no answer of HTTP", false)]
    [DataRow("SSH-2.0-OpenSSH\r\n", "it sent no answer of HTTP", false)]
    [DataRow("HTTP/1.1 abc\r\n", "it sent no answer of HTTP", false)]
    [DataRow("", "it sent no answer of HTTP", false)]
    public async Task Only_an_answer_of_the_2xx_is_taken_for_told(string answer, string? error, bool isFinal)
    {
        await using PostReceiver receiver = new() { Answer = _ => answer };
        Task sending = SendAsync(Target(NotifyKind.Webhook, receiver.Address), Notice.Test("h"));
        if (error is null)
        {
            await sending;
            return;
        }
        PostException e = await Assert.ThrowsExactlyAsync<PostException>(() => sending);
        Assert.AreEqual(error, e.Message);
        Assert.AreEqual(isFinal, e.IsFinal);
    }

    [TestMethod]
    public async Task Nothing_is_said_to_a_server_that_nobody_vouches_for()
    {
        await using PostReceiver receiver = new(TestCertificate.Identity);
        PostException e = await Assert.ThrowsExactlyAsync<PostException>(
            () => SendAsync(Target(NotifyKind.Webhook, receiver.Address), Notice.Test("h")));
        Assert.AreEqual("its certificate comes from nobody that this machine trusts", e.Message);
        Assert.IsEmpty(receiver.Received);
    }

    [TestMethod]
    public async Task Secrets_that_others_can_read_or_that_would_travel_readable_are_refused()
    {
        using TempDirectory files = new();
        files.Write("open", "https://h/secret");
        File.SetUnixFileMode(files["open"], UnixFileMode.UserRead | UnixFileMode.OtherRead);
        files.Write("closed", "not an address");
        File.SetUnixFileMode(files["closed"], UnixFileMode.UserRead);
        Refused($"{files["open"]} holds a secret and can be read or written by others", Target(NotifyKind.Ping, files["open"]));
        Refused($"{files["closed"]} holds no address", Target(NotifyKind.Ping, files["closed"]));
        Refused($"cannot read {files["none"]}", Target(NotifyKind.Ping, files["none"]));
        Refused("would travel readable", Target(NotifyKind.Ntfy, "http://h/t", files["closed"]));
        Refused("holds no token", Target(NotifyKind.Ntfy, "https://h/t", files["closed"]));
        await Assert.ThrowsExactlyAsync<PostException>(() => SendAsync(Target(NotifyKind.Ping, files["closed"]), Notice.Test("h")));

        static void Refused(string why, NotifyTarget target) =>
            Assert.Contains(why, Assert.ThrowsExactly<ConfigurationException>(() => NotifySecrets.Check([target])).Message);
    }

    [TestMethod]
    public async Task What_was_not_taken_is_told_again_after_a_pause_and_delays_nobody_else()
    {
        await using PostReceiver bad = new() { Answer = n => n < 2 ? "HTTP/1.1 503 Later\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n" };
        await using PostReceiver good = new();
        ManualClock clock = new(Start);
        await using Notifier notifier = NotifierAt(clock);
        notifier.Reconfigure([Target(NotifyKind.Webhook, bad.Address), Target(NotifyKind.Ping, good.Address)]);
        notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
        await bad.ReceivesAsync();
        await good.ReceivesAsync();
        await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(10)), "it waits 10 s");
        Assert.AreEqual(1, bad.Connections);
        clock.Now += TimeSpan.FromSeconds(10);
        await bad.ReceivesAsync(2);
        notifier.Tell(Notice.Of(Run(RunStatus.Partial)));
        await good.ReceivesAsync(2);
        await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(60)), "it waits a minute");
        clock.Now += TimeSpan.FromSeconds(60);
        await bad.ReceivesAsync(4);
        Assert.Contains("\"event\":\"failed\"", bad.Received[2]);
        Assert.Contains("\"event\":\"partial\"", bad.Received[3]);
        Assert.AreEqual("", _log.ToString());
    }

    [TestMethod]
    public async Task What_is_refused_for_good_is_not_told_again_and_the_log_says_so()
    {
        await using PostReceiver receiver = new() { Answer = _ => "HTTP/1.1 410 Gone\r\n\r\n" };
        await using (Notifier notifier = NotifierAt(new ManualClock(Start)))
        {
            notifier.Reconfigure([Target(NotifyKind.Webhook, receiver.Address)]);
            notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
            await Deadline.Until(() => _log.ToString().Length > 0, "the log says it");
        }
        Assert.AreEqual(1, receiver.Connections);
        Assert.Contains("t was not told that \"backupd on web1: run 20261123-220145-000007 is failed", _log.ToString());
        Assert.Contains("it answered 410", _log.ToString());
    }

    [TestMethod]
    public async Task Only_what_a_target_is_for_is_told()
    {
        await using PostReceiver receiver = new();
        await using Notifier notifier = NotifierAt(new ManualClock(Start));
        NotifyTarget wants = new() { Name = "t", Kind = NotifyKind.Webhook, Address = receiver.Address, On = NotifyEvents.Failed | NotifyEvents.Overdue };
        notifier.Reconfigure([wants]);
        notifier.Tell(Notice.Of(Run(RunStatus.Completed)));
        notifier.Tell(Notice.Of(Run(RunStatus.Partial)));
        notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
        Assert.Contains("\"event\":\"failed\"", await receiver.ReceivesAsync());
        notifier.Tell(Notice.Overdue("web1", Start.ToUnixTimeSeconds(), Start.AddHours(27).ToUnixTimeSeconds()));
        string overdue = await receiver.ReceivesAsync(2);
        Assert.EndsWith(
            "{\"event\":\"overdue\",\"host\":\"web1\",\"text\":\"backupd on web1: a backup is overdue; the last good full run began 27h 00m ago\","
            + $"\"last_good_at\":{Start.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)}}}",
            overdue);
        Assert.HasCount(2, receiver.Received);
    }

    [TestMethod]
    public async Task What_waits_for_a_target_is_told_in_its_order_and_where_the_target_is_now()
    {
        await using PostReceiver away = new() { Answer = _ => "HTTP/1.1 503 Later\r\n\r\n" };
        await using PostReceiver moved = new();
        ManualClock clock = new(Start);
        await using Notifier notifier = NotifierAt(clock);
        notifier.Reconfigure([Target(NotifyKind.Ping, away.Address)]);
        notifier.Tell(Notice.Of(Run(RunStatus.Completed)));
        await away.ReceivesAsync();
        await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(10)), "it waits 10 s");
        notifier.Reconfigure([Target(NotifyKind.Ping, moved.Address)]);
        notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
        clock.Now += TimeSpan.FromSeconds(10);
        Assert.StartsWith("POST /1?", await moved.ReceivesAsync(2));
        Assert.StartsWith("POST /0?", moved.Received[0]);
        Assert.HasCount(1, away.Received);
        Assert.AreEqual("", _log.ToString());
    }

    [TestMethod]
    public async Task A_target_that_has_left_the_configuration_is_told_no_more()
    {
        await using PostReceiver receiver = new() { Answer = _ => "HTTP/1.1 503 Later\r\n\r\n" };
        ManualClock clock = new(Start);
        await using (Notifier notifier = NotifierAt(clock))
        {
            notifier.Reconfigure([Target(NotifyKind.Ping, receiver.Address)]);
            notifier.Tell(Notice.Of(Run(RunStatus.Completed)));
            notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
            await receiver.ReceivesAsync();
            await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(10)), "it waits 10 s");
            notifier.Reconfigure([]);
            await Deadline.Until(() => _log.ToString().Length > 0, "the log says it");
            clock.Now += TimeSpan.FromHours(1);
        }
        Assert.AreEqual(1, receiver.Connections);
        Assert.Contains("t was not told of 2 events: it is in the configuration no more", _log.ToString());
    }

    [TestMethod]
    public async Task A_daemon_that_stops_tells_what_waits_once_more_and_then_no_more()
    {
        await using PostReceiver receiver = new() { Answer = _ => "HTTP/1.1 500 Oh\r\n\r\n" };
        ManualClock clock = new(Start);
        await using (Notifier notifier = NotifierAt(clock))
        {
            notifier.Reconfigure([Target(NotifyKind.Webhook, receiver.Address)]);
            notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
            await receiver.ReceivesAsync();
            // What is on its way when the daemon stops is not what waits.
            await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(10)), "it waits 10 s");
        }
        await receiver.ReceivesAsync(2);
        Assert.AreEqual(2, receiver.Connections);
        Assert.Contains("it answered 500", _log.ToString());
    }

    [TestMethod]
    public async Task A_target_that_says_nothing_holds_the_stop_of_a_daemon_for_a_moment_and_not_longer()
    {
        await using PostReceiver receiver = new() { Answer = _ => null };
        ManualClock clock = new(Start);
        Notifier notifier = NotifierAt(clock);
        notifier.Reconfigure([Target(NotifyKind.Webhook, receiver.Address)]);
        notifier.Tell(Notice.Of(Run(RunStatus.Failed)));
        await receiver.ReceivesAsync();
        Task stopping = notifier.DisposeAsync().AsTask();
        await Deadline.Until(() => clock.HasTimerIn(TimeSpan.FromSeconds(5)), "it waits 5 s");
        Assert.IsFalse(stopping.IsCompleted);
        clock.Now += TimeSpan.FromSeconds(5);
        await Deadline.Of(stopping, "the stop");
        Assert.Contains("t was not told of 1 event: backupd stops", _log.ToString());
    }

    private static Task SendAsync(NotifyTarget target, Notice notice) => Deadline.Of(
        new NotifySender("backupd 9.9", TimeProvider.System).SendAsync(target, notice, CancellationToken.None), "the notification");

    private Notifier NotifierAt(TimeProvider clock) =>
        new(new NotifySender("backupd 9.9", clock), new EventLog(_log), clock);

    private static NotifyTarget Target(NotifyKind kind, string address, string tokenFile = "") =>
        new() { Name = "t", Kind = kind, Address = address, TokenFile = tokenFile };

    private static BackupRun Run(RunStatus status, bool isPublished = true) => new()
    {
        Id = RunId.Create(Start, 7),
        Type = RunType.Full,
        Trigger = RunTrigger.Cron,
        Status = status,
        Path = "",
        Host = "web1",
        StartedAtUnix = Start.ToUnixTimeSeconds(),
        FinishedAtUnix = Start.ToUnixTimeSeconds() + 100,
        ErrorSummary = status == RunStatus.Completed ? "" : "disk full",
        Participants =
        [
            new ParticipantResult
            {
                Name = "pg",
                Critical = true,
                Ok = status == RunStatus.Completed,
                Status = status == RunStatus.Completed ? ParticipantStatus.Completed : ParticipantStatus.Failed,
            },
        ],
        Remotes = [new RemoteResult { ServerName = "nas", Ok = isPublished, StepsDone = 1, StepsTotal = 2, Error = "" }],
    };
}
