using Backupd.Cli;

namespace Backupd.Tests.Support;

/// <summary>The command line as a script sees it, without a process for each call.</summary>
internal static class InProcess
{
    /// <summary>Runs one command to its end.</summary>
    public static async Task<Outcome> Run(params string[] arguments)
    {
        using TempDirectory home = new();
        await using SharedText output = new();
        await using SharedText error = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null);
        CliContext context = new(
            CommandLine.Version, places, output, error, TimeProvider.System);
        int code = await Deadline.Of(CommandLine.RunAsync(arguments, context), string.Join(' ', arguments));
        return new Outcome(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs one command that must succeed.</summary>
    public static async Task<string> Ok(params string[] arguments)
    {
        Outcome outcome = await Run(arguments);
        Assert.AreEqual(0, outcome.Code, $"{string.Join(' ', arguments)}: {outcome}");
        return outcome.Output;
    }
}
