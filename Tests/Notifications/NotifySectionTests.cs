using System.Text;
using Backupd.Cli;
using Backupd.Cli.Configuration;

namespace Backupd.Tests.Notifications;

[TestClass]
public sealed class NotifySectionTests
{
    [TestMethod]
    public void The_section_is_understood_and_each_kind_has_its_usual_events()
    {
        DaemonConfiguration configuration = Read("""
            "notify": {
              "chat": { "webhook": "https://chat.example.org/hooks/1?x=y", "on": ["failed", "partial"], "tokenFile": "/t" },
              "watcher": { "ping": "/etc/backupd/ping" },
              "phone": { "ntfy": "http://[::1]:8080/topic" },
              "mail": { "command": ["/bin/mail", "-s", "x"], "user": "nobody" },
            }
            """);
        CollectionAssert.AreEqual(
            (string[])
            [
                "chat Webhook https://chat.example.org/hooks/1?x=y   /t Partial, Failed",
                "watcher Ping /etc/backupd/ping    Finished, Unpublished, Partial, Failed",
                "phone Ntfy http://[::1]:8080/topic    Unpublished, Partial, Failed, Overdue",
                "mail Command  /bin/mail,-s,x nobody  All",
            ],
            configuration.Notify.Select(t => $"{t.Name} {t.Kind} {t.Address} {string.Join(',', t.Argv)} {t.User} {t.TokenFile} {t.On}").ToArray());
        Assert.IsEmpty(Read("\"notify\": {}").Notify);
    }

    [TestMethod]
    [DataRow("\"a\":{}", 29, "a tells nobody: one of \"webhook\", \"ping\", \"ntfy\" and \"command\"")]
    [DataRow("\"a\":{\"on\":[\"failed\"]}", 29, "a tells nobody")]
    [DataRow("\"../a\":{\"command\":[\"x\"]}", 25, "a name here begins with a letter or digit")]
    [DataRow("\"a\":{\"command\":[\"x\"]},\"a\":{}", 47, "a stands twice")]
    [DataRow("\"a\":{\"command\":[\"x\"],\"webhook\":\"https://h\"}", 46, "there is a \"command\" already")]
    [DataRow("\"a\":{\"webhook\":\"ftp://h/\"}", 40, "an address begins with https:// or http://")]
    [DataRow("\"a\":{\"webhook\":\"chat.example.org\"}", 40, "an address begins with https:// or http://")]
    [DataRow("\"a\":{\"webhook\":\"https://me:secret@h/\"}", 40, "holds no password")]
    [DataRow("\"a\":{\"ping\":\"https:///x\"}", 37, "an address begins with https:// or http://")]
    [DataRow("\"a\":{\"command\":[]}", 40, "a program and its arguments")]
    [DataRow("\"a\":{\"command\":[\"x\"],\"tokenFile\":\"/t\"}", 29, "a command gets no \"tokenFile\"")]
    [DataRow("\"a\":{\"ntfy\":\"https://h/t\",\"user\":\"u\"}", 29, "\"user\" is for a \"command\"")]
    [DataRow("\"a\":{\"ntfy\":\"https://h/t\",\"tokenFile\":\"t\"}", 63, "absolute path")]
    [DataRow("\"a\":{\"ntfy\":\"https://h/t\",\"on\":[\"fialed\"]}", 57, "there is no such event; finished, unpublished, partial, failed, overdue")]
    [DataRow("\"a\":{\"ntfy\":\"https://h/t\",\"on\":[]}", 56, "this must name events")]
    [DataRow("\"a\":{\"webhok\":\"https://h\"}", 30, "did you mean \"webhook\"")]
    public void What_cannot_be_is_refused_where_it_stands(string targets, int column, string what)
    {
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(() => Read($"\"notify\":{{{targets}}}"));
        Assert.Contains(what, e.Message);
        Assert.StartsWith($"f:1:{column}: ", e.Message);
    }

    private static DaemonConfiguration Read(string keys) => ConfigurationReader.Read(
        Encoding.UTF8.GetBytes($"{{\"store\":\"/s\",{keys}}}"), "f", Places.Of(isRoot: true, _ => null));
}
