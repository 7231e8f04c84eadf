using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>
/// The programs that people try a daemon with. Each sends what it has and closes its side, if it can; each gets its answers.
/// <c>./build.sh test</c> installs them.
/// </summary>
[TestClass]
public sealed class ShellClientTests
{
    // Connects, sends, closes its side, reads to the end: what Python's socket.shutdown(SHUT_WR) does.
    private const string Python =
        "import socket,sys; s=socket.create_connection(('127.0.0.1',int(sys.argv[1]))); s.sendall(sys.stdin.buffer.read()); "
        + "s.shutdown(socket.SHUT_WR); f=s.makefile('rb'); sys.stdout.buffer.write(f.read())";

    // $1 is the port, $2 the Unix socket, $3 the file with the requests.
    private static readonly (string Name, string Script)[] Clients =
    [
        ("printf | nc -N", "printf '%s' \"$(cat \"$3\")\" | nc -N 127.0.0.1 \"$1\""),
        ("nc -N", "nc -N 127.0.0.1 \"$1\" < \"$3\""),
        ("nc -NU", "nc -NU \"$2\" < \"$3\""),
        ("socat -", "socat -t 30 - TCP:127.0.0.1:\"$1\" < \"$3\""),
        ("socat over the Unix socket", "socat -t 30 - UNIX-CONNECT:\"$2\" < \"$3\""),
        ("ncat", "ncat 127.0.0.1 \"$1\" < \"$3\""),
        ("ncat over the Unix socket", "ncat -U \"$2\" < \"$3\""),
        ("python", "python3 -c \"$PYTHON\" \"$1\" < \"$3\""),
    ];

    [TestMethod]
    public async Task Every_client_that_closes_its_side_gets_all_its_answers_also_that_of_a_run()
    {
        await using TestServer server = new(new CommandParticipant("slow", true, ["sh", "-c", "sleep 0.1; echo slow"]));
        foreach ((string name, string script) in Clients)
        {
            string[] lines = await Talk(server, name, script, "GetServerInfo", "StartFullBackup", "GetBackupRuns", "GetBackupProgress");
            Assert.HasCount(4, lines, name + "\n" + string.Join('\n', lines));
            JsonElement[] replies = [.. lines.Select(l => JsonDocument.Parse(l).RootElement)];
            CollectionAssert.AreEqual((int[])[0, 1, 2, 3], replies.Select(r => r.GetProperty("extID").GetInt32()).ToArray(), name);
            Assert.AreEqual("completed", replies[1].GetProperty("status").GetString(), name);
            Assert.AreEqual(replies[1].GetProperty("run_id").GetString(), replies[2].GetProperty("rows")[0].GetProperty("run_id").GetString(), name);
            Assert.AreEqual("idle", replies[3].GetProperty("phase").GetString(), name);
        }
    }

    [TestMethod]
    public async Task Bash_alone_gets_an_answer_without_closing_its_side()
    {
        await using TestServer server = new();
        string[] lines = await Talk(
            server, "bash", "exec 3<>/dev/tcp/127.0.0.1/\"$1\"; cat \"$3\" >&3; IFS= read -r line <&3; printf '%s\\n' \"$line\"", "GetBackupProgress");
        Assert.HasCount(1, lines);
        Assert.AreEqual("idle", JsonDocument.Parse(lines[0]).RootElement.GetProperty("phase").GetString());
    }

    [TestMethod]
    public async Task A_subscription_through_nc_ends_when_nc_does_and_jq_understands_each_line()
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "good"]));
        using TempDirectory directory = new();
        using TestClient starter = await server.ConnectAsync();
        // The input ends at once and nc keeps its side open all the same, for want of -N.
        using Process listening = Shell.Start(
            "bash",
            [
                "-c", "nc -U \"$1\" < \"$2\" | jq --unbuffered -c 'if .event then [.event, .data.active, .data.phase] else .ok end'", "bash",
                server.SocketPath, directory.Write("request", "{\"command\":\"SubscribeAll\"}\n"),
            ]);
        Assert.AreEqual("true", await Deadline.Of(listening.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask(), "the reply"));
        await starter.CallAsync("StartFullBackup");
        string line;
        do
        {
            line = await Deadline.Of(listening.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask(), "an event") ?? "";
        }
        while (line.Contains("true", StringComparison.Ordinal));
        Assert.AreEqual("[\"backup.progress\",false,\"done\"]", line);
        listening.Kill(entireProcessTree: true);
        await Deadline.Of(listening.WaitForExitAsync(CancellationToken.None), "nc to end");
    }

    [TestMethod]
    public async Task A_person_can_type_through_openssl()
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "good"]));
        using Process openssl = Shell.Start("openssl", ["s_client", "-quiet", "-connect", $"127.0.0.1:{server.Server.TcpEndPoint!.Port}"]);
        // What it says about the certificate would otherwise fill the pipe some day.
        Task<string> error = openssl.StandardError.ReadToEndAsync();
        foreach ((int id, string command) in ((string[])["GetServerInfo", "StartFullBackup", "GetBackupProgress"]).Index())
        {
            await openssl.StandardInput.WriteAsync($"{{\"command\":\"{command}\",\"extID\":{id},\"__token\":\"{TestServer.Token()}\"}}\n");
            await openssl.StandardInput.FlushAsync(CancellationToken.None);
            string? line = await Deadline.Of(openssl.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask(), command);
            Assert.StartsWith($"{{\"extID\":{id},", line ?? "the end");
            Assert.DoesNotContain("RET_", line!);
        }
        openssl.Kill();
        await Deadline.Of(openssl.WaitForExitAsync(CancellationToken.None), "openssl to end");
        Assert.Contains("verify error", await error, "a certificate that nobody vouches for");
        await server.NoSessions("openssl");
    }

    private static async Task<string[]> Talk(TestServer server, string name, string script, params string[] commands)
    {
        using TempDirectory directory = new();
        StringBuilder requests = new();
        foreach ((int id, string command) in commands.Index())
        {
            requests.Append($"{{\"command\":\"{command}\",\"extID\":{id},\"__token\":\"{TestServer.Token()}\"}}\n");
        }
        string file = directory.Write("requests", requests.ToString());
        using Process process = Shell.Start(
            "bash", ["-c", script, "bash", $"{server.Server.TcpEndPoint!.Port}", server.SocketPath, file], ("PYTHON", Python));
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await Deadline.Of(process.WaitForExitAsync(CancellationToken.None), $"{name} to end");
        Assert.AreEqual(0, process.ExitCode, $"{name}: {await error}");
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
