using System.Globalization;
using Backupd.Tests.Support;

namespace Backupd.Tests;

/// <summary>The published binary in the hands of an account that may not do everything.</summary>
[TestClass]
public sealed class NonRootTests
{
    private const string Uid = "65534";

    // What the account owns, what it may read, and what it may not: a file, a directory, and a file of its own.
    private const string MakeTree =
        """
        mkdir -p "$1/src/d" "$1/src/ro" "$1/src/locked" && cd "$1/src" &&
        echo open > open && ln open d/link && ln -s open symlink && mkfifo d/pipe && echo kept > ro/kept &&
        echo own > own && echo other > other && echo closed > closed && chown -hR "$2:$2" . && chown 0:0 other &&
        chmod 6755 own other && chmod 0 closed && chmod 555 ro &&
        echo secret > secret && chmod 600 secret && chown 0:0 secret locked && touch locked/inside && chmod 700 locked &&
        if [ "$3" = True ]; then mknod null c 1 3 && chown "$2" null; fi
        """;

    [TestMethod]
    public async Task What_cannot_be_read_is_named_and_everything_else_comes_back_and_belongs_to_who_restores()
    {
        using TempDirectory directory = new();
        string home = directory.MakeDirectory("home");
        await Shell.Ok("sh", "-c", MakeTree, "sh", home, Uid, $"{EntryTreeBuilder.CanMakeDevices}");
        await Shell.Ok("sh", "-c", "cp \"$1\" \"$2/backupd\" && chmod 755 \"$2\" && chown \"$3\" \"$2/home\"", "sh", Shell.Binary, directory.Path, Uid);

        Outcome backedUp = await AsOther(directory, "once", $"{home}/src", "--to", $"{home}/store", "--progress", "none");
        Assert.AreEqual(3, backedUp.Code, backedUp.ToString());
        foreach (string unreadable in (string[])["secret", "locked", "closed"])
        {
            Assert.Contains($"{home}/src/{unreadable}: Permission denied", backedUp.Error);
        }
        int seen = EntryTreeBuilder.CanMakeDevices ? 14 : 13;
        string entries = string.Create(CultureInfo.InvariantCulture, $"entries   {seen} seen, {seen - 3} stored, 0 excluded, 3 failed; 0 vanished");
        Assert.Contains(entries, (await AsOther(directory, "show", $"{home}/store/latest")).Output);

        Outcome restored = await AsOther(directory, "restore", $"{home}/store/latest", "--to", $"{home}/back", "--progress", "none");
        Assert.AreEqual(3, restored.Code, restored.ToString());
        Assert.Contains("missing: src: 3 of ", restored.Error);
        foreach (string program in (string[])["own", "other"])
        {
            Assert.Contains($"/{program}: it does not run as its owner or group any more; root restores it with", restored.Error);
        }
        Assert.AreEqual(EntryTreeBuilder.CanMakeDevices, restored.Error.Contains("src/null: it is a device node", StringComparison.Ordinal));
        Assert.AreEqual("", await Shell.Ok("find", $"{home}/back", "!", "(", "-user", Uid, "-group", Uid, ")"));
        await AssertSame($"{home}/src", $"{home}/back/src");
    }

    [TestMethod]
    [DataRow("restore")]
    [DataRow("dry run")]
    public async Task Special_rights_are_refused_to_everybody_but_root_before_anything_is_written(string kind)
    {
        using TempDirectory directory = new();
        string home = directory.MakeDirectory("home");
        directory.Write("home/src/f", "x");
        await Shell.Ok(
            "sh", "-c", "cp \"$1\" \"$2/backupd\" && chmod 755 \"$2\" && chown -R \"$3\" \"$2/home\"",
            "sh", Shell.Binary, directory.Path, Uid);
        Outcome backedUp = await AsOther(directory, "once", $"{home}/src", "--to", $"{home}/store", "--progress", "none");
        Assert.AreEqual(0, backedUp.Code, backedUp.ToString());
        string[] restore = ["restore", $"{home}/store/latest", "--to", $"{home}/back", "--preserve-special"];
        Outcome refused = await AsOther(directory, kind == "dry run" ? [.. restore, "--dry-run"] : restore);
        Assert.AreEqual(2, refused.Code, refused.ToString());
        Assert.Contains("can be restored by root alone; leave out --preserve-special", refused.Error);
        Assert.IsFalse(Directory.Exists($"{home}/back"));
    }

    [TestMethod]
    public async Task A_directory_that_its_owner_may_not_write_into_is_restored_over_itself()
    {
        using TempDirectory directory = new();
        string home = directory.MakeDirectory("home");
        await Shell.Ok(
            "sh", "-c",
            "mkdir -p \"$1/src/ro\" && echo backed up > \"$1/src/ro/f\" && chmod 555 \"$1/src/ro\" && cp \"$2\" \"$3/backupd\" "
            + "&& chmod 755 \"$3\" && chown -R \"$4\" \"$1\"",
            "sh", home, Shell.Binary, directory.Path, Uid);
        Outcome backedUp = await AsOther(directory, "once", $"{home}/src", "--to", $"{home}/store", "--progress", "none");
        Assert.AreEqual(0, backedUp.Code, backedUp.ToString());
        await Shell.Ok("sh", "-c", "echo changed > \"$1\"", "sh", $"{home}/src/ro/f");
        Outcome restored = await AsOther(
            directory, "restore", $"{home}/store/latest", "--to", home, "--overwrite", "--progress", "none");
        Assert.AreEqual(0, restored.Code, restored.ToString());
        Assert.AreEqual("backed up\n", await File.ReadAllTextAsync($"{home}/src/ro/f", CancellationToken.None));
        Assert.AreEqual("555", (await Shell.Ok("stat", "-c", "%a", $"{home}/src/ro")).Trim());
    }

    [TestMethod]
    public async Task A_directory_is_backed_up_below_one_that_may_be_passed_and_not_read()
    {
        using TempDirectory directory = new();
        string home = directory.MakeDirectory("all/home");
        directory.Write("all/home/src/f", "x");
        await Shell.Ok(
            "sh", "-c", "cp \"$1\" \"$2/backupd\" && chmod 755 \"$2\" && chown -R \"$3\" \"$2/all/home\" && chmod 711 \"$2/all\"",
            "sh", Shell.Binary, directory.Path, Uid);
        Outcome backedUp = await AsOther(directory, "once", $"{home}/src", "--to", $"{home}/store", "--progress", "none");
        Assert.AreEqual(0, backedUp.Code, backedUp.ToString());
    }

    // Modes, times, link counts and content of what could be read; the programs have lost their two bits.
    private static async Task AssertSame(string source, string back)
    {
        const string facts =
            """
            cd "$1" && find . ! -name secret ! -path './locked*' ! -name closed ! -name null ! -name other ! -name own ! -path . \
                -printf '%y %m %n %T@ %l %p\n' | LC_ALL=C sort && stat -c '%Y %s' own other &&
            for f in open d/link ro/kept own other; do sha256sum "$f"; done
            """;
        Assert.AreEqual(await Shell.Ok("sh", "-c", facts, "sh", source), await Shell.Ok("sh", "-c", facts, "sh", back));
        Assert.AreEqual("755 755", (await Shell.Ok("stat", "-c", "%a", $"{back}/own", $"{back}/other")).ReplaceLineEndings(" ").Trim());
    }

    private static Task<Outcome> AsOther(TempDirectory directory, params string[] arguments) =>
        Shell.Run(
            "setpriv",
            [
                "--reuid", Uid, "--regid", Uid, "--clear-groups", "env", $"HOME={directory["home"]}", directory["backupd"], .. arguments,
            ]);
}
