using System.Text;
using static Backupd.Tests.Hostile.HostileCase;
using static Backupd.Tests.Support.HostileStore;

namespace Backupd.Tests.Hostile;

/// <summary>Paths that lead elsewhere, names that nobody has, entries in the wrong order or below what is no directory.</summary>
internal static class HostilePaths
{
    private static readonly string Long = new('n', 256);

    public static IEnumerable<HostileCase> All => [.. Names, .. Strange, .. Order, .. Below];

    private static readonly HostileCase[] Names =
    [
        Lines("an entry named ..", Verdict.Damaged, "cannot be used", Entry("..", "fifo")),
        Lines("a directory named ..", Verdict.Damaged, "cannot be used", Dir("..")),
        Lines("a path that begins with ..", Verdict.Damaged, "../evil", Entry("../evil", "fifo")),
        Lines("a path with .. in it", Verdict.Damaged, "a/../evil", Dir("a"), Entry("a/../evil", "fifo")),
        Lines("two .. after two names", Verdict.Damaged, "a/d/../../../evil", Dir("a"), Dir("a/d"), Entry("a/d/../../../evil", "fifo")),
        Lines("a directory a/.. and a file in it", Verdict.Damaged, "a/..", Dir("a"), Dir("a/.."), Entry("a/../evil", "fifo")),
        Lines("an absolute path", Verdict.Damaged, "/tmp/evil", Entry("/tmp/evil", "fifo")),
        Lines("a path of one slash", Verdict.Damaged, "cannot be used", Entry("/", "dir")),
        Lines("two slashes at the start", Verdict.Damaged, "//evil", Entry("//evil", "fifo")),
        Lines("two slashes in the middle", Verdict.Damaged, "a//evil", Dir("a"), Entry("a//evil", "fifo")),
        Lines("an entry named .", Verdict.Damaged, "cannot be used", Dir(".")),
        Lines("a path with . in it", Verdict.Damaged, "a/./evil", Dir("a"), Entry("a/./evil", "fifo")),
        Lines("a slash at the end", Verdict.Damaged, "a/", Dir("a/")),
        Lines("a zero byte in a name", Verdict.Damaged, "cannot be used", Entry("a\0b", "fifo")),
        Lines("a zero byte that hides ..", Verdict.Damaged, "cannot be used", Dir("a"), Entry("a/..\0", "fifo")),
        Lines("a .. in Base64", Verdict.Damaged, "../evil", Entry("../evil"u8.ToArray(), "fifo")),
        Lines("a zero byte in Base64", Verdict.Damaged, "cannot be used", Entry([(byte)'x', 0], "fifo")),
        Lines("an absolute path in Base64", Verdict.Damaged, "/tmp/evil", Entry("/tmp/evil"u8.ToArray(), "dir")),
        Lines("path and path_b64", Verdict.Damaged, "twice", "{\"path\":\"a\",\"path_b64\":\"Li4=\"," + Entry("", "fifo")[11..]),
        Lines("path_b64 before path", Verdict.Damaged, "twice", "{\"path_b64\":\"Li4=\"," + Entry("x", "fifo")[1..]),
        Lines("no path", Verdict.Damaged, "missing", "{" + Entry("", "fifo")[11..]),
        Lines("a path that is a number", Verdict.Damaged, "cannot be read", "{\"path\":1," + Entry("", "fifo")[11..]),
        Lines("a path with half a surrogate", Verdict.Damaged, "cannot be read", "{\"path\":\"\\ud800\"," + Entry("", "fifo")[11..]),
        Lines("path_b64 that is no Base64", Verdict.Damaged, "cannot be read", "{\"path_b64\":\"!\"," + Entry("", "fifo")[11..]),
        new("a path of bytes that are no UTF-8", Verdict.Damaged, "cannot be read", s =>
        {
            s.Add(Dir(""));
            s.AddRaw([.. "{\"path\":\"a"u8, 0xFF, .. Encoding.UTF8.GetBytes("\"," + Entry("", "fifo")[11..])]);
        }),
    ];

    // Nothing is wrong with these; they only look so, or no file system has them.
    private static readonly HostileCase[] Strange =
    [
        Lines("an overlong ..", Verdict.Taken, "t/good", Entry([0xC0, 0xAE, 0xC0, 0xAE], "fifo")),
        Lines("an overlong slash", Verdict.Taken, "t/good", Entry([(byte)'x', 0xC0, 0xAF, (byte)'y'], "fifo")),
        Lines("a name that is not UTF-8", Verdict.Taken, "t/good", Entry([0xFF, 0xFE], "fifo")),
        Lines("backslashes", Verdict.Taken, "t/..\\..\\evil", Entry("..\\..\\evil", "fifo")),
        Lines("three dots", Verdict.Taken, "t/...", Dir("...")),
        Lines("escape sequences and line ends", Verdict.Taken, "t/\u001b[2J\r\n\u0007", Entry("\u001b[2J\r\n\u0007", "fifo")),
        Lines("a name that looks like an option", Verdict.Taken, "t/--to=..", Entry("--to=..", "fifo")),
        Lines("the name of a temporary file", Verdict.Taken, "t/.backupd-0-0", Entry(".backupd-0-0", "fifo")),
        Lines("a name of 255 bytes", Verdict.Taken, "t/l" + Long[2..], Entry("l" + Long[2..], "fifo")),
        Of("a file's name of 256 bytes", Verdict.Reported, "File name too long", s => [s.FileLine("l" + Long[1..], "x")]),
        Lines("a pipe's name of 256 bytes", Verdict.Reported, "File name too long", Entry("l" + Long[1..], "fifo")),
        Lines("a directory's name of 256 bytes", Verdict.Io, "File name too long", Dir("l" + Long[1..])),
        new("a path of 8,000 bytes", Verdict.Taken, "t/good", s =>
        {
            s.Add(Dir(""), s.FileLine("good", "good"));
            string path = "l" + new string('l', 99);
            for (int depth = 0; depth < 80; depth++, path += "/" + new string('l', 99))
            {
                s.Add(Dir(path));
            }
        }),
    ];

    private static readonly HostileCase[] Order =
    [
        Of("a file twice", Verdict.Damaged, "out of order at a", s => [s.FileLine("a", "1"), s.FileLine("a", "2")]),
        Of("a file and a directory of one name", Verdict.Damaged, "out of order at a", s => [s.FileLine("a", "1"), Dir("a")]),
        Of("a directory and a file of one name", Verdict.Damaged, "out of order at a", s => [Dir("a"), s.FileLine("a", "1")]),
        Of("a link and a file of one name", Verdict.Damaged, "out of order at a", s => [Symlink("a", "../../canary/secret"), s.FileLine("a", "1")]),
        Lines("a link and a directory of one name", Verdict.Damaged, "out of order at a", Symlink("a", "../../canary"), Dir("a")),
        Lines("a directory twice", Verdict.Damaged, "out of order at a", Dir("a"), Dir("a")),
        Lines("the root twice", Verdict.Damaged, "out of order", Dir("")),
        Lines("entries out of order", Verdict.Damaged, "out of order at a", Dir("b"), Dir("a")),
        Lines("a child before its parent", Verdict.Damaged, "a/x", Entry("a/x", "fifo"), Dir("a")),
        Of("a child of a file", Verdict.Damaged, "a/x", s => [s.FileLine("a", "1"), Entry("a/x", "fifo")]),
        Lines("a child of a pipe", Verdict.Damaged, "a/x", Entry("a", "fifo"), Entry("a/x", "fifo")),
        Lines("a child of nothing", Verdict.Damaged, "a/x", Entry("a/x", "fifo")),
        Lines("a grandchild without its parent", Verdict.Damaged, "a/b/c", Dir("a"), Entry("a/b/c", "fifo")),
        Lines("a child of a directory whose name it only begins with", Verdict.Damaged, "ab/x", Dir("a"), Entry("ab/x", "fifo")),
        new("no root", Verdict.Damaged, "good", s => s.Add(s.FileLine("good", "good"))),
        new("nothing at all", Verdict.Damaged, "no entry", s => s.Listing = _ => []),
        new("a root that is a link", Verdict.Damaged, "is not a directory", s => s.Add(Symlink("", "/etc"))),
        new("a root that is a link, and a file below it", Verdict.Damaged, "is not a directory", s =>
            s.Add(Symlink("", "../../canary"), s.FileLine("good", "good"))),
        new("a root that is a file", Verdict.Damaged, "is not a directory", s => s.Add(s.FileLine("", "x"))),
        Lines("a continuation of nothing", Verdict.Damaged, "without its entry", "{\"path\":\"a\",\"type\":\"more\",\"seg\":[]}"),
        Of("a continuation of another file", Verdict.Damaged, "without its entry", s =>
            [s.FileLine("a", "1"), "{\"path\":\"b\",\"type\":\"more\",\"seg\":[]}"]),
        Of("a continuation of a directory", Verdict.Damaged, "without its entry", s =>
            [Dir("a"), $"{{\"path\":\"a\",\"type\":\"more\",\"seg\":[{s.Segment("1")}]}}"]),
        Lines("a continuation without a path", Verdict.Damaged, "missing", "{\"type\":\"more\",\"seg\":[]}"),
    ];

    private static readonly HostileCase[] Below =
    [
        Lines("a file below a relative link", Verdict.Damaged, "l/evil", Symlink("l", "../../canary"), Entry("l/evil", "fifo")),
        Lines("a file below a link to /tmp", Verdict.Damaged, "l/evil", Symlink("l", "/tmp"), Entry("l/evil", "fifo")),
        Lines("a file below a link to /", Verdict.Damaged, "l/evil", Symlink("l", "/"), Entry("l/evil", "fifo")),
        Lines("a file below a link to .", Verdict.Damaged, "l/evil", Symlink("l", "."), Entry("l/evil", "fifo")),
        Lines("a file below a link to nothing", Verdict.Damaged, "l/evil", Symlink("l", "nowhere"), Entry("l/evil", "fifo")),
        Lines("a directory below a link", Verdict.Damaged, "l/d", Symlink("l", "../../canary"), Dir("l/d"), Entry("l/d/evil", "fifo")),
        Lines("a file two levels below a link", Verdict.Damaged, "l/d/evil", Symlink("l", "../../canary"), Entry("l/d/evil", "fifo")),
        Lines("links alone, wherever they lead", Verdict.Taken, "t/l", Symlink("b", "/"), Symlink("d", "../../canary/secret"), Symlink("l", "nowhere")),
        Lines("a link to nothing at all", Verdict.LeftOut, "l", Symlink("l", "")),
        Lines("a link with a zero byte in its target", Verdict.LeftOut, "l", Symlink("l", "../../canary\0x")),
        Lines("a link that is longer than any path", Verdict.LeftOut, "l", Symlink("l", new string('n', 5000))),
        Lines("target and target_b64", Verdict.Damaged, "twice", Entry("l", "symlink", ",\"target\":\"x\",\"target_b64\":\"Lw==\"")),
        Lines("a link without a target", Verdict.LeftOut, "l", Entry("l", "symlink")),
    ];
}
