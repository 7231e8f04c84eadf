using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Cli;
using Backupd.Cli.Client;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class CommandLineTests
{
    private static readonly string[] Verbs =
    [
        "once", "restore", "validate", "repair", "prune", "pin", "unpin", "delete", "list", "show", "find", "diff", "export", "serve",
        "run", "watch", "status", "log", "health", "maintenance", "endpoint", "cancel", "call", "listen", "token", "web", "init", "schedule", "config",
        "service", "completion", "version",
    ];

    [TestMethod]
    public async Task Every_verb_explains_itself()
    {
        using TempDirectory directory = new();
        (int code, string output, _) = await Run(directory, "--help");
        Assert.AreEqual(0, code);
        foreach (string verb in Verbs)
        {
            Assert.Contains($"\n  {verb}", output);
            (int verbCode, string text, _) = await Run(directory, verb, "--help");
            Assert.AreEqual(0, verbCode);
            Assert.Contains(verb, text);
            foreach (string page in Pages(verb, text))
            {
                string help = (await Run(directory, [.. page.Split(' '), "--help"])).Output;
                Assert.Contains("\nExample", help, page);
                Assert.Contains($"\n  backupd {page}", help.Replace("sudo ", ""), page);
                Assert.IsFalse(help.Split('\n').Any(l => l.Length > 130), help);
            }
        }
        Assert.Contains("pg_dump -Fc shop", (await Run(directory, "once", "--help")).Output);
        Assert.IsLessThan(60, output.Split('\n').Length, "the overview fits a screen");
    }

    [TestMethod]
    [DataRow("nonsense")]
    [DataRow("once")]
    [DataRow("once", "/etc")]
    [DataRow("once", "--to", "d")]
    [DataRow("once", "/no/such/path", "--to", "d")]
    [DataRow("once", "/etc", "--to", "d", "--progress", "fancy")]
    [DataRow("once", "/etc", "/usr", "--to", "d", "--name", "x")]
    [DataRow("once", "--to", "d", "--command", "x")]
    [DataRow("once", "--to", "d", "--", "ls")]
    [DataRow("once", "/etc", "--to", "d", "--addr", "x")]
    [DataRow("restore", "latest")]
    [DataRow("restore", "not-a-run", "--to", "x")]
    [DataRow("prune", "d")]
    [DataRow("prune", "d", "--keep-last", "0", "--keep-daily", "0")]
    [DataRow("prune", "d", "--keep-last", "-1")]
    [DataRow("prune", "d", "--keep-last", "few")]
    [DataRow("prune", "d", "--keep-within", "0h")]
    [DataRow("prune", "d", "--keep-within", "a week")]
    [DataRow("prune", "d", "e", "--keep-last", "1")]
    [DataRow("pin")]
    [DataRow("pin", "d/..")]
    [DataRow("delete", "")]
    [DataRow("delete", "d/completed/..")]
    [DataRow("run", "--trigger", "cron")]
    [DataRow("token", "new")]
    [DataRow("token", "new", "--role", "boss", "--days", "1")]
    [DataRow("token", "new", "--role", "admin", "--days", "0")]
    [DataRow("token", "new", "--role", "admin", "--days", "few")]
    [DataRow("token", "new", "--role", "admin", "--days", "99999999999")]
    [DataRow("token", "revoke")]
    [DataRow("token", "revoke", "two words")]
    [DataRow("token", "new", "--role", "admin", "--days", "1", "--jti", "a b")]
    [DataRow("log", "--limit", "0")]
    [DataRow("log", "not-a-run")]
    [DataRow("log", "latest", "--follow")]
    [DataRow("maintenance", "perhaps")]
    [DataRow("service")]
    [DataRow("completion")]
    [DataRow("completion", "tcsh")]
    [DataRow("status", "--addr", "nowhere")]
    public async Task What_cannot_be_understood_exits_2_and_says_why(params string[] arguments)
    {
        using TempDirectory directory = new();
        (int code, _, string error) = await Run(directory, arguments);
        Assert.AreEqual(2, code, error);
        Assert.IsGreaterThan(5, error.Length);
        Assert.IsLessThan(16, error.Split('\n').Length, error);
        Assert.IsFalse(Directory.Exists(directory["d"]) || Directory.Exists("d"), "nothing was made");
    }

    [TestMethod]
    [DataRow("there is no option --jsn; did you mean --json?", "list", "--jsn")]
    [DataRow("there is no option --qiet; did you mean --quiet?", "run", "--qiet")]
    [DataRow("there is no option -x1; what is no option", "show", "-x1")]
    [DataRow("backupd: there is no verb lst; did you mean list?\nSee: backupd --help\n", "lst")]
    [DataRow("backupd: there is no verb xyzzy\n", "xyzzy")]
    [DataRow("backupd: there is no verb lsit; did you mean list?\n", "lsit", "--to", "x")]
    [DataRow("a verb is missing; to begin with: backupd once")]
    [DataRow("backupd: a verb is missing after token: new, revoke\nSee: backupd token --help\n", "token")]
    [DataRow("there is no verb chekc; did you mean check?", "config", "chekc")]
    [DataRow("See: backupd token new --help", "token", "new", "--rule", "admin")]
    public async Task What_is_mistyped_is_told_with_what_was_meant(string told, params string[] arguments)
    {
        using TempDirectory directory = new();
        (int code, string output, string error) = await Run(directory, arguments);
        Assert.AreEqual(2, code, error);
        Assert.Contains(told, error);
        Assert.StartsWith("backupd: ", error);
        Assert.Contains("\nSee: backupd ", error);
        Assert.DoesNotContain("\n\n", error);
        Assert.AreEqual("", output);
    }

    [TestMethod]
    public async Task After_two_hyphens_a_word_may_begin_with_one()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["s"], "--command", "c", "--quiet", "--", "echo", "-n", "x")).Code);
        Assert.AreEqual(10, (await Run(directory, "find", "--in", directory["s"], "--", "-none")).Code);
        Assert.AreEqual(0, (await Run(directory, "list", "--jsn", "--help")).Code, "help is shown whatever else is wrong");
    }

    [TestMethod]
    public async Task A_configuration_that_is_not_there_is_78_and_says_what_makes_one()
    {
        using TempDirectory directory = new();
        foreach (string[] line in (string[][])[["config", "check"], ["config", "check", directory["a/b.json"]], ["status", "--config", directory["c.json"]]])
        {
            (int code, _, string error) = await Run(directory, line);
            Assert.AreEqual(78, code, error);
            Assert.EndsWith(" does not exist; backupd init writes a first configuration\n", error);
        }
    }

    [TestMethod]
    public async Task Validate_and_repair_print_json()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "some content");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["s"], "--quiet")).Code);
        (int code, string output, string error) = await Run(directory, "validate", directory["s/latest"], "--json", "--progress", "none");
        Assert.AreEqual((0, ""), (code, error));
        JsonElement run = JsonDocument.Parse(output).RootElement;
        Assert.AreEqual("completed", run.GetProperty("status").GetString());
        foreach (string chunk in Directory.GetFiles(directory["s/chunks"], "*", SearchOption.AllDirectories))
        {
            await File.WriteAllTextAsync(chunk, "damaged", CancellationToken.None);
        }
        (code, output, error) = await Run(directory, "repair", directory["s"], "--json", "--progress", "none");
        Assert.AreEqual((4, ""), (code, error));
        JsonElement repaired = JsonDocument.Parse(output).RootElement;
        Assert.AreEqual(repaired.GetProperty("chunks").GetInt64(), repaired.GetProperty("damaged").GetArrayLength());
        JsonElement hurt = repaired.GetProperty("hurt").EnumerateArray().Single();
        Assert.AreEqual(run.GetProperty("run_id").GetString(), hurt.GetProperty("run_id").GetString());
        Assert.AreEqual("src", hurt.GetProperty("participant").GetString());
        Assert.IsGreaterThan(5, hurt.GetProperty("error").GetString()!.Length);
    }

    [TestMethod]
    public async Task Both_ways_to_ask_for_the_version_say_the_same()
    {
        using TempDirectory directory = new();
        string version = (await Run(directory, "version")).Output;
        Assert.AreEqual(version, (await Run(directory, "--version")).Output);
        Assert.AreEqual($"{CommandLine.Version}\n", version);
    }

    [TestMethod]
    public async Task A_missing_daemon_is_13_a_bad_configuration_78_and_an_unknown_run_10()
    {
        using TempDirectory directory = new();
        Assert.AreEqual(13, (await Run(directory, "status")).Code);
        directory.Write("bad.json", "{\"stor\":1}");
        (int code, _, string error) = await Run(directory, "status", "--config", directory["bad.json"]);
        Assert.AreEqual(78, code);
        Assert.Contains("did you mean \"store\"?", error);
        directory.Write("src/f", "x");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["s"], "--quiet")).Code);
        Assert.AreEqual(10, (await Run(directory, "show", directory["s/20260102-030405-000001"])).Code);
    }

    [TestMethod]
    public async Task Once_list_show_validate_export_and_restore_work_together()
    {
        using TempDirectory directory = new();
        new TreeBuilder(5).Fill(directory["src"], 40, 20_000);
        string store = directory["store"];
        (int code, string output, string error) = await Run(
            directory, "once", directory["src"], "--to", store, "--json", "--progress", "plain");
        Assert.AreEqual(0, code, error);
        Assert.Contains("100% backup completed", error);
        string id = JsonDocument.Parse(output).RootElement.GetProperty("run_id").GetString()!;
        Assert.Contains(id, (await Run(directory, "list", store)).Output);
        Assert.Contains("completed", (await Run(directory, "list", store, "--json")).Output);
        Assert.Contains("validated", (await Run(directory, "show", $"{store}/latest")).Output);
        Assert.Contains("src/", (await Run(directory, "show", $"{store}/completed/{id}", "--files")).Output);
        Assert.AreEqual(0, (await Run(directory, "validate", $"{store}/{id}")).Code);
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/latest", "--to", directory["back"])).Code);
        Assert.IsEmpty(TreeComparer.Differences(directory["src"], directory["back/src"]));
        (int again, _, string refused) = await Run(directory, "restore", $"{store}/latest", "--to", directory["back"]);
        Assert.AreEqual(2, again);
        Assert.Contains("--overwrite", refused);
    }

    [TestMethod]
    public async Task Show_ends_with_the_figures_of_a_run()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        directory.Write("src/d/g", "y");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["s"], "--quiet")).Code);
        string shown = (await Run(directory, "show", directory["s/latest"])).Output;
        Assert.Contains("  entries   4 seen, 4 stored, 0 excluded, 0 failed; 0 vanished\n", shown);
        Assert.Contains("  files     2; directories: 2\n  read      2 B of 2 B\n  new       ", shown);
        Assert.Contains(" in 2 chunks, ", shown);
        Assert.Contains("  reused    0 chunk uses\n  time      backup ", shown);
        Assert.DoesNotContain("warnings", shown);
        string wire = (await Run(directory, "show", directory["s/latest"], "--json")).Output;
        Assert.DoesNotContain("durations", wire, "which the wire does not have");
    }

    [TestMethod]
    public async Task Show_counts_the_warnings_that_it_does_not_print()
    {
        using TempDirectory directory = new();
        for (int i = 0; i < 107; i++)
        {
            directory.Write($"src/{i}.db", "SQLite format 3\0");
            directory.Write($"src/{i}.db-wal", "");
        }
        (int code, _, string error) = await Run(directory, "once", directory["src"], "--to", directory["s"], "--progress", "none");
        Assert.AreEqual(0, code);
        Assert.Contains("  and 102 more warnings about src.snapshot\n", error);
        Assert.Contains("  warnings  107\n", (await Run(directory, "show", directory["s/latest"])).Output);
    }

    [TestMethod]
    public async Task A_partial_once_exits_3_and_damage_exits_4()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        string store = directory["store"];
        (int code, _, string error) = await Run(
            directory, "once", directory["src"], "--to", store, "--command", "bad", "--", "false");
        Assert.AreEqual(3, code, error);
        Assert.Contains("1 of 2 participants are safe", error);
        (int validated, _, string lacks) = await Run(directory, "validate", $"{store}/latest");
        Assert.AreEqual(0, validated);
        Assert.Contains("the run lacks something: bad: false exit 1", lacks);
        (int restored, _, string said) = await Run(directory, "restore", $"{store}/latest", "--to", directory["back"]);
        Assert.AreEqual(3, restored);
        Assert.Contains("PARTIAL", said);
        Assert.AreEqual("x", await File.ReadAllTextAsync(directory["back/src/f"], CancellationToken.None));
        foreach (string chunk in Directory.GetFiles(store + "/chunks", "*", SearchOption.AllDirectories))
        {
            File.Delete(chunk);
        }
        (int damaged, _, string why) = await Run(directory, "validate", $"{store}/latest", "--participant", "src");
        Assert.AreEqual(4, damaged);
        Assert.Contains("is missing", why);
    }

    [TestMethod]
    public async Task A_client_talks_to_a_daemon_through_every_verb()
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "x"]));
        using TempDirectory directory = new();
        string address = $"unix:{server.SocketPath}";
        Assert.AreEqual(0, (await Run(directory, "run", "--addr", address, "--progress", "json")).Code);
        (int code, string output, _) = await Run(directory, "run", "good", "--addr", address, "--json", "--quiet");
        Assert.AreEqual(0, code);
        Assert.Contains("\"type\":\"scoped\"", output);
        Assert.Contains("completed", (await Run(directory, "status", "--addr", address)).Output);
        Assert.AreEqual("idle", JsonDocument.Parse((await Run(directory, "status", "--json", "--addr", address)).Output)
            .RootElement.GetProperty("phase").GetString());
        Assert.AreEqual(1, (await Run(directory, "cancel", "--addr", address)).Code);
        Assert.AreEqual(10, (await Run(directory, "run", "nobody", "--addr", address)).Code);
        (int unknown, string reply, _) = await Run(directory, "call", "Nope", "--addr", address);
        Assert.AreEqual(2, unknown);
        Assert.Contains("RET_INVALID_METHOD", reply);
        Assert.AreEqual(2, (await Run(directory, "call", "Ping", "{", "--addr", address)).Code);
        string tcp = server.Server.TcpEndPoint!.ToString();
        Assert.AreEqual(12, (await Run(directory, "status", "--addr", tcp)).Code);
        directory.Write("token", TestServer.Token() + "\n");
        Assert.AreEqual(0, (await Run(directory, "status", "--addr", tcp, "--token-file", directory["token"])).Code);
    }

    [TestMethod]
    public async Task A_new_token_is_printed_alone_and_the_secret_is_made_once_for_its_owner_only()
    {
        using TempDirectory directory = new();
        directory.Write("c.json", $"{{\"store\":\"{directory["s"]}\",\"listen\":{{\"tokenSecretFile\":\"{directory["k/token.key"]}\"}}}}");
        (int code, string first, _) = await Run(
            directory, "token", "new", "--role", "manager", "--days", "2", "--config", directory["c.json"]);
        Assert.AreEqual(0, code);
        byte[] secret = await File.ReadAllBytesAsync(directory["k/token.key"], CancellationToken.None);
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory["k/token.key"]));
        AccessToken? token = AccessToken.Verify(System.Text.Encoding.ASCII.GetBytes(first.Trim()), secret.AsSpan(0, secret.Length - 1));
        Assert.AreEqual(SessionRole.Manager, token!.Role);
        await Run(directory, "token", "new", "--role", "admin", "--days", "2", "--config", directory["c.json"]);
        CollectionAssert.AreEqual(secret, await File.ReadAllBytesAsync(directory["k/token.key"], CancellationToken.None));
        File.SetUnixFileMode(directory["k/token.key"], (UnixFileMode)0b110_100_100);
        (int open, _, string error) = await Run(
            directory, "token", "new", "--role", "admin", "--days", "2", "--config", directory["c.json"]);
        Assert.AreEqual(78, open);
        Assert.Contains("chmod 600", error);
    }

    [TestMethod]
    public void Every_fault_status_and_symbol_has_an_exit_code()
    {
        foreach (BackupFault fault in Enum.GetValues<BackupFault>())
        {
            Assert.AreNotEqual(ExitCode.Ok, ExitCodes.Of(fault));
        }
        foreach (RunStatus status in Enum.GetValues<RunStatus>())
        {
            Assert.AreEqual(status is RunStatus.Completed or RunStatus.Running, ExitCodes.Of(status) == ExitCode.Ok);
        }
        foreach (ErrorSymbol symbol in ErrorSymbol.All)
        {
            Assert.AreNotEqual(ExitCode.Ok, ExitCodes.OfSymbol(symbol.Name));
        }
        Assert.AreEqual(ExitCode.Busy, ExitCodes.OfSymbol("BACKUP_RUN_ACTIVE"));
        Assert.AreEqual(ExitCode.Denied, ExitCodes.OfSymbol("RET_UNAUTHORIZED"));
    }

    [TestMethod]
    [DataRow("unix:/run/x.sock", true)]
    [DataRow("127.0.0.1:8620", true)]
    [DataRow("[::1]:8620", true)]
    [DataRow("localhost:1", true)]
    [DataRow("unix:", false)]
    [DataRow("localhost", false)]
    [DataRow("localhost:0", false)]
    [DataRow("localhost:99999", false)]
    [DataRow(":8620", false)]
    public void Addresses_are_a_unix_path_or_host_and_port(string text, bool valid) =>
        Assert.AreEqual(valid, DaemonAddress.TryParse(text) is not null);

    // The verb, or those below it.
    private static string[] Pages(string verb, string help)
    {
        int commands = help.IndexOf("\nCommands:\n", StringComparison.Ordinal);
        return commands < 0
            ? [verb]
            :
            [
                .. help[(commands + 11)..].Split('\n').Where(l => l.StartsWith("  ", StringComparison.Ordinal))
                    .Select(l => $"{verb} {l.Trim().Split(' ')[0]}"),
            ];
    }

    internal static async Task<(int Code, string Output, string Error)> Run(TempDirectory home, params string[] arguments)
    {
        await using SharedText output = new();
        await using SharedText error = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null);
        CliContext context = new(
            CommandLine.Version, places, output, error, TimeProvider.System);
        int code = await Deadline.Of(CommandLine.RunAsync(arguments, context), string.Join(' ', arguments));
        return (code, output.ToString(), error.ToString());
    }
}
