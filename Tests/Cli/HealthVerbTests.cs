using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Cli.Verbs;
using Backupd.Protocol.Contracts;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class HealthVerbTests
{
    private const long Now = 1_767_323_045;

    private static readonly HealthLimits Limits = new(TimeSpan.FromHours(26), TimeSpan.FromHours(50));

    [TestMethod]
    [DataRow(0, 0, "BACKUPD OK - last good full run 0s ago")]
    [DataRow(26 * 3600, 0, "BACKUPD OK - last good full run 26h 00m ago")]
    [DataRow((26 * 3600) + 1, 1, "BACKUPD WARNING - last good full run 26h 00m ago")]
    [DataRow(50 * 3600, 1, "BACKUPD WARNING - last good full run 50h 00m ago")]
    [DataRow((50 * 3600) + 1, 2, "BACKUPD CRITICAL - last good full run 50h 00m ago")]
    [DataRow(-5, 0, "BACKUPD OK - last good full run 0s ago")]
    public void The_age_of_the_last_good_full_run_decides(int age, int code, string text)
    {
        RunObject good = Run(RunStatus.Completed, Now - age);
        HealthState state = HealthState.Of(Limits, Now, good, good, Info(maintenance: false));
        Assert.AreEqual(code, state.Code);
        Assert.AreEqual(
            $"{text} | age={Math.Max(0, age)}s;93600;180000;0 duration=7s size=0B stored=0B", state.Line);
    }

    [TestMethod]
    public void A_last_run_that_is_not_completed_is_a_warning_and_no_good_run_is_critical()
    {
        RunObject good = Run(RunStatus.Completed, Now - 60);
        foreach (RunStatus status in (RunStatus[])[RunStatus.Partial, RunStatus.Failed, RunStatus.Cancelled, RunStatus.Timeout])
        {
            RunObject last = Run(status, Now - 30) with { ErrorSummary = "pg: a|b\nc" };
            HealthState warned = HealthState.Of(Limits, Now, last, good, Info(maintenance: true));
            Assert.AreEqual(1, warned.Code, status.ToString());
            Assert.StartsWith(
                $"BACKUPD WARNING - last good full run 1m 00s ago, last run ID is {status.ToString().ToLowerInvariant()}: pg: a/b\\x0ac, "
                + "maintenance mode is on | age=60s;", warned.Line);
        }
        HealthState none = HealthState.Of(Limits, Now, null, null, Info(maintenance: false));
        Assert.AreEqual((2, "BACKUPD CRITICAL - no full run has completed yet"), (none.Code, none.Line));
    }

    [TestMethod]
    public async Task It_asks_the_daemon_and_ends_with_the_codes_of_plugins()
    {
        await using TestServer server = new(
            new CommandParticipant("good", true, ["echo", "fine"]), new CommandParticipant("opt", false, ["false"]));
        using TempDirectory home = new();
        string[] health = ["health", "--addr", $"unix:{server.SocketPath}"];
        (int code, string output, _) = await CommandLineTests.Run(home, health);
        Assert.AreEqual((2, "BACKUPD CRITICAL - no full run has completed yet\n"), (code, output));
        await server.Engine.Run("good");
        Assert.AreEqual(2, (await CommandLineTests.Run(home, health)).Code, "a run of one participant alone is no full run");
        await server.Engine.Run();
        Assert.AreEqual(2, (await CommandLineTests.Run(home, health)).Code, "nor is a partial one a good one");
        server.Engine.Supervisor.Reconfigure([server.Engine.Supervisor.Participants[0]], new EngineSettings());
        await server.Engine.RunOk();
        (code, output, _) = await CommandLineTests.Run(home, health);
        Assert.AreEqual(0, code, output);
        Assert.Contains("s;93600;180000;0 duration=", output);
        Assert.Contains(" size=5B ", output);
        Assert.Contains(";3600;7200;0", (await CommandLineTests.Run(home, [.. health, "--warn", "1h", "--crit", "2h"])).Output);
    }

    [TestMethod]
    public async Task A_run_of_a_clock_that_was_ahead_says_nothing()
    {
        ManualClock clock = new(TimeProvider.System.GetUtcNow().AddYears(1));
        await using TestServer server = new(new EngineSettings(), clock, new CommandParticipant("good", true, ["echo", "fine"]));
        using TempDirectory home = new();
        await server.Engine.RunOk();
        string[] health = ["health", "--addr", $"unix:{server.SocketPath}"];
        (int code, string output, _) = await CommandLineTests.Run(home, health);
        Assert.AreEqual((2, "BACKUPD CRITICAL - no full run has completed yet\n"), (code, output));
        clock.Jump(TimeProvider.System.GetUtcNow().AddHours(-60));
        await server.Engine.RunOk();
        (code, output, _) = await CommandLineTests.Run(home, health);
        Assert.AreEqual(2, code);
        Assert.StartsWith("BACKUPD CRITICAL - last good full run 60h ", output);
    }

    [TestMethod]
    public async Task What_it_cannot_find_out_is_unknown_and_a_daemon_that_is_gone_critical()
    {
        await using TestServer server = new();
        using TempDirectory home = new();
        (int code, string output, _) = await CommandLineTests.Run(home, "health", "--addr", "unix:/nonexistent/socket");
        Assert.AreEqual(2, code);
        Assert.StartsWith("BACKUPD CRITICAL - no daemon answers at unix:/nonexistent/socket", output);
        string tcp = server.Server.TcpEndPoint!.ToString();
        (code, output, _) = await CommandLineTests.Run(home, "health", "--addr", tcp);
        Assert.AreEqual((3, "BACKUPD UNKNOWN - a valid token is required\n"), (code, output));
        home.Write("token", TestServer.Token(SessionRole.Dealer));
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--addr", tcp, "--token-file", home["token"])).Code);
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--warn", "soon")).Code);
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--nonsense")).Code);
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--addr", "nowhere")).Code);
        home.Write("bad.json", "{");
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--config", home["bad.json"])).Code);
    }

    private static RunObject Run(RunStatus status, long startedAt) => new()
    {
        RunId = "ID",
        Type = RunType.Full,
        Trigger = RunTrigger.Cron,
        Status = status,
        Path = "",
        StartedAt = startedAt,
        FinishedAt = startedAt + 7,
        ErrorSummary = "",
        RequestedParticipants = [],
        Participants = [],
    };

    private static GetServerInfoReply Info(bool maintenance) => new("1", 1, 1, maintenance, 0);
}
