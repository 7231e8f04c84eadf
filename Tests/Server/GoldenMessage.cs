using System.Text;
using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A file of Tests/Golden/protocol-1: one message as it goes over the wire. They are added, never edited.</summary>
internal static partial class GoldenMessage
{
    // What another version of the compressor or of the listing may change, and what stands for it in the files.
    private static readonly (Regex Here, string InFile)[] Volatile =
    [
        (Sum(), $"\"sha256\":\"{new string('a', 64)}\""),
        (NewBytes(), "\"bytes_new\":221,\"bytes_stored\":187"),
        (Sequence(), "\"seq\":6"),
        (Damage(), $"chunk {new string('b', 64)} has 6 bytes where 165 were expected"),
    ];

    /// <summary>Sends <c>request-NAME.json</c>, in which TOKEN stands for the token, and compares the line that comes back.</summary>
    /// <param name="client">From where it is sent.</param>
    /// <param name="request">NAME.</param>
    /// <param name="reply">The file with the reply.</param>
    /// <param name="differing">What differs from machine to machine, and what stands for it in the file.</param>
    public static async Task Exchange(
        TestClient client, string request, string reply, params (string Here, string InFile)[] differing)
    {
        await Send(client, request);
        Compare(reply, Usual(await client.ReadLineAsync(reply)), differing);
    }

    /// <summary>A line about a real run as the files have it.</summary>
    public static string Usual(string? line) => Volatile.Aggregate(line ?? "", (text, v) => v.Here.Replace(text, v.InFile));

    /// <summary>Sends <c>request-NAME.json</c>.</summary>
    public static Task Send(TestClient client, string request) =>
        client.SendAsync(Read($"request-{request}.json").Replace("TOKEN", client.Token, StringComparison.Ordinal) + "\r\n");

    /// <summary>Compares a line without its end to a file.</summary>
    public static void Compare(string file, string actual, params (string Here, string InFile)[] differing)
    {
        foreach ((string here, string inFile) in differing)
        {
            actual = actual.Replace(here, inFile, StringComparison.Ordinal);
        }
        string expected = File.Exists(PathOf(file)) ? Read(file) : "(no file)";
        Assert.AreEqual(expected, actual, $"{file} should hold what was sent, if that is what is meant");
    }

    private static string Read(string file) => Encoding.UTF8.GetString(File.ReadAllBytes(PathOf(file))).TrimEnd('\n');

    [GeneratedRegex("\"sha256\":\"[0-9a-f]{64}\"")]
    private static partial Regex Sum();

    [GeneratedRegex("\"bytes_new\":[1-9][0-9]*,\"bytes_stored\":[1-9][0-9]*")]
    private static partial Regex NewBytes();

    [GeneratedRegex("\"seq\":[1-9][0-9]*")]
    private static partial Regex Sequence();

    [GeneratedRegex("chunk [0-9a-f]{64} has 6 bytes where [0-9]+ were expected")]
    private static partial Regex Damage();

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Golden", "protocol-1", file);
}
