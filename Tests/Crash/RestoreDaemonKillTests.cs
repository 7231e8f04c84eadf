using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>kill -9 of a daemon that restores a directory, a database and a dump in place, and what the next one makes of
/// it.</summary>
[TestClass]
public sealed class RestoreDaemonKillTests : IDisposable
{
    private const int Seed = 20_261_126;
    private const int Rounds = 22;
    private const string Pay = "UPDATE account SET n = n + CASE id WHEN 1 THEN -1 ELSE 1 END;";

    private readonly Random _random = new(Seed);
    private readonly DaemonFiles _files = new();
    private Tmpfs? _disk;
    private DaemonProcess? _daemon;
    private ChangedTree _tree = null!;
    private string _run = "";
    private string[] _old = [];
    private string[] _wanted = [];
    private int _mixed;
    private int _interrupted;

    public TestContext TestContext { get; set; } = null!;

    public void Dispose()
    {
        _daemon?.Dispose();
        _disk?.Dispose();
        _files.Dispose();
    }

    [TestMethod]
    public async Task Whenever_it_is_killed_all_is_old_or_new_and_can_be_repeated_and_undone()
    {
        await BeginAsync();
        (TimeSpan before, TimeSpan changing) = await UndisturbedAsync();
        for (int i = 0; i < 2; i++)
        {
            // The first may have had to share the machine.
            (TimeSpan again, TimeSpan changingAgain) = await UndisturbedAsync();
            before = again < before ? again : before;
            changing = changingAgain < changing ? changingAgain : changing;
        }
        for (int round = 0; round < Rounds; round++)
        {
            bool isEarly = round % 6 == 5;
            TimeSpan moment = (isEarly ? before : changing) * _random.NextDouble();
            string when = $"seed {Seed}, round {round}, killed {moment.TotalMilliseconds:F1} ms after {(isEarly ? "the start" : "its safety run")}";
            string newest = await NewestAsync();
            using (CancellationTokenSource end = new())
            {
                Task<string> writing = round % 2 == 0 ? WriteAsync(end.Token) : Task.FromResult("");
                await KillAsync(moment, isEarly);
                await end.CancelAsync();
                string complaints = (await writing).Replace("database is locked", "", StringComparison.Ordinal);
                Assert.DoesNotContain("malformed", complaints, when);
            }
            _daemon = await DaemonProcess.ReadyAsync(_files.Config);
            await CheckAsync(newest, round, when);
        }
        TestContext.WriteLine($"seed {Seed}: {Rounds} kills, {_interrupted} restores cut off, {_mixed} of them in the middle");
        Assert.IsGreaterThan(Rounds / 2, _interrupted);
        Assert.IsGreaterThan(Rounds / 4, _mixed);
    }

    [TestMethod]
    public async Task A_program_that_takes_a_dump_back_is_ended_with_the_daemon_and_does_not_take_a_part_for_the_whole()
    {
        // Its first bytes are there, the rest it reads when it is told to.
        const string taker =
            "head -c 1000 > \"$0.new\"; echo $$ > \"$0.pid\"; until test -e \"$0.go\"; do sleep 0.05; done; cat >> \"$0.new\" && mv \"$0.new\" \"$0\"";
        string dump = _files["dump"];
        string take = JsonSerializer.Serialize((string[])["sh", "-c", taker, dump]);
        _files.Write($"\"dump\": {{ \"command\": [\"cat\", \"{dump}\"], \"restoreCommand\": {take} }}");
        await File.WriteAllTextAsync(dump, new string('a', 1_000_000), CancellationToken.None);
        _daemon = await DaemonProcess.ReadyAsync(_files.Config);
        using TestClient client = await _files.ConnectAsync();
        _run = Text(await client.CallJsonAsync("StartFullBackup"), "run_id");
        await File.WriteAllTextAsync(dump, "mine", CancellationToken.None);
        await client.SendAsync(client.Line("StartRestoreRun", Forced(_run)) + "\n");
        await Deadline.Until(() => File.Exists(dump + ".pid") && File.ReadAllText(dump + ".pid").EndsWith('\n'), "the program has begun");
        await _daemon.KillAfterAsync(TimeSpan.Zero);
        await File.WriteAllTextAsync(dump + ".go", "", CancellationToken.None);
        int program = int.Parse(await File.ReadAllTextAsync(dump + ".pid", CancellationToken.None), CultureInfo.InvariantCulture);
        await Deadline.Until(() => !IsRunning(program), "the program has ended");
        Assert.AreEqual("mine", await File.ReadAllTextAsync(dump, CancellationToken.None));
    }

    private async Task BeginAsync()
    {
        // In memory, for a process is killed and no machine.
        _disk = await Tmpfs.MountAsync(_files[""], "size=512m,mode=0700");
        string take = JsonSerializer.Serialize((string[])["sh", "-c", "cat > \"$0.new\" && mv \"$0.new\" \"$0\"", _files["dump"]]);
        _files.Write($$"""
            "t": { "directory": "{{_files["t"]}}" }, "app": { "sqlite": "{{_files["app.db"]}}" },
            "dump": { "command": ["cat", "{{_files["dump"]}}"], "restoreCommand": {{take}} }
            """);
        new TreeBuilder(Seed).Fill(_files["t"], 100, 80_000);
        await MakeAsync("then", 900);
        _daemon = await DaemonProcess.ReadyAsync(_files.Config);
        _tree = await ChangedTree.MakeAsync(
            _files["t"], _files.Store,
            async () =>
            {
                using TestClient client = await _files.ConnectAsync();
                _run = Text(await client.CallJsonAsync("StartFullBackup"), "run_id");
            },
            () =>
            {
                foreach (string path in Directory.GetFiles(_files["t"], "*", SearchOption.AllDirectories).Where(p => new FileInfo(p).LinkTarget is null))
                {
                    byte[] noise = new byte[_random.Next(80_000)];
                    _random.NextBytes(noise);
                    File.WriteAllBytes(path, noise);
                }
            });
        _wanted = await StateAsync();
        File.Delete(_files["app.db"]);
        await MakeAsync("now", 1200);
        _old = await StateAsync();
    }

    private async Task<(TimeSpan Before, TimeSpan Changing)> UndisturbedAsync()
    {
        Directory.CreateDirectory(_tree.Store.SafetyDirectory);
        int safety = Directory.GetDirectories(_tree.Store.SafetyDirectory).Length;
        using TestClient client = await _files.ConnectAsync();
        Stopwatch clock = Stopwatch.StartNew();
        Task<JsonElement> restoring = client.CallJsonAsync("StartRestoreRun", Forced(_run));
        await Deadline.Until(() => Directory.GetDirectories(_tree.Store.SafetyDirectory).Length > safety, "the safety run is there");
        TimeSpan before = clock.Elapsed;
        JsonElement restored = await restoring;
        TimeSpan changing = clock.Elapsed - before;
        Assert.AreEqual("completed", Text(restored, "status"), restored.ToString());
        Assert.AreEqual(0, _tree.AssertOldOrNew("undisturbed").Left);
        CollectionAssert.AreEqual(_wanted, await StateAsync());
        await UndoAsync(client, Text(restored, "restore_id"), "undisturbed");
        return (before, changing);
    }

    private async Task KillAsync(TimeSpan moment, bool isEarly)
    {
        int before = Directory.GetDirectories(_tree.Store.SafetyDirectory).Length;
        using TestClient client = await _files.ConnectAsync();
        await client.SendAsync(client.Line("StartRestoreRun", Forced(_run)) + "\n");
        if (!isEarly)
        {
            await Deadline.Until(() => Directory.GetDirectories(_tree.Store.SafetyDirectory).Length > before, "the safety run is there");
        }
        await _daemon!.KillAfterAsync(moment);
        _daemon.Dispose();
    }

    private async Task CheckAsync(string before, int round, string when)
    {
        using TestClient client = await _files.ConnectAsync();
        (int done, int left) = _tree.AssertOldOrNew(when);
        string[] state = await StateAsync();
        for (int i = 0; i < state.Length; i++)
        {
            Assert.IsTrue(state[i] == _old[i] || state[i] == _wanted[i], $"{when}: {state[i][..Math.Min(300, state[i].Length)]}");
        }
        JsonElement row = (await client.CallJsonAsync("GetRestoreRuns")).GetProperty("rows").EnumerateArray().First();
        string cut = Text(row, "restore_id");
        if (cut == before)
        {
            await _tree.AssertUntouchedAsync(when);
            CollectionAssert.AreEqual(_old, state, when);
            return;
        }
        if (Text(row, "status") != "completed")
        {
            _interrupted++;
            Assert.AreEqual("failed", Text(row, "status"), when);
            Assert.StartsWith("interrupted", Text(row, "error_summary"), when);
            await _daemon!.SaysAsync($"restore {cut} was interrupted");
        }
        if (round % 3 == 0)
        {
            JsonElement again = await client.CallJsonAsync("StartRestoreRun", Forced(_run));
            Assert.AreEqual("completed", Text(again, "status"), $"{when}: {again}");
            Assert.AreEqual(0, _tree.AssertOldOrNew(when).Left, when);
            CollectionAssert.AreEqual(_wanted, await StateAsync(), when);
        }
        if (Text(row, "pre_restore_path").Length > 0)
        {
            bool isNew = state.Zip(_wanted, (s, w) => s == w).Any(same => same) || done > 0;
            bool isOld = state.Zip(_old, (s, o) => s == o).Any(same => same) || left > 0;
            _mixed += isNew && isOld ? 1 : 0;
            await UndoAsync(client, cut, when);
        }
        else if (round % 3 == 0)
        {
            await UndoAsync(client, await NewestAsync(), when);
        }
    }

    private async Task UndoAsync(TestClient client, string restore, string when)
    {
        JsonElement undo = await client.CallJsonAsync("StartRestoreRun", Forced(restore));
        Assert.AreEqual("completed", Text(undo, "status"), $"{when}: the undo: {undo}");
        await _tree.AssertUntouchedAsync($"{when}, undone");
        CollectionAssert.AreEqual(_old, await StateAsync(), $"{when}, undone");
    }

    private async Task<string> NewestAsync()
    {
        using TestClient client = await _files.ConnectAsync();
        return Text((await client.CallJsonAsync("GetRestoreRuns")).GetProperty("rows").EnumerateArray().First(), "restore_id");
    }

    // What is in the database but for what is paid in and out meanwhile, and the dump.
    private async Task<string[]> StateAsync() =>
    [
        await Shell.Ok("sqlite3", "-cmd", ".timeout 20000", _files["app.db"], "PRAGMA integrity_check; SELECT sum(n) FROM account;", ".dump tag filler"),
        await File.ReadAllTextAsync(_files["dump"], CancellationToken.None),
    ];

    private async Task<string> WriteAsync(CancellationToken end)
    {
        await using DatabaseProgram program = new(_files["app.db"], "-cmd", ".timeout 0");
        while (!end.IsCancellationRequested)
        {
            await program.DoAsync(Pay);
        }
        return await program.EndAsync();
    }

    private async Task MakeAsync(string tag, int rows)
    {
        await File.WriteAllTextAsync(_files["dump"], string.Concat(Enumerable.Repeat(tag + "\n", 500_000)), CancellationToken.None);
        await Shell.Ok(
            "sqlite3", _files["app.db"],
            $"PRAGMA journal_mode=wal; CREATE TABLE tag (v); INSERT INTO tag VALUES ('{tag}'); CREATE TABLE account (id INTEGER PRIMARY KEY, n);"
            + "INSERT INTO account VALUES (1, 0), (2, 0);"
            + $"CREATE TABLE filler (b); INSERT INTO filler SELECT randomblob(1500) FROM generate_series(1, {rows});");
    }

    // What has ended may wait for somebody who takes note of it.
    private static bool IsRunning(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] != 'Z';
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string Forced(string run) => $"{{\"run_id\":\"{run}\",\"force\":true}}";

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;
}
