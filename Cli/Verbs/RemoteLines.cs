using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>What became of a run at backup servers, for people and for scripts.</summary>
internal static class RemoteLines
{
    /// <summary>A line for each server, and what to type next for those that do not have the run.</summary>
    internal static void Write(RunObject run, TextWriter output)
    {
        foreach (RemoteObject remote in run.Remotes ?? [])
        {
            if (remote.Ok)
            {
                output.WriteLine($"  {(ScreenInfo.IsAscii ? "+" : "✓")} published to {remote.ServerName}");
                continue;
            }
            WriteMissing(run, remote, "", output);
        }
    }

    /// <summary>The same for one server alone and for a run that was not named before; nothing when it has it.</summary>
    internal static void WriteMissing(RunObject run, string server, TextWriter output)
    {
        if (run.Remotes?.FirstOrDefault(r => r.ServerName == server) is RemoteObject { Ok: false } remote)
        {
            WriteMissing(run, remote, $"run {run.RunId} is ", output);
        }
    }

    /// <summary>Whether it was sent to a server, well or not.</summary>
    internal static bool IsToldOf(RunObject run, string server) => run.Remotes?.Any(r => r.ServerName == server) == true;

    /// <summary>Whether it is on no other machine or disk, although it was sent.</summary>
    internal static bool IsNowhere(RunObject run) => run.Remotes is { Count: > 0 } remotes && remotes.All(r => !r.Ok);

    /// <summary>The exit code of a run that was made.</summary>
    internal static ExitCode CodeOf(RunObject run) => run.Status == RunStatus.Completed && IsMissing(run, _ => true)
        ? ExitCode.NotPublished
        : ExitCodes.Of(run.Status);

    /// <summary>Whether a server does not have it that was to.</summary>
    internal static bool IsMissing(RunObject run, Func<string, bool> isMeant) =>
        (run.Remotes ?? []).Any(r => !r.Ok && isMeant(r.ServerName));

    private static void WriteMissing(RunObject run, RemoteObject remote, string subject, TextWriter output)
    {
        string steps = remote.StepsDone > 0 ? $" (step {remote.StepsDone} of {remote.StepsTotal} was done)" : "";
        output.WriteLine($"  ! {subject}not published to {remote.ServerName}{steps}: {Units.Printable(remote.Error)}");
        output.WriteLine($"    Send it later: backupd publish {run.RunId} {remote.ServerName}");
    }
}
