using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Protocol.Http;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Protocol;

/// <summary>What is told to those who watch: metrics, the health of the backups, and GetServerInfo.</summary>
[TestClass]
public sealed class MetricsPageTests
{
    private static readonly CommandParticipant A = new("a", true, ["cat", "/proc/sys/kernel/random/uuid"]);
    private static readonly CommandParticipant B = new("b", false, ["false"]);

    [TestMethod]
    public async Task Before_the_store_was_looked_through_its_figures_are_left_out_and_its_health_is_not_known()
    {
        await using TestServer server = new(A);
        string page = Page(server);
        Assert.Contains("\nbackupd_build_info{version=\"1.2.3\"} 1\n", page);
        Assert.Contains("\nbackupd_run_active 0\n", page);
        foreach (string unknown in (string[])["overdue", "last_", "participant", "store_", "remote"])
        {
            Assert.DoesNotContain($"backupd_{unknown}", page);
        }
        (int status, JsonElement health) = Health(server);
        Assert.AreEqual(503, status);
        Assert.AreEqual(
            "{\"ok\":false,\"overdue\":false,\"last_good_at\":0,\"next_run_at\":0,\"reason\":\"the store has not been looked through yet\"}",
            health.GetRawText());
    }

    [TestMethod]
    public async Task Figures_are_those_of_the_runs()
    {
        await using TestServer server = new(A, B);
        using TempDirectory usb = new();
        server.NextRunAtUnix = 4_000_000_000;
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb", Host = $"file://{usb.MakeDirectory("d")}" });
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "none" });
        await Known(server);
        Assert.Contains("\nbackupd_last_success_timestamp_seconds 0\n", Page(server));
        Assert.Contains("\nbackupd_participant_last_success_timestamp_seconds{participant=\"a\"} 0\n", Page(server));
        Assert.DoesNotContain("backupd_last_run_status", Page(server));
        BackupRun good = await server.Engine.Run("a");
        BackupRun last = await server.Engine.Run();
        Assert.AreEqual(RunStatus.Partial, last.Status);
        await Task.Run(() => server.Engine.Supervisor.Validate(good.Id, [], false, null, CancellationToken.None));
        string page = Page(server);
        long validated = server.Engine.Supervisor.Catalog.Get(good.Id).ValidatedAtUnix;
        foreach (string sample in (string[])
            [
                "backupd_runs_total{status=\"completed\"} 1", "backupd_runs_total{status=\"partial\"} 1", "backupd_runs_total{status=\"failed\"} 0",
                "backupd_last_run_status{status=\"completed\"} 0", "backupd_last_run_status{status=\"partial\"} 1",
                $"backupd_last_run_timestamp_seconds {last.FinishedAtUnix}", "backupd_last_success_timestamp_seconds 0",
                $"backupd_last_validation_timestamp_seconds {validated}",
                $"backupd_participant_last_success_timestamp_seconds{{participant=\"a\"}} {last.StartedAtUnix}",
                "backupd_participant_last_success_timestamp_seconds{participant=\"b\"} 0",
                $"backupd_last_run_bytes{{kind=\"logical\"}} {last.Totals.SizeBytes}", $"backupd_last_run_bytes{{kind=\"new\"}} {last.Totals.BytesNew}",
                $"backupd_last_run_bytes{{kind=\"stored\"}} {last.Totals.BytesStored}", "backupd_last_run_files 1", "backupd_last_run_warnings 0",
                $"backupd_remote_last_success_timestamp_seconds{{server=\"usb\"}} {last.StartedAtUnix}",
                "backupd_remote_last_success_timestamp_seconds{server=\"none\"} 0", "backupd_next_run_timestamp_seconds 4000000000",
                "backupd_overdue 0", "backupd_maintenance 0", "backupd_progress_ratio 0", "backupd_sessions 0",
                "backupd_sessions_unauthenticated 0",
            ])
        {
            Assert.Contains($"\n{sample}\n", page);
        }
        Assert.IsTrue(Regex.IsMatch(page, "\nbackupd_remote_lag_seconds\\{server=\"usb\"\\} [0-9]+\n"), page);
        Assert.DoesNotContain("backupd_remote_lag_seconds{server=\"none\"}", page);
        Assert.AreEqual(
            server.Engine.Supervisor.History.Current.StoreBytes,
            long.Parse(Regex.Match(page, "\nbackupd_store_bytes ([0-9]+)\n").Groups[1].Value, CultureInfo.InvariantCulture));
    }

    [TestMethod]
    public async Task While_a_run_is_on_it_is_told_and_the_disk_is_not_looked_at()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("g"));
        await Known(server);
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line("StartFullBackup") + "\n");
        await gate.Entered();
        string before = Page(server);
        Assert.Contains("\nbackupd_run_active 1\n", before);
        Assert.Contains("\nbackupd_sessions 1\n", before);
        // All of the store is out of reach, and the page is the same.
        string place = server.Engine.Store.Directory;
        Directory.Move(place, place + ".away");
        string without = Page(server);
        Directory.Move(place + ".away", place);
        Assert.AreEqual(Steady(before), Steady(without));
        gate.Open();
        Assert.Contains("\"status\":\"completed\"", await client.ReadLineAsync("the run") ?? "");
        Assert.Contains("\nbackupd_run_active 0\n", Page(server));
        Assert.DoesNotContain("\nbackupd_last_success_timestamp_seconds 0\n", Page(server));
    }

    [TestMethod]
    public async Task Overdue_backups_are_unhealthy_until_a_good_run()
    {
        ManualClock clock = new(DateTimeOffset.UtcNow) { Zone = TimeZoneInfo.Utc };
        await using TestServer server = new(A);
        using OverdueWatch watch = new(
            server.Engine.Supervisor.History, new OverdueRule(null, [new BackupSchedule(CronExpression.Parse("* * * * *"))]), clock);
        DaemonFigures figures = With(server, watch);
        await Known(server);
        Assert.AreEqual(200, BackupsHealth.Answer(figures).Status);
        clock.Jump(clock.Now.AddHours(2.1));
        HttpAnswer answer = BackupsHealth.Answer(figures);
        Assert.AreEqual(503, answer.Status);
        Assert.AreEqual("application/json", answer.Type);
        Assert.Contains("\"ok\":false,\"overdue\":true,\"last_good_at\":0", Encoding.UTF8.GetString(answer.Body.Span));
        Assert.AreEqual((byte)'\n', answer.Body.Span[^1]);
        Assert.Contains("\nbackupd_overdue 1\n", Encoding.UTF8.GetString(MetricsPage.Make(figures)));
        clock.Jump(clock.Now.AddHours(-2.1));
        BackupRun run = await server.Engine.RunOk();
        answer = BackupsHealth.Answer(figures);
        Assert.AreEqual(200, answer.Status);
        Assert.Contains($"\"ok\":true,\"overdue\":false,\"last_good_at\":{run.StartedAtUnix}", Encoding.UTF8.GetString(answer.Body.Span));
    }

    [TestMethod]
    public async Task Both_are_pages_of_the_port_for_those_who_may_see_backups()
    {
        await using TestServer server = new(A);
        await Known(server);
        foreach ((string path, string type) in ((string, string)[])
            [("/metrics", MetricsText.ContentType), ("/health/backups", "application/json")])
        {
            string url = $"http://{server.Server.TcpEndPoint}{path}";
            string[] curl = ["-s", "-D", "-", "--max-time", "30"];
            string page = await Shell.Ok("curl", [.. curl, "-H", $"Authorization: Bearer {TestServer.Token()}", url]);
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", page);
            Assert.Contains($"\r\nContent-Type: {type}\r\n", page);
            Assert.Contains(path == "/metrics" ? "\nbackupd_overdue 0\n" : "\r\n\r\n{\"ok\":true,", page);
            Assert.StartsWith("HTTP/1.1 401 ", await Shell.Ok("curl", [.. curl, url]));
            string dealer = TestServer.Token(SessionRole.Dealer);
            Assert.StartsWith("HTTP/1.1 403 ", await Shell.Ok("curl", [.. curl, "-H", $"Authorization: Bearer {dealer}", url]));
            Assert.StartsWith("HTTP/1.1 200 ", await Shell.Ok("curl", [.. curl, "--unix-socket", server.SocketPath, $"http://localhost{path}"]));
        }
    }

    [TestMethod]
    public async Task GetServerInfo_tells_the_same()
    {
        await using TestServer server = new(A);
        await Known(server);
        BackupRun run = await server.Engine.RunOk();
        server.Engine.Validate(run);
        using TestClient client = await server.ConnectAsync();
        JsonElement info = await Ask(client, "GetServerInfo");
        HistoryState state = server.Engine.Supervisor.History.Current;
        Assert.AreEqual(run.StartedAtUnix, info.GetProperty("last_good_at").GetInt64());
        Assert.AreEqual(state.ValidatedAtUnix, info.GetProperty("last_validated_at").GetInt64());
        Assert.AreEqual(state.StoreBytes, info.GetProperty("store_bytes").GetInt64());
        Assert.IsGreaterThan(0, info.GetProperty("free_bytes").GetInt64());
        Assert.IsFalse(info.GetProperty("overdue").GetBoolean());
        using TestClient dealer = await server.ConnectAsync(TestServer.Token(SessionRole.Dealer));
        JsonElement others = await Ask(dealer, "GetServerInfo");
        foreach ((string member, int nothing) in ((string, int)[])
            [("last_good_at", 0), ("last_validated_at", 0), ("overdue_at", 0), ("store_bytes", -1), ("free_bytes", -1)])
        {
            Assert.AreEqual(nothing, others.GetProperty(member).GetInt64(), member);
        }
        JsonElement told = await Ask(client, "GetBackupRun", $"{{\"run_id\":\"{run.Id}\"}}");
        Assert.AreEqual(state.ValidatedAtUnix, told.GetProperty("validated_at").GetInt64());
        JsonElement rows = (await Ask(client, "GetBackupRuns")).GetProperty("rows");
        Assert.AreEqual(state.ValidatedAtUnix, rows[0].GetProperty("validated_at").GetInt64());
    }

    [TestMethod]
    public void Labels_may_hold_anything()
    {
        MetricsText text = new();
        text.Gauge("a_ratio", "Help.").Is("name", "q\" b\\ n\nend ü", -5).IsFraction(0.25).IsFraction(1).Is(true);
        Assert.AreEqual(
            "# HELP a_ratio Help.\n# TYPE a_ratio gauge\na_ratio{name=\"q\\\" b\\\\ n\\nend ü\"} -5\na_ratio 0.25\na_ratio 1\na_ratio 1\n",
            Encoding.UTF8.GetString(text.ToBytes()));
    }

    [TestMethod]
    public async Task The_document_has_every_metric_and_no_other()
    {
        string document = await File.ReadAllTextAsync(Sources.PathOf("docs/monitoring.md"));
        string[] documented =
        [
            .. Regex.Matches(document, "^\\| `((?:backupd|process)_[a-z_]+)", RegexOptions.Multiline).Select(m => m.Groups[1].Value)
                .Order(StringComparer.Ordinal),
        ];
        string[] told =
        [
            .. Regex.Matches(await FullPage(), "^# TYPE ([a-z_]+) ", RegexOptions.Multiline).Select(m => m.Groups[1].Value)
                .Order(StringComparer.Ordinal),
        ];
        CollectionAssert.AreEqual(told, documented);
    }

    [TestMethod]
    public async Task Prometheus_finds_nothing_wrong_with_it()
    {
        string promtool = Environment.GetEnvironmentVariable("BACKUPD_PROMTOOL") ?? "";
        if (promtool.Length == 0)
        {
            Assert.Inconclusive("BACKUPD_PROMTOOL must name promtool of Prometheus; ./build.sh test sets it");
        }
        using TempDirectory files = new();
        files.Write("page", await FullPage());
        Outcome outcome = await Shell.Run("sh", "-c", "\"$1\" check metrics < \"$2\"", "sh", promtool, files["page"]);
        Assert.AreEqual((0, ""), (outcome.Code, outcome.Output + outcome.Error));
        string rules = Regex.Match(
            await File.ReadAllTextAsync(Sources.PathOf("docs/monitoring.md")), "```yaml\n(groups:.*?)```", RegexOptions.Singleline).Groups[1].Value;
        files.Write("rules.yml", rules);
        outcome = await Shell.Run(promtool, "check", "rules", files["rules.yml"]);
        Assert.AreEqual(0, outcome.Code, outcome.Output + outcome.Error);
        Assert.Contains("rules found", outcome.Output);
    }

    /// <summary>A page with every metric that there is.</summary>
    private static async Task<string> FullPage()
    {
        await using TestServer server = new(A);
        using TempDirectory usb = new();
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb", Host = $"file://{usb.MakeDirectory("d")}" });
        await server.Engine.RunOk();
        await Known(server);
        return Page(server);
    }

    private static async Task<JsonElement> Ask(TestClient client, string command, string data = "{}") =>
        JsonDocument.Parse(await client.CallAsync(command, data)).RootElement;

    private static DaemonFigures With(TestServer server, OverdueWatch watch) => new()
    {
        Supervisor = server.Engine.Supervisor,
        Overdue = watch,
        NextRunAtUnix = () => 0,
        Sessions = server.Server.Figures.Sessions,
        Version = "1.2.3",
        Time = TimeProvider.System,
        StartedAtUnix = 0,
    };

    // Memory comes and goes by itself.
    private static string Steady(string page) => Regex.Replace(page, "(process_resident_memory_bytes) [0-9]+", "$1");

    private static string Page(TestServer server) => Encoding.UTF8.GetString(MetricsPage.Make(server.Server.Figures));

    private static (int Status, JsonElement Body) Health(TestServer server)
    {
        HttpAnswer answer = BackupsHealth.Answer(server.Server.Figures);
        return (answer.Status, JsonDocument.Parse(answer.Body).RootElement);
    }

    private static async Task Known(TestServer server)
    {
        RunHistory history = server.Engine.Supervisor.History;
        history.Start();
        await Deadline.Until(() => history.Current is { IsKnown: true, StoreBytes: >= 0 }, "the store is looked through");
    }
}
