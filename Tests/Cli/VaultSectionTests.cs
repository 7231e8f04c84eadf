using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Remote;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class VaultSectionTests
{
    private const string Login = "\"logins\":{\"n\":{\"passwordFile\":\"/p\"}}";

    [TestMethod]
    public void The_section_is_understood_and_without_it_there_is_no_vault()
    {
        VaultSettings vault = Read("""
            {
              "vault": {
                "path": "/srv/vault", "keep": { "daily": 14, "within": "2d" },
                "logins": {
                  "web1": { "passwordFile": "/etc/w", "appendOnly": true, "quota": "1.5T" },
                  "db.2": { "passwordFile": "/etc/d", "quota": 1048576 },
                  "x": { "passwordFile": "/etc/x" },
                },
              },
              "store": "/srv/vault2",
            }
            """).Vault!;
        Assert.AreEqual("/srv/vault", vault.Path);
        Assert.AreEqual(14, vault.Keep!.Daily);
        Assert.AreEqual(TimeSpan.FromDays(2), vault.Keep.Within);
        CollectionAssert.AreEqual(
            (string[])["web1 /etc/w True 1649267441664", "db.2 /etc/d False 1048576", "x /etc/x False "],
            vault.Logins.Select(l => $"{l.Name} {l.PasswordFile} {l.IsAppendOnly} {l.QuotaBytes}").ToArray());
        Assert.IsNull(Read("{\"store\":\"/s\",\"vault\":{\"path\":\"/v\"," + Login + "}}").Vault!.Keep);
        Assert.IsNull(Read("{\"store\":\"/s\"}").Vault);
    }

    [TestMethod]
    [DataRow("\"vault\":{}", 23, "needs the key \"path\"")]
    [DataRow("\"vault\":{\"path\":\"v\"}", 31, "absolute path")]
    [DataRow("\"vault\":{\"path\":\"/v\"}", 23, "needs the key \"logins\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{}}", 23, "at least one")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{}}}", 50, "the login n needs the key \"passwordFile\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"../n\":{}}}", 46, "a login begins with a letter or digit")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"\":{}}}", 46, "a login begins with a letter or digit")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"passwordFile\":\"/p\"},\"n\":{}}}", 72, "the login n stands twice")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"passwordFile\":\"p\"}}}", 66, "absolute path")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"quota\":\"1023K\"}}}", 59, "at least \"1M\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"quota\":1048575}}}", 59, "at least \"1M\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"quota\":\"500GB\"}}}", 59, "a size such as \"500G\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"quota\":1e9}}}", 59, "a size such as \"500G\"")]
    [DataRow("\"vault\":{\"path\":\"/v\",\"logins\":{\"n\":{\"quota\":[]}}}", 59, "a size such as \"500G\"")]
    [DataRow("\"vault\":{\"keep\":{}}", 31, "keep nothing")]
    [DataRow("\"vault\":{\"path\":\"/s/v\"," + Login + "}", 23, "must not lie in each other")]
    [DataRow("\"vault\":{\"path\":\"/s\"," + Login + "}", 23, "must not lie in each other")]
    [DataRow("\"vault\":{\"path\":\"/x/../s/v/\"," + Login + "}", 23, "must not lie in each other")]
    [DataRow("\"vault\":{\"path\":\"/\"," + Login + "}", 23, "must not lie in each other")]
    [DataRow("\"vault\":{\"path\":\"/v\"," + Login + "},\"listen\":{\"tls\":\"off\"}", 23, "a vault needs TLS")]
    [DataRow("\"vault\":{\"path\":\"/v\"," + Login + "},\"listen\":{\"tcp\":\"\"}", 23, "\"listen.tcp\" is \"\"")]
    public void A_vault_that_cannot_be_is_refused_where_it_stands(string keys, int column, string what)
    {
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(() => Read($"{{\"store\":\"/s\",{keys}}}"));
        Assert.StartsWith($"f:1:{column}: ", e.Message);
        Assert.Contains(what, e.Message);
    }

    [TestMethod]
    [DataRow("1K", 1024)]
    [DataRow("1M", 1048576)]
    [DataRow("500G", 536870912000)]
    [DataRow("1.5T", 1649267441664)]
    [DataRow("0.001K", 1)]
    [DataRow("0G", 0)]
    [DataRow("8191.999P", 9223370910954868965)]
    [DataRow("8192P", -1)]
    [DataRow("999999999999P", -1)]
    [DataRow("1000000000000P", -1)]
    [DataRow("", -1)]
    [DataRow("G", -1)]
    [DataRow("5", -1)]
    [DataRow("5g", -1)]
    [DataRow("5GB", -1)]
    [DataRow("5 G", -1)]
    [DataRow(" 5G", -1)]
    [DataRow("-5G", -1)]
    [DataRow("+5G", -1)]
    [DataRow(".5G", -1)]
    [DataRow("5.G", -1)]
    [DataRow("1.5.5G", -1)]
    [DataRow("1,5G", -1)]
    [DataRow("1.0001G", -1)]
    [DataRow("1e3G", -1)]
    public void Sizes_are_read_as_people_write_them(string text, long bytes)
    {
        Assert.AreEqual(bytes >= 0, Sizes.TryParse(text, out long read));
        if (bytes >= 0)
        {
            Assert.AreEqual(bytes, read);
            Assert.IsTrue(Sizes.TryFormat(bytes) is not string again || (Sizes.TryParse(again, out read) && read == bytes));
        }
    }

    [TestMethod]
    public void A_size_of_more_digits_than_are_read_is_a_number_of_bytes()
    {
        Assert.AreEqual("999999999999K", Sizes.TryFormat(999_999_999_999 * 1024));
        Assert.IsNull(Sizes.TryFormat(2_332_453_711_356_493 * 1024));
    }

    [TestMethod]
    public async Task A_check_reads_the_passwords_and_says_how_many_may_send()
    {
        using TempDirectory directory = new();
        string first = Password(directory, "first", "123456789012");
        string second = Password(directory, "second", new string('ü', 512) + "\n");
        string config = directory.Write("c.json", $$"""
            { "store": "/s", "vault": { "path": "/v", "logins": { "a": { "passwordFile": "{{first}}" }, "b": { "passwordFile": "{{second}}" } } } }
            """);
        Assert.AreEqual("ok: 0 participants, no schedules, vault: 2 logins\n", await InProcess.Ok("config", "check", config));
        Dictionary<string, byte[]> hashes = VaultPasswords.Read(DaemonConfiguration.Load(config, Places.Of(isRoot: true, _ => null)).Vault!);
        CollectionAssert.AreEqual(SHA256.HashData("123456789012"u8), hashes["a"]);
        CollectionAssert.AreEqual(SHA256.HashData(Encoding.UTF8.GetBytes(new string('ü', 512))), hashes["b"], "without its newline");
        foreach ((Action spoil, string what) in ((Action, string)[])
            [
                (() => File.SetUnixFileMode(first, (UnixFileMode)0b110_100_000), $"chmod 600 {first}"),
                (() => File.SetUnixFileMode(first, (UnixFileMode)0b110_000_010), $"chmod 600 {first}"),
                (() => Password(directory, "first", "12345678901\n"), "holds 11 bytes; a password has 12 to 1024"),
                (() => Password(directory, "first", ""), "holds 0 bytes"),
                (() => Password(directory, "first", new string('x', 1025)), "holds more bytes"),
                (() => Password(directory, "first", new string('x', 1026) + "\n"), "holds more bytes"),
                (() => File.WriteAllBytes(first, [.. "123456789012"u8, 0xFF]), "not UTF-8"),
                (() => File.Delete(first), "cannot read the password of the login a: "),
                (() => Directory.CreateDirectory(first), "cannot read the password of the login a: "),
            ])
        {
            spoil();
            Outcome check = await InProcess.Run("config", "check", config);
            Assert.AreEqual(78, check.Code, check.ToString());
            Assert.Contains(what, check.Error);
            Assert.AreEqual("", check.Output);
        }
        Directory.Delete(first);
        Password(directory, "first", "123456789012");
        await InProcess.Ok("config", "check", config);
    }

    private static string Password(TempDirectory directory, string name, string text)
    {
        string path = directory.Write(name, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    private static DaemonConfiguration Read(string text) =>
        ConfigurationReader.Read(Encoding.UTF8.GetBytes(text), "f", Places.Of(isRoot: true, _ => null));
}
