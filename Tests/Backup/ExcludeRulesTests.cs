using System.Text;
using Backupd.Backup;
using Backupd.Backup.Participants;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ExcludeRulesTests
{
    [TestMethod]
    [DataRow("*.bak", "a.bak", false, true)]
    [DataRow("*.bak", "deep/down/a.bak", false, true)]
    [DataRow("*.bak", "a.bak.txt", false, false)]
    [DataRow("cache/", "cache", true, true)]
    [DataRow("cache/", "cache", false, false)]
    [DataRow("cache/", "a/cache", true, true)]
    [DataRow("/cache", "cache", false, true)]
    [DataRow("/cache", "a/cache", false, false)]
    [DataRow("a/b", "a/b", false, true)]
    [DataRow("a/b", "x/a/b", false, false)]
    [DataRow("**/b", "x/y/b", false, true)]
    [DataRow("**/b", "b", false, true)]
    [DataRow("a/**", "a/x/y", false, true)]
    [DataRow("a/**", "a", true, false)]
    [DataRow("a/**/b", "a/b", false, true)]
    [DataRow("a/**/b", "a/x/y/b", false, true)]
    [DataRow("a?c", "abc", false, true)]
    [DataRow("a?c", "a/c", false, false)]
    [DataRow("[a-c]x", "bx", false, true)]
    [DataRow("[!a-c]x", "bx", false, false)]
    [DataRow("[!a-c]x", "dx", false, true)]
    [DataRow("[]]x", "]x", false, true)]
    [DataRow("[ab", "[ab", false, true)]
    [DataRow("[[:digit:]]x", "7x", false, true)]
    [DataRow("[[:digit:]]x", ":x", false, false)]
    [DataRow("[![:upper:]_]x", "ax", false, true)]
    [DataRow("[![:upper:]_]x", "Ax", false, false)]
    [DataRow("[![:upper:]_]x", "_x", false, false)]
    [DataRow("[[:nothing:]]x", "nx", false, false)]
    [DataRow("[[:x]", ":", false, true)]
    [DataRow("[a\\]]x", "]x", false, true)]
    [DataRow("[a\\]]x", "a]x", false, false)]
    [DataRow("[\\!a]x", "!x", false, true)]
    [DataRow("[\\a-c]x", "bx", false, true)]
    [DataRow("\\*", "*", false, true)]
    [DataRow("\\*", "x", false, false)]
    [DataRow("\\#a", "#a", false, true)]
    [DataRow("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false)]
    public void Patterns_match_as_gitignore_says(string pattern, string path, bool directory, bool excluded) =>
        Assert.AreEqual(excluded, new ExcludeRules([pattern]).IsExcluded(Encoding.UTF8.GetBytes(path), directory));

    [TestMethod]
    public void The_last_pattern_that_matches_decides()
    {
        ExcludeRules rules = new(["*.log", "!keep.log", "# a comment", ""]);
        Assert.IsTrue(rules.IsExcluded("a.log"u8, isDirectory: false));
        Assert.IsFalse(rules.IsExcluded("keep.log"u8, isDirectory: false));
        Assert.IsFalse(rules.IsExcluded("# a comment"u8, isDirectory: false));
    }

    [TestMethod]
    public void A_name_that_is_not_utf8_is_matched_by_its_bytes()
    {
        Assert.IsTrue(new ExcludeRules(["*.bak"]).IsExcluded([0xff, (byte)'.', (byte)'b', (byte)'a', (byte)'k'], false));
    }

    [TestMethod]
    public void A_pattern_that_names_nothing_is_refused()
    {
        BackupException e = Assert.ThrowsExactly<BackupException>(() => new ExcludeRules(["/"]));
        Assert.AreEqual(BackupFault.InputInvalid, e.Fault);
        Assert.Contains("\"/\"", e.Message);
    }
}
