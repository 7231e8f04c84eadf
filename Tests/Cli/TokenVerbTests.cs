using System.Text;
using Backupd.Cli;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class TokenVerbTests
{
    [TestMethod]
    public async Task A_token_is_revoked_by_its_id_or_by_itself_once_for_its_owner_only()
    {
        using TempDirectory directory = new();
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}",
              "listen": { "tokenSecretFile": "{{directory["k/token.key"]}}", "revokedTokensFile": "{{directory["r/revoked"]}}" } }
            """);
        string[] make = ["token", "new", "--role", "user", "--days", "1", "--config", config];
        (int code, string named, string error) = await CommandLineTests.Run(directory, [.. make, "--jti", "panel-1"]);
        Assert.AreEqual((0, ""), (code, error), "the token and nothing else");
        byte[] secret = [.. (await File.ReadAllBytesAsync(directory["k/token.key"], CancellationToken.None))[..^1]];
        Assert.AreEqual("panel-1", AccessToken.Verify(Encoding.ASCII.GetBytes(named.Trim()), secret)!.Jti);
        string made = (await CommandLineTests.Run(directory, make)).Output;
        string id = AccessToken.Verify(Encoding.ASCII.GetBytes(made.Trim()), secret)!.Jti;
        Assert.AreEqual(16, id.Length);

        (code, _, error) = await CommandLineTests.Run(directory, "token", "revoke", "panel-1", "--config", config);
        Assert.AreEqual(0, code, error);
        Assert.Contains($"panel-1 is revoked in {directory["r/revoked"]}", error);
        Assert.Contains("systemctl reload backupd", error);
        Assert.AreEqual(0, (await CommandLineTests.Run(directory, "token", "revoke", made, "--config", config)).Code);
        (code, _, error) = await CommandLineTests.Run(directory, "token", "revoke", named, "--config", config);
        Assert.AreEqual(0, code);
        Assert.Contains("panel-1 was revoked before", error);
        Assert.AreEqual($"panel-1\n{id}\n", await File.ReadAllTextAsync(directory["r/revoked"], CancellationToken.None));
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory["r/revoked"]));
    }

    [TestMethod]
    public async Task Tokens_that_are_revoked_at_the_same_time_are_all_revoked()
    {
        using TempDirectory directory = new();
        string[] ids = [.. Enumerable.Range(0, 32).Select(i => $"id{i}")];
        bool[] added = await Deadline.Of(
            Task.WhenAll(ids.Select(id => Task.Run(() => new RevokedTokens(directory["r/revoked"]).Add(id)))), "all of them");
        Assert.IsTrue(added.All(a => a));
        CollectionAssert.AreEquivalent(ids, new RevokedTokens(directory["r/revoked"]).Read());
    }

    [TestMethod]
    public async Task A_key_that_many_want_at_once_is_made_once()
    {
        using TempDirectory directory = new();
        for (int round = 0; round < 5; round++)
        {
            string path = directory[$"{round}/token.key"];
            byte[][] keys = await Deadline.Of(
                Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => TokenSecret.ReadOrMake(path)))), "all keys");
            Assert.HasCount(1, keys.Select(Convert.ToHexString).Distinct().ToArray());
            Assert.AreEqual(path, Directory.GetFiles(directory[$"{round}"]).Single());
            Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [TestMethod]
    public async Task A_full_disk_leaves_no_key_that_keeps_every_daemon_out()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], "size=4k,nr_inodes=100");
        directory.Write("disk/filler", new string('x', 4096));
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "tokenSecretFile": "{{directory["disk/k/token.key"]}}" } }
            """);
        string[] make = ["token", "new", "--role", "user", "--days", "1", "--config", config];
        Outcome full = await InProcess.Run(make);
        Assert.AreEqual(1, full.Code, full.ToString());
        Assert.Contains("No space left on device", full.Error);
        Assert.IsEmpty(Directory.GetFiles(directory["disk/k"]));
        File.Delete(directory["disk/filler"]);
        await InProcess.Ok(make);

        await File.WriteAllBytesAsync(directory["disk/k/token.key"], [], CancellationToken.None);
        Outcome empty = await InProcess.Run(make);
        Assert.AreEqual(78, empty.Code, empty.ToString());
        Assert.Contains($"{directory["disk/k/token.key"]} is empty; remove it", empty.Error);
    }

    [TestMethod]
    public async Task Without_a_configuration_the_list_is_in_the_state_directory_and_a_token_without_an_id_is_refused()
    {
        using TempDirectory home = new();
        Assert.AreEqual(0, (await CommandLineTests.Run(home, "token", "revoke", "x")).Code);
        Assert.AreEqual("x\n", await File.ReadAllTextAsync(home[".local/state/backupd/revoked-tokens"], CancellationToken.None));
        string without = new AccessToken(1, SessionRole.Admin, 1, "", "").Sign(new byte[32]);
        foreach (string bad in (string[])[without, "eyJ.e.x", "", "a\nb", new string('x', 201)])
        {
            Assert.AreEqual(2, (await CommandLineTests.Run(home, "token", "revoke", bad)).Code, bad);
        }
    }
}
