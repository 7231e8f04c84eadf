using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests;

/// <summary>The published binary as its users meet it. ./build.sh test publishes it and names it in BACKUPD_BINARY.</summary>
[TestClass]
public sealed class BinaryTests
{
    [TestMethod]
    public async Task It_is_one_file_that_needs_only_the_c_library()
    {
        string libraries = await Shell.Ok("ldd", Shell.Binary);
        string[] alien =
        [
            .. libraries.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(l => !l.Contains("linux-vdso") && !l.Contains("libc.so") && !l.Contains("libm.so") && !l.Contains("ld-linux")),
        ];
        Assert.IsEmpty(alien, string.Join('\n', alien));
        Assert.IsLessThanOrEqualTo(12 * 1024 * 1024, new FileInfo(Shell.Binary).Length);
    }

    [TestMethod]
    public async Task It_backs_up_and_restores_and_an_unchanged_tree_is_not_read_again()
    {
        using TempDirectory directory = new();
        byte[] noise = new byte[8_000_000];
        new Random(9).NextBytes(noise);
        directory.Write("src/a/small", "small");
        await File.WriteAllBytesAsync(directory["src/large"], noise, CancellationToken.None);
        DateTime made = DateTime.UtcNow;
        long first = await BytesRead(directory);
        // What changed within two seconds before it was read is read again; the third run finds nothing so young.
        await Deadline.Until(() => DateTime.UtcNow - made > TimeSpan.FromSeconds(4), "the files are old enough");
        await BytesRead(directory);
        long third = await BytesRead(directory);
        Assert.IsGreaterThan(8_000_000, first);
        Assert.IsLessThan(2_000_000, third);
        await Shell.Ok(Shell.Binary, "restore", directory["store/latest"], "--to", directory["back"]);
        await Shell.Ok("diff", "-r", directory["src"], directory["back/src"]);
    }

    [TestMethod]
    public async Task Its_exit_codes_are_the_documented_ones()
    {
        Assert.AreEqual(0, (await Shell.Run(Shell.Binary, "version")).Code);
        Assert.AreEqual(0, (await Shell.Run(Shell.Binary, "--help")).Code);
        Assert.AreEqual(2, (await Shell.Run(Shell.Binary, "once", "--nonsense")).Code);
        Assert.AreEqual(13, (await Shell.Run(Shell.Binary, "status", "--addr", "unix:/nonexistent/socket")).Code);
    }

    [TestMethod]
    [DataRow("<&- >&- 2>&-")]
    [DataRow(">&- 2>&-")]
    [DataRow("2>&-")]
    [DataRow(">/dev/full 2>&1")]
    public async Task With_streams_that_are_closed_or_full_it_backs_up_all_the_same(string streams)
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        Outcome outcome = await Shell.Run(
            "sh", "-c", $"\"$1\" once \"$2\" --to \"$3\" {streams}", "sh", Shell.Binary, directory["src"], directory["s"]);
        Assert.AreEqual(0, outcome.Code, outcome.ToString());
        await Shell.Ok(Shell.Binary, "validate", directory["s/latest"]);
    }

    [TestMethod]
    public async Task An_export_whose_reader_has_gone_fails()
    {
        using TempDirectory directory = new();
        await File.WriteAllBytesAsync(directory["f"], new byte[3_000_000], CancellationToken.None);
        await Shell.Ok(Shell.Binary, "once", directory["f"], "--to", directory["s"], "--quiet");
        Outcome outcome = await Shell.Run(
            "bash", "-c", "\"$1\" export \"$2\" f | head -c 1 > /dev/null; echo \"${PIPESTATUS[@]}\"", "bash", Shell.Binary, directory["s/latest"]);
        Assert.AreEqual("1 0\n", outcome.Output);
        Assert.Contains("cannot write the export: Broken pipe", outcome.Error);
        string whole = await Shell.Ok(
            "sh", "-c", "echo before > \"$2\" && \"$1\" export \"$3\" f >> \"$2\" && tail -c +8 \"$2\" | cmp - \"$4\"",
            "sh", Shell.Binary, directory["out"], directory["s/latest"], directory["f"]);
        Assert.AreEqual("", whole);
    }

    [TestMethod]
    public async Task Without_openssl_it_says_in_one_line_what_to_install()
    {
        using TempDirectory directory = new();
        directory.Write("libssl.so.3", "");
        // The loader finds this file first, and it is no library.
        Outcome outcome = await Shell.Run(
            "env", $"LD_LIBRARY_PATH={directory.Path}", Shell.Binary, "once", "/etc", "--to", directory["store"]);
        Assert.AreEqual(1, outcome.Code, outcome.ToString());
        Assert.AreEqual(
            "backupd: OpenSSL 3 is missing (libssl.so.3); install it: apt-get install libssl3", outcome.Error.Trim());
    }

    [TestMethod]
    public async Task A_dump_command_runs_as_the_account_it_was_given()
    {
        using TempDirectory directory = new();
        directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{directory["b.sock"]}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": { "who": { "command": ["id", "-un"], "user": "nobody" } } }
            """);
        using Daemon daemon = await Daemon.StartAsync(directory["c.json"], directory["b.sock"]);
        await Shell.Ok(Shell.Binary, "run", "--config", directory["c.json"]);
        Assert.AreEqual("nobody\n", await Shell.Ok(Shell.Binary, "export", "latest", "who", "--config", directory["c.json"]));
    }

    [TestMethod]
    public async Task A_dump_is_taken_back_by_the_account_that_the_command_was_given()
    {
        using TempDirectory directory = new();
        File.SetUnixFileMode(directory.Path, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(directory.MakeDirectory("nobody"), (UnixFileMode)0b111_111_111);
        directory.Write("dump", "first");
        directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{directory["b.sock"]}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": { "app": { "command": ["cat", "{{directory["dump"]}}"], "user": "nobody",
                "restoreCommand": ["sh", "-c", "cat > $0/taken && id -un > $0/who", "{{directory["nobody"]}}"] } } }
            """);
        using Daemon daemon = await Daemon.StartAsync(directory["c.json"], directory["b.sock"]);
        await Shell.Ok(Shell.Binary, "run", "--config", directory["c.json"]);
        directory.Write("dump", "second");
        await Shell.Ok(Shell.Binary, "restore", "latest", "--yes", "--force", "--config", directory["c.json"]);
        Assert.AreEqual("first", await File.ReadAllTextAsync(directory["nobody/taken"], CancellationToken.None));
        Assert.AreEqual("nobody\n", await File.ReadAllTextAsync(directory["nobody/who"], CancellationToken.None));
        Assert.AreEqual("nobody", (await Shell.Ok("stat", "-c", "%U", directory["nobody/taken"])).Trim());
    }

    [TestMethod]
    public async Task Killed_at_any_moment_of_a_run_it_leaves_earlier_runs_whole_and_starts_again()
    {
        using TempDirectory directory = new();
        byte[] noise = new byte[40_000_000];
        Random random = new(4711);
        random.NextBytes(noise);
        new TreeBuilder(1).Fill(directory["src/tree"], 300, 20_000);
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{directory["b.sock"]}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": { "src": { "directory": "{{directory["src"]}}" } } }
            """);
        string earlier;
        using (Daemon daemon = await Daemon.StartAsync(config, directory["b.sock"]))
        {
            earlier = RunId(await Shell.Ok(Shell.Binary, "run", "--json", "--quiet", "--config", config));
        }
        int hits = 0;
        for (int round = 0; round < 12; round++)
        {
            random.NextBytes(noise.AsSpan(0, 4_000_000));
            await File.WriteAllBytesAsync(directory[$"src/noise{round % 3}"], noise, CancellationToken.None);
            using Daemon daemon = await Daemon.StartAsync(config, directory["b.sock"]);
            using Process listening = Shell.Start(Shell.Binary, ["listen", "--config", config]);
            using Process run = Shell.Start(Shell.Binary, ["run", "--quiet", "--config", config]);
            // So many snapshots into the run: another moment in each round.
            bool ended = false;
            for (int events = 0; events <= round % 4 && !ended; events++)
            {
                Task<string?> next = listening.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask();
                // Whoever begins to listen when the run is over hears nothing of it.
                await Deadline.Of(Task.WhenAny(next, run.WaitForExitAsync(CancellationToken.None)), "an event");
                ended = !next.IsCompleted || (await next ?? "").Contains("\"active\":false", StringComparison.Ordinal);
            }
            daemon.Kill();
            hits += ended ? 0 : 1;
            await Deadline.Of(run.WaitForExitAsync(CancellationToken.None), "the client to notice");
            await Deadline.Of(listening.WaitForExitAsync(CancellationToken.None), "the listener to notice");
            await Shell.Ok(Shell.Binary, "validate", earlier, "--config", config);
        }
        Assert.IsGreaterThan(4, hits, "kills hit running backups");
        using (Daemon daemon = await Daemon.StartAsync(config, directory["b.sock"]))
        {
            Assert.IsEmpty(Directory.GetDirectories(directory["s/.running"]));
            string next = RunId(await Shell.Ok(Shell.Binary, "run", "--json", "--quiet", "--config", config));
            await Shell.Ok(Shell.Binary, "validate", next, "--config", config);
            JsonElement rows = JsonDocument.Parse(await Shell.Ok(Shell.Binary, "list", "--json", "--config", config)).RootElement;
            int interrupted = rows.GetProperty("rows").EnumerateArray().Count(
                r => r.GetProperty("error_summary").GetString()!.StartsWith("interrupted", StringComparison.Ordinal));
            Assert.IsGreaterThan(4, interrupted);
        }
        await Shell.Ok(Shell.Binary, "restore", earlier, "--to", directory["back"], "--config", config);
        Assert.IsEmpty(TreeComparer.Differences(directory["src/tree"], directory["back/src/tree"]));
    }

    [TestMethod]
    public async Task Ctrl_c_during_once_records_a_cancelled_run_and_exits_130()
    {
        using TempDirectory directory = new();
        using Gate gate = new();
        string[] argv = [.. gate.Participant("g").Argv];
        // Whoever starts the tests in the background has the signal ignored, and so would this program.
        using Process once = Shell.Start(
            "env", ["--default-signal=INT", Shell.Binary, "once", "--to", directory["s"], "--command", "g", "--", .. argv]);
        await gate.Entered();
        await Shell.Ok("sh", "-c", "kill -INT \"$1\"", "sh", once.Id.ToString(CultureInfo.InvariantCulture));
        await Deadline.Of(once.WaitForExitAsync(CancellationToken.None), "once to end");
        Assert.AreEqual(130, once.ExitCode);
        Assert.Contains("cancelled", await Shell.Ok(Shell.Binary, "list", directory["s"]));
    }

    private static string RunId(string json) => JsonDocument.Parse(json).RootElement.GetProperty("run_id").GetString()!;

    // What the kernel counted for the shell and the children that it waited for.
    private static async Task<long> BytesRead(TempDirectory directory)
    {
        string counted = await Shell.Ok(
            "sh", "-c", "\"$1\" once \"$2\" --to \"$3\" --quiet && sed -n 's/^rchar: //p' /proc/$$/io",
            "sh", Shell.Binary, directory["src"], directory["store"]);
        return long.Parse(counted, CultureInfo.InvariantCulture);
    }

    /// <summary>A daemon that is ended with the test.</summary>
    private sealed class Daemon : IDisposable
    {
        private readonly Process _process;

        private Daemon(Process process) => _process = process;

        public static async Task<Daemon> StartAsync(string config, string socket)
        {
            Process process = Shell.Start(Shell.Binary, ["serve", "--config", config]);
            string ready = await Deadline.Of(process.StandardError.ReadLineAsync(), "the daemon's first words") ?? "";
            Assert.Contains($"ready on unix:{socket}", ready.Contains("interrupted", StringComparison.Ordinal)
                ? await Deadline.Of(process.StandardError.ReadLineAsync(), "ready") ?? "" : ready);
            return new Daemon(process);
        }

        public void Kill()
        {
            _process.Kill();
            _process.WaitForExit();
        }

        public void Dispose()
        {
            Kill();
            _process.Dispose();
        }
    }
}
