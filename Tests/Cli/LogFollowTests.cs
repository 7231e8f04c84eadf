using System.Diagnostics;
using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary><c>backupd log --follow</c> in a process of its own, since a signal ends it.</summary>
[TestClass]
public sealed class LogFollowTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly CommandParticipant Bad = new("bad", true, ["false"]);

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Each_run_that_ends_is_a_line_until_the_interrupt(bool isByDaemon)
    {
        await using TestServer server = new(Good, Bad);
        using TempDirectory home = new();
        home.Write("c.json", $"{{\"store\":\"{server.Engine.Store.Directory}\"}}");
        BackupRun first = await server.Engine.Run("good");
        BackupRun second = await server.Engine.Run("good");
        string[] where = isByDaemon ? ["--addr", $"unix:{server.SocketPath}"] : ["--config", home["c.json"]];
        using Process follower = Start(home, where);
        await Reads(follower, first, "completed");
        await Reads(follower, second, "completed");
        await Reads(follower, await server.Engine.Run(), "failed");
        await Reads(follower, await server.Engine.Run("good"), "completed");
        await Shell.Ok("kill", "-INT", follower.Id.ToString(CultureInfo.InvariantCulture));
        Assert.AreEqual("", await Deadline.Of(follower.StandardOutput.ReadToEndAsync(), "the end"));
        Assert.AreEqual("", await Deadline.Of(follower.StandardError.ReadToEndAsync(), "the end of what is wrong"));
        await Deadline.Of(follower.WaitForExitAsync(), "the follower to end");
        Assert.AreEqual(0, follower.ExitCode);
    }

    [TestMethod]
    public async Task A_run_that_a_clock_ahead_of_the_time_has_dated_hides_no_later_one()
    {
        ManualClock clock = new(TimeProvider.System.GetUtcNow().AddYears(1));
        await using TestServer server = new(new EngineSettings(), clock, Good);
        using TempDirectory home = new();
        home.Write("c.json", $"{{\"store\":\"{server.Engine.Store.Directory}\"}}");
        BackupRun ahead = await server.Engine.Run();
        using Process follower = Start(home, "--config", home["c.json"]);
        await Reads(follower, ahead, "completed");
        clock.Jump(TimeProvider.System.GetUtcNow());
        await Reads(follower, await server.Engine.Run(), "completed");
        await Shell.Ok("kill", "-INT", follower.Id.ToString(CultureInfo.InvariantCulture));
        await Deadline.Of(follower.WaitForExitAsync(), "the follower to end");
    }

    [TestMethod]
    public async Task As_many_as_asked_for_come_first_and_it_ends_with_the_daemon()
    {
        using TempDirectory home = new();
        await using TestServer server = new(Good);
        await server.Engine.Run();
        BackupRun last = await server.Engine.Run();
        using Process follower = Start(home, "--addr", $"unix:{server.SocketPath}", "--limit", "1", "--json");
        string line = await Deadline.Of(follower.StandardOutput.ReadLineAsync(), "the newest run") ?? "the end";
        Assert.StartsWith($"{{\"run_id\":\"{last.Id}\"", line);
        await server.Server.StopAsync();
        Assert.AreEqual("", await Deadline.Of(follower.StandardOutput.ReadToEndAsync(), "the end"));
        Assert.Contains("the daemon closed the connection", await follower.StandardError.ReadToEndAsync());
        await Deadline.Of(follower.WaitForExitAsync(), "the follower to end");
        Assert.AreEqual(13, follower.ExitCode);
    }

    // Whoever starts the tests in the background has the signal ignored, and so would this program.
    private static Process Start(TempDirectory home, params string[] options) =>
        Shell.Start("env", ["--default-signal=INT", DaemonProcess.Program, "log", "--follow", .. options], ("HOME", home.Path));

    private static async Task Reads(Process follower, BackupRun run, string status)
    {
        string line = await Deadline.Of(follower.StandardOutput.ReadLineAsync(), $"the line of {run.Id}") ?? "the end";
        Assert.StartsWith($"{run.Id}  ", line);
        Assert.Contains($"  {status} ", line);
    }
}
