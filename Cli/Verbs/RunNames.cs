using Backupd.Backup.Runs;

namespace Backupd.Cli.Verbs;

/// <summary>The wire's words for what a run is, as tables show them.</summary>
internal static class RunNames
{
    internal static string Of(RunStatus status) => status.ToString().ToLowerInvariant();

    internal static string Of(RunType type) => type.ToString().ToLowerInvariant();

    internal static string Of(RunTrigger trigger) =>
        trigger == RunTrigger.PreUpdate ? "pre_update" : trigger.ToString().ToLowerInvariant();
}
