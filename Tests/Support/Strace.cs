using System.Text.RegularExpressions;

namespace Backupd.Tests.Support;

/// <summary>How a traced program ended.</summary>
/// <param name="Outcome">Exit code and output; <see cref="Killing.Code"/> when strace was told to kill it.</param>
/// <param name="Fired">How many system calls were tampered with.</param>
/// <param name="Log">What strace saw, a line a call.</param>
internal sealed record TracedOutcome(Outcome Outcome, int Fired, string[] Log)
{
    /// <summary>The calls that were made to fail.</summary>
    public IEnumerable<string> Injected => Log.Where(l => l.Contains("(INJECTED)", StringComparison.Ordinal));
}

/// <summary>
/// Runs a program under strace, which kills it in a chosen system call or makes that call fail. strace counts calls for
/// each thread and each system call by itself: the first <c>fsync</c> of two threads are two firsts.
/// </summary>
internal static class Strace
{
    /// <summary>Kills the program as it enters its n-th call.</summary>
    public static Task<TracedOutcome> Kill(string call, int when, params string[] command) =>
        Run(call, ["-e", $"inject={call}:signal=SIGKILL:when={when}"], command);

    /// <summary>The same, of its calls on a file or directory alone.</summary>
    public static Task<TracedOutcome> KillOn(string path, string call, int when, params string[] command) =>
        Run(call, ["-P", path, "-e", $"inject={call}:signal=SIGKILL:when={when}"], command);

    /// <summary>Makes the program's n-th call on a file or directory fail without being made.</summary>
    public static Task<TracedOutcome> FailOn(string path, string call, string error, int when, params string[] command) =>
        Run(call, ["-P", path, "-e", $"inject={call}:error={error}:when={when}"], command);

    /// <summary>Makes the program's n-th call fail without being made.</summary>
    /// <param name="call">The system call.</param>
    /// <param name="error">The error's name: <c>EIO</c>.</param>
    /// <param name="when">Which one, from 1; <c>2+</c> for the second and all that follow.</param>
    /// <param name="command">The program and its arguments.</param>
    public static Task<TracedOutcome> Fail(string call, string error, string when, params string[] command) =>
        Run(call, ["--seccomp-bpf", "-e", $"inject={call}:error={error}:when={when}"], command);

    /// <summary>Makes each of the program's calls begin that much later.</summary>
    public static Task<TracedOutcome> Delay(string call, TimeSpan delay, params string[] command) =>
        Run(call, ["--seccomp-bpf", "-e", $"inject={call}:delay_enter={(long)delay.TotalMicroseconds}"], command);

    /// <summary>Makes each of the program's calls on a file end that much later than it is done.</summary>
    public static Task<TracedOutcome> DelayOn(string path, string call, TimeSpan delay, params string[] command) =>
        Run(call, ["-P", path, "-e", $"inject={call}:delay_exit={(long)delay.TotalMicroseconds}"], command);

    /// <summary>Runs the program undisturbed and returns its calls in the order in which they ended.</summary>
    /// <param name="calls">The system calls, with commas.</param>
    /// <param name="command">The program and its arguments.</param>
    public static async Task<string[]> Watch(string calls, params string[] command)
    {
        TracedOutcome watched = await Run(calls, ["--seccomp-bpf"], command);
        Assert.AreEqual(0, watched.Outcome.Code, watched.Outcome.ToString());
        return watched.Log;
    }

    /// <summary>
    /// The command of a program whose calls take longer, as on a slow disk. The process that it starts is the program
    /// itself and not strace: a signal reaches it, and its exit code is the program's.
    /// </summary>
    /// <param name="calls">The system calls, with commas.</param>
    /// <param name="microseconds">How much longer each takes.</param>
    /// <param name="command">The program and its arguments.</param>
    public static string[] Slow(string calls, int microseconds, string[] command) =>
    [
        "strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", $"trace={calls}",
        "-e", $"inject={calls}:delay_enter={microseconds}", "--", .. command,
    ];

    /// <summary>
    /// The numbers, for <see cref="Fail"/>, that calls on files below a directory have in an undisturbed run.
    /// </summary>
    public static async Task<int[]> NumbersOf(string call, string directory, params string[] command)
    {
        Dictionary<string, int> counts = [];
        SortedSet<int> numbers = [];
        foreach (string line in (await Watch(call, command)).Where(l => Regex.IsMatch(l, $@"^\d+ +{call}\(")))
        {
            string thread = line[..line.IndexOf(' ', StringComparison.Ordinal)];
            counts[thread] = counts.GetValueOrDefault(thread) + 1;
            if (line.Contains(directory, StringComparison.Ordinal))
            {
                numbers.Add(counts[thread]);
            }
        }
        return [.. numbers];
    }

    // --seccomp-bpf spares the calls that are not traced a stop; with it strace 6.1 forgets to send all but the first signal.
    private static async Task<TracedOutcome> Run(string call, string[] options, string[] command)
    {
        using TempDirectory directory = new();
        string log = directory["log"];
        // A close tells that the same number stands for another file from there on.
        string traced = call == "fsync" ? "fsync,syncfs,close" : call;
        Outcome outcome = await Shell.Run(
            "strace",
            ["-f", "-qq", "-y", "-o", log, "-e", $"trace={traced}", .. options, "--", .. command]);
        Assert.DoesNotContain("strace:", outcome.Error);
        string[] lines = await File.ReadAllLinesAsync(log);
        int fired = lines.Count(l => Regex.IsMatch(l, @"\(INJECTED\)|\+\+\+ killed by SIGKILL"));
        return new TracedOutcome(outcome, fired, lines);
    }
}
