using System.Diagnostics;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>The HTTP client that everybody has. <c>./build.sh test</c> installs it.</summary>
[TestClass]
public sealed class CurlTests
{
    private static readonly string[] Json = ["-H", "Content-Type: application/json"];

    [TestMethod]
    public async Task Health_is_asked_without_a_token_over_every_way()
    {
        await using TestServer server = new();
        int port = server.Server.TcpEndPoint!.Port;
        Assert.AreEqual("ok\n", await Shell.Ok("curl", "-fsS", $"http://127.0.0.1:{port}/healthz"));
        Assert.AreEqual("ok\n", await Shell.Ok("curl", "-fsSk", $"https://localhost:{port}/healthz"));
        Assert.AreEqual("ok\n", await Shell.Ok("curl", "-fsS", "--unix-socket", server.SocketPath, "http://localhost/healthz"));
        Assert.Contains("\r\nContent-Length: 3\r\n", await Shell.Ok("curl", "-fsSI", $"http://127.0.0.1:{port}/healthz"));
    }

    [TestMethod]
    public async Task Calls_say_by_the_exit_code_how_it_went()
    {
        await using TestServer server = new(new CommandParticipant("slow", true, ["sh", "-c", "sleep 0.1; echo slow"]));
        string url = $"http://127.0.0.1:{server.Server.TcpEndPoint!.Port}/call";
        string[] token = ["-H", $"Authorization: Bearer {TestServer.Token()}"];
        string run = await Shell.Ok("curl", ["-fsS", .. token, .. Json, "-d", "{\"command\":\"StartFullBackup\"}", url]);
        Assert.AreEqual("completed", JsonDocument.Parse(run).RootElement.GetProperty("status").GetString());
        string patient = await Shell.Ok(
            "curl", ["-fsS", .. token, .. Json, "-H", "Expect: 100-continue", "-d", "{\n  \"command\": \"Ping\"\n}", url]);
        Assert.Contains("\"version\":\"1.2.3\"", patient);
        Assert.AreEqual(22, (await Shell.Run("curl", ["-fsS", .. Json, "-d", "{\"command\":\"Ping\"}", url])).Code, "no token");
        Outcome chunks = await Shell.Run(
            "curl", ["-sS", "-w", "%{http_code}", .. token, .. Json, "-H", "Transfer-Encoding: chunked", "-d", "{\"command\":\"Ping\"}", url]);
        Assert.EndsWith("400", chunks.Output);
    }

    [TestMethod]
    public async Task A_body_that_is_too_long_is_refused_before_it_is_sent()
    {
        await using TestServer server = new();
        using TempDirectory directory = new();
        string file = directory.Write("body", new string(' ', ProtocolLimits.MaxLineBytes + 1));
        string[] arguments =
        [
            "-sS", "-w", "%{http_code} %{size_upload}", "-H", $"Authorization: Bearer {TestServer.Token()}", .. Json,
            "--expect100-timeout", "60", "--data-binary", $"@{file}", $"http://127.0.0.1:{server.Server.TcpEndPoint!.Port}/call",
        ];
        Assert.EndsWith("413 0", await Shell.Ok("curl", arguments));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("Accept: text/event-stream")]
    public async Task Events_come_as_they_happen(string accept)
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "good"]));
        using Process curl = Shell.Start(
            "curl",
            [
                "-fsSN", .. (string[])(accept.Length > 0 ? ["-H", accept] : []), "--unix-socket", server.SocketPath,
                "http://localhost/events",
            ]);
        string? line = await Line(curl, "the first event");
        Assert.AreEqual(accept.Length > 0, line == "event: backup.progress", line ?? "the end");
        using TestClient starter = await server.ConnectAsync();
        await starter.CallAsync("StartFullBackup");
        while (line is not null && !line.Contains("\"phase\":\"done\"", StringComparison.Ordinal))
        {
            line = await Line(curl, "the ending");
        }
        Assert.IsNotNull(line);
        await Deadline.Of(server.Server.StopAsync(), "the server to stop");
        await Deadline.Of(curl.WaitForExitAsync(CancellationToken.None), "curl to end with the server");
        Assert.AreEqual(0, curl.ExitCode);
    }

    private static Task<string?> Line(Process process, string what) =>
        Deadline.Of(process.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask(), what);
}
