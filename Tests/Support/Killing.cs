using System.Diagnostics;

namespace Backupd.Tests.Support;

/// <summary>How a program fared that was to be killed at a given moment.</summary>
/// <param name="Hit">Whether it was still running at that moment.</param>
/// <param name="Ran">How long it ran.</param>
/// <param name="Outcome">Its exit code (137 when it was hit) and what it said.</param>
internal sealed record KillOutcome(bool Hit, TimeSpan Ran, Outcome Outcome);

/// <summary>Runs programs and ends them with SIGKILL.</summary>
internal static class Killing
{
    /// <summary>The exit code that SIGKILL leaves.</summary>
    public const int Code = 128 + 9;

    /// <summary>Runs a program and kills it when a time has passed, unless it has ended before.</summary>
    public static Task<KillOutcome> After(TimeSpan delay, string program, params string[] arguments) =>
        AfterSign(static () => true, delay, program, arguments);

    /// <summary>Runs a program and kills it some time after a sign of how far it has come, unless it has ended before.</summary>
    public static async Task<KillOutcome> AfterSign(Func<bool> sign, TimeSpan delay, string program, params string[] arguments)
    {
        Stopwatch clock = Stopwatch.StartNew();
        using Process process = Shell.Start(program, arguments);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        KillAt(process, WaitForSign(process, program, sign, clock) + delay - clock.Elapsed);
        TimeSpan ran = clock.Elapsed;
        await Deadline.Of(process.WaitForExitAsync(), $"{program} to end");
        // It may have ended between the look and the signal: only the exit code knows.
        bool hit = process.ExitCode == Code;
        return new KillOutcome(hit, ran, new Outcome(process.ExitCode, await output, await error));
    }

    private static TimeSpan WaitForSign(Process process, string program, Func<bool> sign, Stopwatch clock)
    {
        TimeSpan begun = TimeSpan.Zero;
        while (!sign() && !process.WaitForExit(1))
        {
            // By the name that it was given: a process that has ended meanwhile has none any more.
            Assert.IsLessThan(Deadline.Long, clock.Elapsed, $"{program} never came so far");
            begun = clock.Elapsed;
        }
        return begun;
    }

    // The time is not waited for to let something happen: it is the moment that the caller has drawn.
    private static void KillAt(Process process, TimeSpan left)
    {
        if (!process.WaitForExit(Math.Max(0, (int)Math.Round(left.TotalMilliseconds))))
        {
            process.Kill();
        }
    }
}
