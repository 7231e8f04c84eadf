using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests;

/// <summary>The arrows of docs/design.md: Program → Cli → Protocol → Backup, never back.</summary>
[TestClass]
public sealed class LayeringTests
{
    [TestMethod]
    [DataRow("Backup", @"\bBackupd\.(Protocol|Cli)\b")]
    [DataRow("Protocol", @"\bBackupd\.Cli\b")]
    [DataRow("Backup", @"\bConsole\.")]
    [DataRow("Protocol", @"\bConsole\.")]
    [DataRow("Backup", @"\bEventLog\b")]
    [DataRow("Backup", @"\basync\b")]
    [DataRow("Protocol", @"\b(LibraryImport|DllImport)\b")]
    [DataRow("Cli", @"\b(LibraryImport|DllImport)\b")]
    [DataRow("Cli", @"\bPosix\.|\bLibc\.")]
    public void A_folder_does_not_use_what_is_not_below_it(string folder, string pattern)
    {
        Regex banned = new(pattern);
        string[] files = [.. Files(folder)];
        Assert.IsGreaterThan(5, files.Length);
        CollectionAssert.AreEqual(
            Array.Empty<string>(), files.Where(f => banned.IsMatch(Code(f))).ToArray(), $"{pattern} in {folder}");
    }

    [TestMethod]
    public void One_folder_of_the_engine_reaches_the_network()
    {
        string[] files = [.. Files("Backup").Where(f => Code(f).Contains("System.Net", StringComparison.Ordinal))];
        Assert.IsGreaterThan(1, files.Length);
        Assert.IsTrue(files.All(f => f.StartsWith("Backup/Remote/", StringComparison.Ordinal)), string.Join(' ', files));
    }

    [TestMethod]
    public void Foreign_functions_are_imported_in_one_folder()
    {
        string[] files = [.. Files("Backup").Where(f => Code(f).Contains("LibraryImport(", StringComparison.Ordinal))];
        Assert.IsGreaterThan(3, files.Length);
        Assert.IsTrue(files.All(f => f.StartsWith("Backup/Native/", StringComparison.Ordinal)), string.Join(' ', files));
    }

    [TestMethod]
    public void The_protocol_touches_no_file_but_its_own_socket()
    {
        Regex use = new(@"(?<![\w.])(File|Directory|FileStream)\.");
        string[] files = [.. Files("Protocol").Where(f => use.IsMatch(Code(f)))];
        CollectionAssert.AreEquivalent(
            (string[])["Protocol/Server/ControlServer.cs", "Protocol/Server/UnixListener.cs"], files);
    }

    [TestMethod]
    public void Program_composes_and_nothing_else() =>
        Assert.IsLessThan(20, File.ReadAllLines(Sources.PathOf("Program.cs")).Length);

    private static IEnumerable<string> Files(string folder) =>
        Sources.Files(".cs").Where(f => f.StartsWith(folder + "/", StringComparison.Ordinal));

    // Without comments, which may name anything.
    private static string Code(string file) =>
        Regex.Replace(File.ReadAllText(Sources.PathOf(file)), @"//[^\n]*", "");
}
