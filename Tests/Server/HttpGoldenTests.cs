using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>The exchanges of HTTP that docs/protocol.md shows, byte for byte but for the line ends. Golden files are added, never
/// edited.</summary>
[TestClass]
public sealed class HttpGoldenTests
{
    [TestMethod]
    [DataRow("health", "health")]
    [DataRow("call", "call")]
    [DataRow("stop", "error")]
    [DataRow("stranger", "unauthorized")]
    public async Task A_request_and_its_reply(string request, string reply)
    {
        await using TestServer server = new(new FrozenClock(), o => o);
        using TestClient client = await server.ConnectAsync();
        await SendAsync(client, request);
        GoldenMessage.Compare($"http-{reply}.txt", Usual(await client.ReadToEndAsync()));
    }

    [TestMethod]
    [DataRow("events")]
    [DataRow("event-stream")]
    public async Task The_beginning_of_a_stream(string name)
    {
        await using TestServer server = new(new FrozenClock(), o => o);
        using TestClient client = await server.ConnectAsync();
        await SendAsync(client, name);
        string text = await client.ReadHeadAsync() + await client.ReadLineAsync("the first line");
        if (name == "event-stream")
        {
            text += "\n" + await client.ReadLineAsync("the data");
        }
        GoldenMessage.Compare($"http-{name}.txt", Usual(text));
    }

    private static async Task SendAsync(TestClient client, string request)
    {
        string text = await File.ReadAllTextAsync(Sources.PathOf($"Tests/Golden/protocol-1/request-http-{request}.txt"), CancellationToken.None);
        // A body has no line end of its own.
        text = text.Contains("\n\n{", StringComparison.Ordinal) ? text.TrimEnd('\n') : text;
        await client.SendAsync(text.Replace("TOKEN", client.Token, StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal));
    }

    private static string Usual(string reply) => reply.Replace("\r\n", "\n", StringComparison.Ordinal).TrimEnd('\n');
}
