using System.Text;
using Backupd.Cli;
using Backupd.Cli.Configuration;

namespace Backupd.Tests.Cli;

/// <summary>What must hold for every key of the table.</summary>
[TestClass]
public sealed class ConfigurationKeysTests
{
    // A right value of each; a key that is added to the table is missed here.
    private static readonly Dictionary<string, string> Right = new()
    {
        ["store"] = "\"/s\"",
        ["listen"] = "{}",
        ["participants"] = "{}",
        ["schedules"] = "[]",
        ["overdue"] = "\"26h\"",
        ["keep"] = "{ \"last\": 1 }",
        ["vault"] = "{ \"path\": \"/v\", \"logins\": { \"n\": { \"passwordFile\": \"/p\" } } }",
        ["notify"] = "{ \"n\": { \"command\": [\"true\"] } }",
        ["notify.NAME.webhook"] = "\"https://h.example/x\"",
        ["notify.NAME.ping"] = "\"/p\"",
        ["notify.NAME.ntfy"] = "\"http://127.0.0.1:1/t\"",
        ["notify.NAME.command"] = "[\"true\"]",
        ["notify.NAME.on"] = "[\"failed\", \"overdue\"]",
        ["notify.NAME.tokenFile"] = "\"/t\"",
        ["notify.NAME.user"] = "\"nobody\"",
        ["keepPreRestore"] = "\"366d\"",
        ["timeout"] = "\"1h\"",
        ["validate"] = "\"cold\"",
        ["grace"] = "\"0s\"",
        ["backupOnShutdown"] = "true",
        ["listen.socket"] = "\"\"",
        ["listen.group"] = "\"backup\"",
        ["listen.tcp"] = "\"0.0.0.0:1\"",
        ["listen.tls"] = "\"auto\"",
        ["listen.allowPlaintext"] = "true",
        ["listen.maxConnections"] = "20000",
        ["listen.hosts"] = "[\"a.example\", \"::1\"]",
        ["listen.envelope"] = "\"wrapped\"",
        ["listen.tokenSecretFile"] = "\"/t\"",
        ["listen.revokedTokensFile"] = "\"/r\"",
        ["listen.tls.certificate"] = "\"/c\"",
        ["listen.tls.key"] = "\"/k\"",
        ["schedules[].cron"] = "\"0 30 2 * * MON-FRI\"",
        ["schedules[].jitter"] = "\"1d\"",
        ["schedules[].catchUp"] = "false",
        ["schedules[].participants"] = "[\"p\"]",
        ["keep.last"] = "1",
        ["keep.hourly"] = "2",
        ["keep.daily"] = "3",
        ["keep.weekly"] = "4",
        ["keep.monthly"] = "5",
        ["keep.yearly"] = "100000",
        ["keep.within"] = "\"366d\"",
        ["vault.path"] = "\"/v\"",
        ["vault.keep"] = "{ \"within\": \"1d\" }",
        ["vault.logins"] = "{ \"n\": { \"passwordFile\": \"/p\" }, \"N.2_-\": { \"passwordFile\": \"/p\" } }",
        ["vault.keep.last"] = "100000",
        ["vault.keep.hourly"] = "2",
        ["vault.keep.daily"] = "3",
        ["vault.keep.weekly"] = "4",
        ["vault.keep.monthly"] = "5",
        ["vault.keep.yearly"] = "6",
        ["vault.keep.within"] = "\"366d\"",
        ["vault.logins.NAME.passwordFile"] = "\"/p\"",
        ["vault.logins.NAME.appendOnly"] = "true",
        ["vault.logins.NAME.quota"] = "\"1.5T\"",
        ["participants.NAME.directory"] = "\"/d\"",
        ["participants.NAME.file"] = "\"/f\"",
        ["participants.NAME.sqlite"] = "\"/q\"",
        ["participants.NAME.command"] = "[\"ls\"]",
        ["participants.NAME.critical"] = "false",
        ["participants.NAME.before"] = "[\"sync\"]",
        ["participants.NAME.after"] = "[\"sync\", \"-f\"]",
        ["participants.NAME.exclude"] = "[]",
        ["participants.NAME.oneFileSystem"] = "false",
        ["participants.NAME.unreadable"] = "\"warn\"",
        ["participants.NAME.allowEmpty"] = "true",
        ["participants.NAME.restoreDelete"] = "true",
        ["participants.NAME.user"] = "\"nobody\"",
        ["participants.NAME.timeout"] = "\"366d\"",
        ["participants.NAME.minBytes"] = "0",
        ["participants.NAME.restoreCommand"] = "[\"psql\", \"-q\"]",
    };

    public static IEnumerable<object[]> Keys => ConfigurationKeys.All.Select(k => new object[] { k.FullName });

    [TestMethod]
    public void The_table_holds_each_key_once() =>
        CollectionAssert.AreEquivalent(Right.Keys, ConfigurationKeys.All.Select(k => k.FullName).ToArray());

    [TestMethod]
    [DynamicData(nameof(Keys))]
    public void A_right_value_is_taken(string key) => Read(File(Find(key), $"\"{Find(key).Name}\": {Right[key]}"));

    [TestMethod]
    [DynamicData(nameof(Keys))]
    public void A_value_of_no_kind_is_refused_where_it_stands(string key) =>
        AssertRefused(File(Find(key), $"\"{Find(key).Name}\": null"), "null", "must be");

    [TestMethod]
    [DynamicData(nameof(Keys))]
    public void A_key_that_stands_twice_is_refused_where_it_stands_again(string key)
    {
        string name = Find(key).Name;
        AssertRefused(
            File(Find(key), $"\"{name}\": {Right[key]},\r\n\t \"{name}\": {Right[key]}"), $"\"{name}\"", $"the key \"{name}\" stands twice");
    }

    [TestMethod]
    [DynamicData(nameof(Keys))]
    public void A_misspelled_key_is_refused_with_the_right_one(string key)
    {
        string name = Find(key).Name;
        AssertRefused(File(Find(key), $"\"{name}q\": {Right[key]}"), $"\"{name}q\"", $"unknown key \"{name}q\"; did you mean \"{name}\"?");
    }

    // The caret must stand below the last place of the text.
    private static void AssertRefused(string file, string at, string reason)
    {
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(() => Read(file));
        int place = file.LastIndexOf(at, StringComparison.Ordinal);
        int lineStart = file.LastIndexOf('\n', place) + 1;
        int line = file[..lineStart].Count(c => c == '\n') + 1;
        Assert.StartsWith($"f:{line}:{place - lineStart + 1}: ", e.Message);
        Assert.Contains(reason, e.Message);
        string[] lines = e.Message.Split('\n');
        Assert.AreEqual(at, lines[1].Substring(lines[2].IndexOf('^', StringComparison.Ordinal), at.Length));
    }

    private static ConfigurationKey Find(string fullName) => ConfigurationKeys.All.Single(k => k.FullName == fullName);

    // A file in which a key may stand, with what it cannot stand without.
    private static string File(ConfigurationKey key, string body)
    {
        string store = key.Name == "store" || body.StartsWith("\"storeq", StringComparison.Ordinal) ? "" : "\"store\": \"/s\", ";
        return key.Section switch
        {
            "" => $"{{ // ü\n {store}{body} }}",
            ConfigurationKeys.Listen => $"{{ {store}\"listen\": {{ {body} }} }}",
            ConfigurationKeys.Tls => $"{{ {store}\"listen\": {{ \"tls\": {{ {Other(key)}{body} }} }} }}",
            ConfigurationKeys.Schedule =>
                $"{{ {store}\"participants\": {{ \"p\": {{ \"file\": \"/f\" }} }}, \"schedules\": [ {{ {Other(key)}{body} }} ] }}",
            ConfigurationKeys.Keep => $"{{ {store}\"keep\": {{ {body} }} }}",
            ConfigurationKeys.Vault => $"{{ {store}\"vault\": {{ {Other(key)}{body} }} }}",
            ConfigurationKeys.VaultKeep =>
                $"{{ {store}\"vault\": {{ \"path\": \"/v\", \"logins\": {Right["vault.logins"]}, \"keep\": {{ {body} }} }} }}",
            ConfigurationKeys.VaultLogin =>
                $"{{ {store}\"vault\": {{ \"path\": \"/v\", \"logins\": {{ \"n\": {{ {Other(key)}{body} }} }} }} }}",
            ConfigurationKeys.Notify => $"{{ {store}\"notify\": {{ \"n\": {{ {Other(key)}{body} }} }} }}",
            _ => $"{{ {store}\"participants\": {{ \"p\": {{ {Other(key)}{body} }} }} }}",
        };
    }

    private static string Other(ConfigurationKey key) => (key.Section, key.Name) switch
    {
        (ConfigurationKeys.Tls, "key") => "\"certificate\": \"/c\", ",
        (ConfigurationKeys.Tls, _) => "\"key\": \"/k\", ",
        (ConfigurationKeys.Schedule, "cron") => "",
        (ConfigurationKeys.Schedule, _) => "\"cron\": \"@daily\", ",
        (ConfigurationKeys.Vault, "logins") => "\"path\": \"/v\", ",
        (ConfigurationKeys.Vault, "path") => $"\"logins\": {Right["vault.logins"]}, ",
        (ConfigurationKeys.Vault, _) => $"\"path\": \"/v\", \"logins\": {Right["vault.logins"]}, ",
        (ConfigurationKeys.VaultLogin, "passwordFile") => "",
        (ConfigurationKeys.VaultLogin, _) => "\"passwordFile\": \"/p\", ",
        (ConfigurationKeys.Notify, "user") => "\"command\": [\"true\"], ",
        (ConfigurationKeys.Notify, "on" or "tokenFile") => "\"ntfy\": \"https://h.example/t\", ",
        (ConfigurationKeys.Notify, _) => "",
        (_, "directory" or "file" or "sqlite" or "command") => "",
        (_, "exclude" or "oneFileSystem" or "unreadable" or "allowEmpty" or "restoreDelete") => "\"directory\": \"/d\", ",
        (_, "user" or "timeout" or "minBytes" or "restoreCommand") => "\"command\": [\"ls\"], ",
        _ => "\"file\": \"/f\", ",
    };

    private static DaemonConfiguration Read(string text) =>
        ConfigurationReader.Read(Encoding.UTF8.GetBytes(text), "f", Places.Of(isRoot: true, _ => null));
}
