using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

[TestClass]
[TestCategory("Browser")]
public sealed class PageRunTests : PageTests
{
    private static Chromium? _browser;

    private static Chromium Browser => _browser!;

    [ClassInitialize]
    public static async Task Open(TestContext context) => _browser = await Chromium.StartAsync();

    [ClassCleanup]
    public static async Task Close() => await (_browser?.DisposeAsync() ?? ValueTask.CompletedTask);

    [TestMethod]
    public async Task A_full_run_moves_the_bars_to_100_and_everything_is_backed_up()
    {
        using Gate gate = new();
        await using TestServer server = new(new CommandParticipant("a", true, ["echo", "1"]), gate.Participant("gated"));
        await SignInAsync(Browser, server);
        await Browser.JsAsync("window.seen = []; setInterval(() => { const b = document.querySelector('#bar'); if (b) seen.push(b.value); }, 5)");
        await DoAsync(Browser, "#start", "Start the backup");
        await gate.Entered();
        await Browser.ShowsAsync("#title", "A backup is running");
        await Browser.ShowsAsync("#phase", "gated");
        await Browser.UntilAsync("document.querySelectorAll('#parts progress')[0].value === 100");
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelector('#start').disabled && document.title.includes('%')"));
        await PicturesAsync(Browser, "running");
        gate.Open();
        await Browser.ShowsAsync("#title", "Everything is backed up");
        await Browser.UntilAsync("document.querySelector('#bar').value === 100 && document.querySelectorAll('#parts progress')[1].value === 100");
        double[] seen = [.. (await Browser.JsAsync("return seen")).EnumerateArray().Select(v => v.GetDouble())];
        Assert.IsTrue(seen.Zip(seen.Skip(1)).All(p => p.First <= p.Second), "a bar never goes back");
        Assert.IsGreaterThan(1, seen.Distinct().Count());
        Assert.AreEqual("✓", (await Browser.JsAsync("return document.title")).GetString()![..1]);
        await Browser.ShowsAsync("table", "Completed");
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelectorAll('.strip li').length === 30"));
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelector('.strip li:last-child').className === 'good'"));
        await PicturesAsync(Browser, "good");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task What_is_ticked_is_backed_up_and_nothing_else()
    {
        await using TestServer server = new(
            new CommandParticipant("one", true, ["echo", "1"]), new CommandParticipant("two", true, ["echo", "2"]));
        await SignInAsync(Browser, server);
        await Browser.ClickAsync("#parts li:nth-child(2) input");
        await Browser.ShowsAsync("#start", "Back up 1 chosen");
        await DoAsync(Browser, "#start", "Start the backup");
        await Browser.ShowsAsync("#what", "completed");
        BackupRun run = server.Engine.Supervisor.Catalog.Latest()!;
        Assert.AreEqual((RunType.Scoped, "two"), (run.Type, string.Join(' ', run.RequestedParticipants)));
        await Browser.ShowsAsync("#title", "1 of 2 are backed up");
        await Browser.ShowsAsync("#sub", "one");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task A_cancelled_run_is_drawn_as_one()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gated"));
        await SignInAsync(Browser, server);
        await DoAsync(Browser, "#start", "Start the backup");
        await gate.Entered();
        await Browser.ShowsAsync("#title", "A backup is running");
        await DoAsync(Browser, "#stop", "Cancel the backup");
        await Browser.ShowsAsync("#what", "Backup: cancelled");
        await Browser.ShowsAsync("table", "Cancelled");
        await PicturesAsync(Browser, "cancelled");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task Partial_and_failed_runs_say_what_is_safe_and_offer_the_rest_again()
    {
        using TempDirectory directory = new();
        string script = "test -e \"$1\" || { echo 'connection refused' >&2; exit 1; }";
        CommandParticipant Needs(string name, bool critical) => new(name, critical, ["sh", "-c", script + "; echo ok", "sh", directory[name]]);
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "1"]), Needs("pg", false), Needs("shop", true));
        directory.Write("shop", "");
        await SignInAsync(Browser, server);
        await DoAsync(Browser, "#start", "Start the backup");
        await Browser.ShowsAsync("#what", "Backup: partial");
        await Browser.ShowsAsync("#title", "2 of 3 are backed up");
        await Browser.ShowsAsync("#parts", "connection refused");
        await PicturesAsync(Browser, "partial");
        directory.Write("pg", "");
        await DoAsync(Browser, "#redo", "Start the backup");
        await Browser.ShowsAsync("#title", "Everything is backed up");
        File.Delete(directory["shop"]);
        await DoAsync(Browser, "#start", "Start the backup");
        await Browser.ShowsAsync("#title", "The last backup failed");
        await Browser.ShowsAsync("#said", "connection refused");
        await Browser.ShowsAsync("#redo", "Back up shop again");
        await PicturesAsync(Browser, "failed");
        await QuietAsync(Browser);
    }

    // What the daemon sends in each state, as the golden messages have it, is drawn as that state.
    [TestMethod]
    public async Task Every_state_that_the_wire_has_is_drawn()
    {
        await using TestServer server = new(new CommandParticipant("accounts", true, ["echo", "1"]));
        await SignInAsync(Browser, server);
        foreach ((string golden, string title, string panel) in new[]
            {
                ("progress-running", "A backup is running", "reading and storing"),
                ("progress-publish", "A backup is running", "sending to servers"),
                ("progress-extensions", "A backup is running", "about 19 s left"),
                ("progress-import", "A run is being imported", "importing"),
                ("progress-restore", "A restore is running", "writing back"),
                ("progress-cancelled", "Nothing is backed up yet", "Backup: cancelled"),
                ("progress-failed", "Nothing is backed up yet", "Backup: failed"),
                ("progress-timeout", "Nothing is backed up yet", "Backup: timed out"),
                ("event-partial", "Nothing is backed up yet", "Backup: partial"),
            })
        {
            string text = await File.ReadAllTextAsync(Sources.PathOf($"Tests/Golden/protocol-1/{golden}.json"), CancellationToken.None);
            using JsonDocument message = JsonDocument.Parse(text);
            JsonElement progress = message.RootElement.TryGetProperty("data", out JsonElement data) ? data : message.RootElement;
            await Browser.JsAsync($"heard({progress.GetRawText()})");
            await Browser.ShowsAsync("#title", title);
            await Browser.ShowsAsync("#run", panel);
            await NarrowAsync(Browser, "state-" + golden);
        }
        await QuietAsync(Browser);
    }
}
