using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class EndpointVerbTests
{
    private static readonly string Pin = string.Concat(Enumerable.Repeat("5e", 32));

    [TestMethod]
    public async Task Endpoints_are_added_listed_changed_and_removed()
    {
        await using TestServer server = new();
        using TempDirectory home = new();
        string address = $"unix:{server.SocketPath}";
        EndpointList endpoints = server.Engine.Supervisor.Endpoints;
        Assert.AreEqual((0, "", "no endpoints yet; add one with: backupd endpoint add\n"), await Run(home, address, "list"));
        home.Write("pw", "correct horse\r\n");
        (int code, string output, string error) = await Run(
            home, address, "add", "offsite", "10.10.10.20", "--login", "web1", "--password-file", home["pw"],
            "--fingerprint", $"SHA256:{Pin.ToUpperInvariant()}", "--runs", "all", "--interval", "6h", "--timeout", "2m30s",
            "--attempts", "5", "--retry-delay", "0s", "--bandwidth", "10M", "--json");
        Assert.AreEqual((0, ""), (code, error));
        Assert.AreEqual(
            "{\"name\":\"offsite\",\"host\":\"10.10.10.20:8620\",\"login\":\"web1\",\"password\":\"********\",\"enable\":1,\"mode\":0,"
            + $"\"timeinterval\":21600,\"timeout\":150,\"retry_attempts\":5,\"retry_delay\":0,\"tls_fingerprint\":\"{Pin}\","
            + "\"bandwidth\":10485760,\"has_password\":true}\n",
            output);
        Assert.AreEqual("correct horse", endpoints.Get("offsite").Password);
        (code, output, error) = await Run(home, address, "add", "usb", "file:///mnt/usb", "--runs", "full", "--disabled");
        Assert.AreEqual((0, "", "endpoint usb is added; see whether it answers: backupd endpoint test usb\n"), (code, output, error));

        string[] table =
        [
            "NAME     HOST              LOGIN  ENABLED  CERTIFICATE       WHEN",
            "offsite  10.10.10.20:8620  web1   yes      5e5e5e5e5e5e5e5e  every run, not within 6h",
            "usb      file:///mnt/usb   -      no       -                 full runs", "",
        ];
        Assert.AreEqual((0, string.Join('\n', table), ""), await Run(home, address, "list"));
        JsonElement rows = JsonDocument.Parse((await Run(home, address, "list", "--json")).Output).RootElement.GetProperty("rows");
        Assert.AreEqual("offsite usb", string.Join(' ', rows.EnumerateArray().Select(r => r.GetProperty("name").GetString())));

        Assert.AreEqual(0, (await Run(home, address, "set", "usb", "--enabled", "--runs", "all", "--interval", "1d")).Code);
        Endpoint usb = endpoints.Get("usb");
        Assert.AreEqual((true, false, 86400, "file:///mnt/usb"), (usb.IsEnabled, usb.IsForFullRunsOnly, usb.IntervalSeconds, usb.Host));
        Assert.AreEqual((0, "", "endpoint usb is removed; what was published there stays there\n"), await Run(home, address, "remove", "usb"));
        Assert.AreEqual("offsite", string.Join(' ', endpoints.All().Select(e => e.Name)));
    }

    [TestMethod]
    public async Task That_the_unit_shuts_an_endpoint_out_is_told_when_it_is_added()
    {
        await using TestServer server = new();
        using TempDirectory home = new();
        string address = $"unix:{server.SocketPath}";
        home.Write("root/etc/systemd/system/backupd.service", "[Service]\nProtectSystem=strict\nIPAddressDeny=any\nReadWritePaths=-/mnt\n");
        const string advice = "  The unit of the daemon does not let it go there. So first: sudo backupd service install && sudo systemctl restart backupd\n";
        Assert.EndsWith(advice, (await Run(home, address, "add", "a", "h", "--root", home["root"])).Error);
        Assert.EndsWith(advice, (await Run(home, address, "add", "b", "file:///srv/b", "--root", home["root"])).Error);
        Assert.DoesNotContain(advice, (await Run(home, address, "add", "c", "file:///mnt/b", "--root", home["root"])).Error);
        Assert.DoesNotContain(advice, (await Run(home, address, "set", "a", "--disabled", "--root", home["none"])).Error);
    }

    private static Task<(int Code, string Output, string Error)> Run(TempDirectory home, string address, params string[] arguments) =>
        CommandLineTests.Run(home, ["endpoint", .. arguments, "--addr", address]);

    [TestMethod]
    public async Task What_the_daemon_refuses_is_told_and_has_an_exit_code()
    {
        await using TestServer server = new();
        using TempDirectory home = new();
        EndpointList endpoints = server.Engine.Supervisor.Endpoints;
        endpoints.Add(new EndpointChange { Name = "offsite", Host = "h", Login = "l", Password = "p" });
        home.Write("pw", "new");
        (int Code, string Told, string[] Line)[] refused =
        [
            (1, "there is an endpoint offsite already\n  change it with: backupd endpoint set offsite\n", ["add", "offsite", "h"]),
            (10, "there is no endpoint nope\n  there are: offsite\n", ["set", "nope", "--disabled"]),
            (10, "there is no endpoint nope\n", ["remove", "nope"]),
            (12, "was given for another host: it has to be given again\n  backupd endpoint set takes it", ["set", "offsite", "other"]),
            (12, "was given for another login:", ["set", "offsite", "--login", ""]),
            (12, "was given for another tls_fingerprint:", ["set", "offsite", "--fingerprint", Pin]),
            (2, "login, password and tls_fingerprint must be empty", ["add", "usb", "file:///mnt", "--login", "l"]),
        ];
        foreach ((int expected, string told, string[] line) in refused)
        {
            (int code, string output, string error) = await CommandLineTests.Run(
                home, ["endpoint", .. line, "--addr", $"unix:{server.SocketPath}"]);
            Assert.AreEqual((expected, ""), (code, output), error);
            Assert.Contains(told, error);
        }
        Assert.AreEqual("offsite h:8620", string.Join(", ", endpoints.All().Select(e => $"{e.Name} {e.Host}")));
        string[] set = ["endpoint", "set", "offsite", "other", "--addr", $"unix:{server.SocketPath}"];
        Assert.AreEqual(0, (await CommandLineTests.Run(home, [.. set, "--password-file", home["pw"]])).Code);
        Assert.AreEqual(("other:8620", "new"), (endpoints.Get("offsite").Host, endpoints.Get("offsite").Password));
        set[3] = "third";
        Assert.AreEqual(0, (await CommandLineTests.Run(home, [.. set, "--no-password"])).Code);
        Assert.AreEqual(("third:8620", ""), (endpoints.Get("offsite").Host, endpoints.Get("offsite").Password));
    }

    [TestMethod]
    [DataRow("NAME", "endpoint", "add")]
    [DataRow("HOST", "endpoint", "add", "a")]
    [DataRow("a verb is missing after endpoint: list, add, set, remove, test", "endpoint")]
    [DataRow("name must be", "endpoint", "add", "a/b", "h")]
    [DataRow("does not speak s3+https", "endpoint", "add", "a", "s3+https://x/y")]
    [DataRow("this directory is file:///mnt", "endpoint", "add", "a", "/mnt")]
    [DataRow("tls_fingerprint must be", "endpoint", "add", "a", "h", "--fingerprint", "12")]
    [DataRow("--interval 5 is not a time", "endpoint", "add", "a", "h", "--interval", "5")]
    [DataRow("timeinterval must be", "endpoint", "add", "a", "h", "--interval", "366d")]
    [DataRow("timeout must be", "endpoint", "add", "a", "h", "--timeout", "0s")]
    [DataRow("--attempts few is not a number", "endpoint", "set", "a", "--attempts", "few")]
    [DataRow("retry_attempts must be", "endpoint", "set", "a", "--attempts", "101")]
    [DataRow("--bandwidth 10X is not an amount", "endpoint", "set", "a", "--bandwidth", "10X")]
    [DataRow("'full'", "endpoint", "set", "a", "--runs", "some")]
    [DataRow("contradict", "endpoint", "set", "a", "--enabled", "--disabled")]
    [DataRow("contradict", "endpoint", "set", "a", "--no-password", "--password-file", "x")]
    [DataRow("'--enabled' was not matched", "endpoint", "add", "a", "h", "--enabled")]
    [DataRow("Unrecognized command or argument '--password'", "endpoint", "add", "a", "h", "--password", "x")]
    public async Task What_cannot_be_understood_is_told_without_a_daemon(string told, params string[] line)
    {
        using TempDirectory home = new();
        (int code, string output, string error) = await CommandLineTests.Run(home, line);
        Assert.AreEqual((2, ""), (code, output), error);
        Assert.Contains(told, error);
    }

    [TestMethod]
    public async Task A_password_comes_from_a_file_or_from_standard_input_and_must_be_one()
    {
        await using TestServer server = new();
        using TempDirectory home = new();
        string program = Path.Combine(AppContext.BaseDirectory, "backupd");
        const string add = "printf 'pass word\\n' | \"$1\" endpoint add piped host --login l --password-file - --addr \"$2\"";
        await Shell.Ok("sh", "-c", add, "sh", program, $"unix:{server.SocketPath}");
        Assert.AreEqual("pass word", server.Engine.Supervisor.Endpoints.Get("piped").Password);
        foreach ((string content, int expected, string told) in ((string, int, string)[])
            [
                ("", 2, "holds no password"), ("\n", 2, "holds no password"), ("********\n", 2, "eight stars"), ("a\nb\n", 2, "password must have"),
            ])
        {
            home.Write("pw", content);
            (int code, _, string error) = await CommandLineTests.Run(home, "endpoint", "set", "piped", "--password-file", home["pw"]);
            Assert.AreEqual(expected, code, error);
            Assert.Contains(told, error);
        }
        (int missing, _, string why) = await CommandLineTests.Run(home, "endpoint", "set", "piped", "--password-file", home["none"]);
        Assert.AreEqual(1, missing);
        Assert.Contains("the password cannot be read", why);
    }

    [TestMethod]
    public async Task Names_of_endpoints_are_completed()
    {
        await using TestServer server = new();
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "offsite" });
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb" });
        string program = DaemonProcess.Program;
        foreach ((string words, string offered) in ((string, string)[])
            [
                ("endpoint set ''", "offsite\nusb\n"), ("endpoint remove --json u", "usb\n"), ("endpoint test o", "offsite\n"),
                ("endpoint add ''", ""), ("endpoint r", "remove\n"), ("endpoint set usb --runs ''", "all\nfull\n"),
            ])
        {
            string asked = $"BACKUPD_ADDR='unix:{server.SocketPath}' '{program}' complete -- {words}";
            Assert.AreEqual(offered, await Shell.Ok("sh", "-c", asked), words);
        }
    }

    [TestMethod]
    [DataRow("0", 0L)]
    [DataRow("500", 500L)]
    [DataRow("64K", 65536L)]
    [DataRow("10m", 10485760L)]
    [DataRow("500G", 536870912000L)]
    [DataRow("8388607T", 9223370937343148032L)]
    [DataRow("8388608T", -1L)]
    [DataRow("9223372036854775807", 9223372036854775807L)]
    [DataRow("9223372036854775808", -1L)]
    [DataRow("", -1L)]
    [DataRow("K", -1L)]
    [DataRow("-1", -1L)]
    [DataRow("1.5G", 1610612736L)]
    [DataRow("0.0005K", -1L)]
    [DataRow("10 M", -1L)]
    [DataRow("10MB", -1L)]
    public void An_amount_is_a_number_and_perhaps_a_unit(string text, long bytes) =>
        Assert.AreEqual(bytes, Backupd.Cli.Verbs.EndpointOptions.TryParseBytes(text, out long read) ? read : -1);
}
