using static Backupd.Tests.Hostile.HostileCase;
using static Backupd.Tests.Support.HostileStore;

namespace Backupd.Tests.Hostile;

/// <summary>Entries with kinds, rights, owners, times, attributes and links that they should not have.</summary>
internal static class HostileEntries
{
    // struct vfs_cap_data, revision 2: all of the first 32 capabilities.
    private static readonly string AllCapabilities = Convert.ToBase64String([1, 0, 0, 2, .. new byte[4].Select(_ => (byte)0xFF), .. new byte[12]]);

    public static IEnumerable<HostileCase> All => [.. Links, .. Kinds, .. Rights, .. Attributes, .. Numbers];

    private static readonly HostileCase[] Links =
    [
        Of("a link id that is a path outside", Verdict.Taken, "t/x", s =>
            [s.FileLine("a", "1", ",\"link\":\"../../canary/secret\""), s.FileLine("x", "1", ",\"link\":\"../../canary/secret\"")]),
        Of("a link whose first name is missing from the store", Verdict.LeftOut, "a", s =>
            [Entry("a", "file", Missing('0') + ",\"link\":\"1\""), s.FileLine("x", "1", ",\"link\":\"1\"")]),
        Of("a link whose first name is a directory", Verdict.Taken, "t/x", s =>
            [Entry("a", "dir", ",\"link\":\"1\""), s.FileLine("x", "1", ",\"link\":\"1\"")]),
        Of("a file that is a further name of a link that leads outside", Verdict.Reported, "x", s =>
            [Entry("a", "symlink", ",\"target\":\"../../canary/secret\",\"link\":\"1\""), s.FileLine("x", "1", ",\"link\":\"1\"")]),
        Of("a link that is a further name of a file", Verdict.Reported, "l", s =>
            [s.FileLine("a", "1", ",\"link\":\"1\""), Entry("l", "symlink", ",\"target\":\"../../canary\",\"link\":\"1\"")]),
        Of("two files of different content and one link id", Verdict.Reported, "x", s =>
            [s.FileLine("a", "1", ",\"link\":\"1\""), s.FileLine("x", "2", ",\"link\":\"1\"")]),
        Of("a file that is a further name of a device", Verdict.Reported, "a: it is a device node", s =>
            [Entry("a", "char", ",\"device\":\"1:3\",\"link\":\"1\""), s.FileLine("x", "1", ",\"link\":\"1\"")]),
        Of("a link id that is a number", Verdict.Damaged, "cannot be read", s => [s.FileLine("a", "1", ",\"link\":1")]),
    ];

    private static readonly HostileCase[] Kinds =
    [
        Lines("a character device", Verdict.Reported, "a: it is a device node", Entry("a", "char", ",\"device\":\"1:1\"")),
        Lines("a block device", Verdict.Reported, "a: it is a device node", Entry("a", "block", ",\"device\":\"8:0\"")),
        Lines("a device without numbers", Verdict.Reported, "a: it is a device node", Entry("a", "block")),
        Lines("a device with numbers that no kernel has", Verdict.Damaged, "major:minor", Entry("a", "block", ",\"device\":\"4294967295:4294967295\"")),
        Lines("a device with one number", Verdict.Damaged, "major:minor", Entry("a", "char", ",\"device\":\"1\"")),
        Lines("a device with a negative number", Verdict.Damaged, "cannot be read", Entry("a", "char", ",\"device\":\"1:-3\"")),
        Lines("a device with a number too large for any type", Verdict.Damaged, "cannot be read", Entry("a", "char", ",\"device\":\"99999999999:3\"")),
        Lines("a pipe", Verdict.Taken, "t/a", Entry("a", "fifo")),
        Lines("a socket", Verdict.Damaged, "unknown type", Entry("a", "socket")),
        Lines("a type that nobody knows", Verdict.Damaged, "unknown type", Entry("a", "door")),
        Lines("a type in capitals", Verdict.Damaged, "unknown type", Entry("a", "FILE")),
        Lines("no type", Verdict.Damaged, "missing", "{\"path\":\"a\",\"mode\":\"0644\",\"mtime\":\"1.000000000\"}"),
        Lines("two types", Verdict.Damaged, "twice", Entry("a", "dir", ",\"type\":\"fifo\"")),
        Of("a directory with content", Verdict.Damaged, "content", s => [Entry("a", "dir", s.Content("x"))]),
        Of("a link with content", Verdict.Damaged, "content", s => [Entry("a", "symlink", ",\"target\":\"b\"" + s.Content("x"))]),
        Lines("a pipe with a size", Verdict.Damaged, "content", Entry("a", "fifo", ",\"size\":5")),
    ];

    private static readonly HostileCase[] Rights =
    [
        Of("a setuid program of root", Verdict.Reported, "a: it does not run as its owner", s => [s.FileLine("a", "x", mode: "4755")]),
        Of("a setgid program of root", Verdict.Reported, "a: it does not run as its owner", s => [s.FileLine("a", "x", mode: "2755")]),
        Of("a file with every bit", Verdict.Reported, "a: it does not run as its owner", s => [s.FileLine("a", "x", mode: "7777")]),
        Lines("a directory with every bit", Verdict.Taken, "t/a", Entry("a", "dir", mode: "7777")),
        Lines("a pipe with every bit", Verdict.Taken, "t/a", Entry("a", "fifo", mode: "7777")),
        Lines("more bits than there are", Verdict.Damaged, "mode", Entry("a", "fifo", mode: "104755")),
        Lines("an empty mode", Verdict.Damaged, "mode", Entry("a", "fifo", mode: "")),
        Lines("a negative mode", Verdict.Damaged, "mode", Entry("a", "fifo", mode: "-1")),
        Lines("a mode that is not octal", Verdict.Damaged, "mode", Entry("a", "fifo", mode: "0999")),
        Lines("a mode of twenty digits", Verdict.Damaged, "mode", Entry("a", "fifo", mode: "77777777777777777777")),
        Lines("no mode", Verdict.Damaged, "missing", "{\"path\":\"a\",\"type\":\"fifo\",\"mtime\":\"1.000000000\"}"),
        Of("every capability", Verdict.Reported, "a: it has no file capabilities", s => [s.FileLine("a", "x", Xattr("security.capability", AllCapabilities))]),
        Of("a capability behind a zero byte", Verdict.Damaged, "attribute", s =>
            [s.FileLine("a", "x", Xattr("security.capability\\u0000x", AllCapabilities))]),
        Of("a capability behind a zero byte in Base64", Verdict.Damaged, "attribute", s =>
            [s.FileLine("a", "x", $",\"xattrs_b64\":[[\"{Convert.ToBase64String("security.capability\0"u8)}\",\"{AllCapabilities}\"]]")]),
    ];

    private static readonly HostileCase[] Attributes =
    [
        Of("an attribute that tells overlayfs to look elsewhere", Verdict.Either, "trusted.overlay.redirect", s =>
            [s.FileLine("a", "x", Xattr("trusted.overlay.redirect", "L2V0Yw=="))]),
        Of("an access list that is none", Verdict.Reported, "system.posix_acl_access", s => [s.FileLine("a", "x", Xattr("system.posix_acl_access", "AAAA"))]),
        Of("an access list cut short", Verdict.Reported, "system.posix_acl_access", s => [s.FileLine("a", "x", Xattr("system.posix_acl_access", "AgAAAAE="))]),
        Lines("a default access list of a directory that is none", Verdict.Reported, "system.posix_acl_default",
            Entry("a", "dir", Xattr("system.posix_acl_default", "////"))),
        Of("an attribute without a namespace", Verdict.Reported, "attribute x", s => [s.FileLine("a", "x", Xattr("x", "AAAA"))]),
        Of("an attribute with a name of 300 bytes", Verdict.Reported, "was not set", s =>
            [s.FileLine("a", "x", Xattr("user." + new string('n', 300), "AAAA"))]),
        Of("an attribute of 100 KB", Verdict.Reported, "was not set", s => [s.FileLine("a", "x", Xattr("user.a", Convert.ToBase64String(new byte[100_000])))]),
        Of("an attribute with an escape sequence in its name", Verdict.Taken, "t/a", s => [s.FileLine("a", "x", Xattr("user.\\u001b[2J\\n", "AAAA"))]),
        Of("an attribute whose name ends a tar record's key", Verdict.Taken, "t/a", s => [s.FileLine("a", "x", Xattr("user.a=b", "AAAA"))]),
        Of("an attribute without a name", Verdict.Damaged, "attribute", s => [s.FileLine("a", "x", Xattr("", "AAAA"))]),
        Of("an attribute that is no Base64", Verdict.Damaged, "cannot be read", s => [s.FileLine("a", "x", Xattr("user.a", "!"))]),
        Of("attributes twice", Verdict.Damaged, "twice", s => [s.FileLine("a", "x", Xattr("user.a", "AAAA") + Xattr("user.a", "AAAB"))]),
        Of("attributes that are an object", Verdict.Damaged, "cannot be read", s => [s.FileLine("a", "x", ",\"xattrs\":{}")]),
        Of("an attribute of three parts", Verdict.Damaged, "cannot be read", s => [s.FileLine("a", "x", ",\"xattrs\":[[\"user.a\",\"\",\"\"]]")]),
    ];

    private static readonly HostileCase[] Numbers =
    [
        Lines("the owner that means no change", Verdict.Damaged, "uid", With("uid", "4294967295")),
        Lines("the group that means no change", Verdict.Damaged, "gid", With("gid", "4294967295")),
        Lines("an owner out of range", Verdict.Damaged, "cannot be read", With("uid", "4294967296")),
        Lines("a negative group", Verdict.Damaged, "cannot be read", With("gid", "-1")),
        Lines("an owner that is text", Verdict.Damaged, "cannot be read", With("uid", "\"root\"")),
        Lines("the last owner that there is", Verdict.Taken, "t/a", With("uid", "4294967294")),
        Lines("the last moment that a number holds", Verdict.Either, "time", With("mtime", "\"9223372036854775807.999999999\"")),
        Lines("the first moment that a number holds", Verdict.Either, "time", With("mtime", "\"-9223372036854775808.000000000\"")),
        Lines("a moment that no number holds", Verdict.Damaged, "cannot be read", With("mtime", "\"9223372036854775808.000000000\"")),
        Lines("too many nanoseconds", Verdict.Damaged, "seconds.nanoseconds", With("mtime", "\"1.1000000000\"")),
        Lines("nanoseconds with a sign", Verdict.Damaged, "cannot be read", With("mtime", "\"1.-00000001\"")),
        Lines("a time that is a number", Verdict.Damaged, "cannot be read", With("mtime", "1.5")),
        Lines("a change time that is none", Verdict.Damaged, "seconds.nanoseconds", Entry("a", "fifo", ",\"ctime\":\"yesterday\"")),
        Lines("an inode number out of range", Verdict.Damaged, "cannot be read", Entry("a", "fifo", ",\"ino\":\"18446744073709551616\"")),
        Lines("two modes", Verdict.Damaged, "twice", Entry("a", "fifo", ",\"mode\":\"4755\"")),
    ];

    /// <summary>The members of a file whose chunk is not there.</summary>
    internal static string Missing(char digit) => $",\"size\":4,\"seg\":[[\"{new string(digit, 64)}\",0,4,9]]";

    private static string Xattr(string name, string value) => $",\"xattrs\":[[\"{name}\",\"{value}\"]]";

    private static string With(string member, string value)
    {
        string line = Entry("a", "fifo");
        int start = line.IndexOf($"\"{member}\":", StringComparison.Ordinal) + member.Length + 3;
        int end = line.IndexOfAny([',', '}'], start);
        return line[..start] + value + line[end..];
    }
}
