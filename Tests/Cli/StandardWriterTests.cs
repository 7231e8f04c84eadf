using System.Text;
using Backupd.Cli;
using Backupd.Cli.Terminal;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>Output streams that are closed or full: messages are dropped, results are missed.</summary>
[TestClass]
public sealed class StandardWriterTests
{
    [TestMethod]
    public async Task A_backup_whose_messages_cannot_be_written_is_made_all_the_same()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        await using BrokenWriter broken = new(new IOException("No space left on device"));
        await using StringWriter output = new();
        int code = await Run(
            directory, output, StandardWriter.ForMessages(broken),
            "once", directory["src"], "--to", directory["s"], "--progress", "plain", "--json");
        Assert.AreEqual(0, code);
        Assert.Contains("\"completed\"", output.ToString());
        Assert.IsGreaterThan(2, broken.Attempts);
    }

    [TestMethod]
    [DataRow(true, "it is not open for writing")]
    [DataRow(false, "No space left on device")]
    public async Task Results_that_cannot_be_written_are_a_failure_that_says_so(bool closed, string why)
    {
        using TempDirectory directory = new();
        await using BrokenWriter broken = new(
            closed ? new UnauthorizedAccessException("Access to the path is denied.") : new IOException(why));
        await using StringWriter error = new();
        Assert.AreEqual(1, await Run(directory, StandardWriter.ForResults(broken), error, "version"));
        Assert.AreEqual($"backupd: cannot write to standard output: {why}\n", error.ToString());
    }

    private static Task<int> Run(TempDirectory directory, TextWriter output, TextWriter error, params string[] arguments)
    {
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? directory.Path : null);
        return CommandLine.RunAsync(arguments, new CliContext("1", places, output, error, TimeProvider.System));
    }

    private sealed class BrokenWriter(Exception failure) : TextWriter
    {
        public int Attempts { get; private set; }

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            Attempts++;
            throw failure;
        }
    }
}
