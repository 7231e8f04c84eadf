using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class EventLogTests
{
    private const string Hostile = "a\r\nerror: b\u001b[2J\u009bc\u202ed\u2028e\0\"\\";

    [TestMethod]
    public void Text_begins_with_a_word_and_nothing_in_it_begins_a_line()
    {
        Assert.AreEqual(
            "a\\x0d\\x0aerror: b\\x1b[2J\\x9bc\\u202ed\\u2028e\\x00\"\\\nwarning: w\nerror: e\n",
            Written(LogFormat.Text, log =>
            {
                log.Info(Hostile);
                log.Warning("w", "20260102-030405-000006");
                log.Error("e");
            }));
    }

    [TestMethod]
    public void Json_is_an_object_a_line_that_gives_everything_back()
    {
        string[] lines = Written(LogFormat.Json, log =>
        {
            log.Info(Hostile);
            log.Warning("w", "20260102-030405-000006");
            log.ErrorLines("f:1:2: why\n    line\n    ^");
        }).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(3, lines);
        Assert.AreEqual(Hostile, JsonDocument.Parse(lines[0]).RootElement.GetProperty("message").GetString());
        Assert.IsTrue(lines[0].All(c => c is >= ' ' and <= '~'));
        Assert.AreEqual(
            "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warning\",\"message\":\"w\",\"run_id\":\"20260102-030405-000006\"}", lines[1]);
        Assert.AreEqual("f:1:2: why\n    line\n    ^", JsonDocument.Parse(lines[2]).RootElement.GetProperty("message").GetString());
    }

    [TestMethod]
    public void Lines_of_the_programs_own_stay_lines_in_text() =>
        Assert.AreEqual("error: f:1:2: why\nerror:     ^\n", Written(LogFormat.Text, log => log.ErrorLines("f:1:2: why\n    ^")));

    private static string Written(LogFormat format, Action<EventLog> write)
    {
        using StringWriter output = new();
        ManualClock clock = new(new DateTimeOffset(2026, 1, 2, 4, 4, 5, 678, TimeSpan.FromHours(1)));
        write(new EventLog(output, format, clock));
        return output.ToString();
    }
}
