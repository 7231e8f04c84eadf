using System.Text.RegularExpressions;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests;

/// <summary>House rules that no compiler checks.</summary>
[TestClass]
public sealed class TidyTests
{
    // Written in pieces, so that this file does not trip over itself.
    private static readonly (string Pattern, string Instead)[] Banned =
    [
        (@"Thread\." + "Sleep", "wait for what is waited for"),
        (@"\.Resu" + @"lt\b(?!\()", "await"),
        (@"\.Wai" + @"t\(\)", "await"),
        (@"GetAwaiter\(\)\.Get" + "Result", "await"),
        ("async voi" + "d", "return a Task"),
        ("#regio" + "n", "split the file"),
        ("TO" + "DO|FIX" + "ME", "do it"),
        ("NotImplemented" + "Exception", "write it"),
        ("ConfigureAwait" + @"\(", "leave it out: an application has no context to come back to"),
    ];

    [TestMethod]
    public void No_banned_call_stands_anywhere()
    {
        string[] files = [.. Sources.Files(".cs")];
        Assert.IsGreaterThan(80, files.Length);
        List<string> found = [];
        foreach (string file in files)
        {
            string text = File.ReadAllText(Sources.PathOf(file));
            found.AddRange(Banned.Where(b => Regex.IsMatch(text, b.Pattern)).Select(b => $"{file}: {b.Pattern}: {b.Instead}"));
        }
        Assert.IsEmpty(found, string.Join('\n', found));
    }

    [TestMethod]
    public void Tests_do_not_sleep()
    {
        string[] files =
        [
            .. Sources.Files(".cs").Where(f => f.StartsWith("Tests/", StringComparison.Ordinal))
                .Where(f => Regex.IsMatch(File.ReadAllText(Sources.PathOf(f)), @"Task\.Del" + "ay")),
        ];
        Assert.IsEmpty(files, string.Join('\n', files));
    }

    [TestMethod]
    public void Lines_and_files_keep_their_size()
    {
        List<string> found = [];
        foreach (string file in Sources.Files(".cs"))
        {
            string[] lines = File.ReadAllLines(Sources.PathOf(file));
            // Rows of test tables stay rows.
            bool isTest = file.StartsWith("Tests/", StringComparison.Ordinal);
            found.AddRange(lines.Where(l => l.Length > (isTest ? 160 : 130)).Select(l => $"{file}: {l}"));
            if (lines.Length > (isTest ? 450 : 400))
            {
                found.Add($"{file} has {lines.Length} lines");
            }
        }
        Assert.IsEmpty(found, string.Join('\n', found));
    }

    [TestMethod]
    public async Task Shell_scripts_parse()
    {
        string[] scripts = [.. Sources.Files(".sh"), ".ci/run"];
        Assert.IsGreaterThanOrEqualTo(3, scripts.Length);
        foreach (string script in scripts)
        {
            await Shell.Ok("bash", "-n", Sources.PathOf(script));
        }
    }

    [TestMethod]
    public void Links_between_documents_lead_somewhere()
    {
        int checkedLinks = 0;
        foreach (string file in Sources.Files(".md"))
        {
            string directory = Path.GetDirectoryName(Sources.PathOf(file))!;
            foreach (Match link in Regex.Matches(File.ReadAllText(Sources.PathOf(file)), @"\]\((?!https?:|#)([^)#]+)"))
            {
                checkedLinks++;
                Assert.IsTrue(Path.Exists(Path.Combine(directory, link.Groups[1].Value)), $"{file}: {link.Value}");
            }
        }
        Assert.IsGreaterThan(3, checkedLinks);
    }

    [TestMethod]
    public void The_protocol_document_has_every_command_error_and_limit()
    {
        string document = File.ReadAllText(Sources.PathOf("docs/protocol.md"));
        foreach (string command in CommandTable.AllNames)
        {
            Assert.Contains($"`{command}`", document);
        }
        foreach (ErrorSymbol symbol in ErrorSymbol.All)
        {
            Assert.Contains($"| `{symbol.Name}` | {symbol.Status} |", document);
        }
        MatchCollection rows = Regex.Matches(document, @"^\| `([A-Z_]+)` \| (\d{3}) \|", RegexOptions.Multiline);
        Assert.AreEqual(ErrorSymbol.All.Count, rows.Count, "no error that does not exist");
        foreach (string limit in (string[])
            [
                $"{ProtocolLimits.MaxLineBytesBeforeToken / 1024} KiB", $"{ProtocolLimits.MaxLineBytes / 1024 / 1024} MiB",
                $"{ProtocolLimits.MaxBadTokens} wrong tokens", $"{ProtocolLimits.MaxWaitingRequests} requests",
                $"{ProtocolLimits.MaxUnauthenticated} connections", $"{ProtocolLimits.MaxConnections:N0} connections",
                $"{ProtocolLimits.LineTime.TotalSeconds} seconds", $"{ProtocolLimits.SilenceBeforeToken.TotalSeconds} seconds",
                $"{ProtocolLimits.MaxListRows:N0} rows", $"depth of {ProtocolLimits.MaxJsonDepth}",
            ])
        {
            Assert.Contains(limit, document);
        }
    }

    [TestMethod]
    public void Examples_in_the_protocol_document_are_the_golden_messages()
    {
        string document = File.ReadAllText(Sources.PathOf("docs/protocol.md"));
        string[] golden = Directory.GetFiles(Sources.PathOf("Tests/Golden/protocol-1"));
        Assert.IsGreaterThan(8, golden.Length);
        foreach (string file in golden)
        {
            Assert.Contains(File.ReadAllText(file).TrimEnd('\n'), document, Path.GetFileName(file));
        }
    }
}
