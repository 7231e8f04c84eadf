using System.Diagnostics;

namespace Backupd.Tests.Support;

/// <summary>How a program ended.</summary>
internal sealed record Outcome(int Code, string Output, string Error)
{
    public override string ToString() => $"exit {Code}\n{Output}\n{Error}";
}

/// <summary>Programs of the system and the published binary.</summary>
internal static class Shell
{
    /// <summary>The native binary that BACKUPD_BINARY names.</summary>
    public static string Binary
    {
        get
        {
            string? path = Environment.GetEnvironmentVariable("BACKUPD_BINARY");
            Assert.IsFalse(
                string.IsNullOrEmpty(path), "BACKUPD_BINARY must name the published binary; ./build.sh test sets it");
            return path!;
        }
    }

    /// <summary>Starts a program with piped outputs.</summary>
    public static Process Start(string program, IEnumerable<string> arguments, params (string, string)[] environment)
    {
        ProcessStartInfo info = new(program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }
        foreach ((string name, string value) in environment)
        {
            info.Environment[name] = value;
        }
        return Process.Start(info)!;
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task<Outcome> Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await Deadline.Of(process.WaitForExitAsync(), $"{program} {string.Join(' ', arguments)} to end");
        return new Outcome(process.ExitCode, await output, await error);
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static async Task<string> Ok(string program, params string[] arguments)
    {
        Outcome outcome = await Run(program, arguments);
        Assert.AreEqual(0, outcome.Code, $"{program} {string.Join(' ', arguments)}: {outcome}");
        return outcome.Output;
    }
}
