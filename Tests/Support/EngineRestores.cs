using Backupd.Backup.Restore;
using Backupd.Backup.Runs;

namespace Backupd.Tests.Support;

/// <summary>Restores in place by a test's engine.</summary>
internal static class EngineRestores
{
    /// <summary>Gives a run, or what a restore has replaced, back in place, and waits for the end.</summary>
    public static async Task<RestoreEnd> GiveBack(this Engine engine, RunId source, bool isDryRun = false)
    {
        RestoreRunRequest request = new(source) { IsForced = true, IsDryRun = isDryRun };
        return await Deadline.Of(engine.Supervisor.StartRestore(request).Completion, "the restore to end");
    }

    /// <summary>The same, and it must be completed.</summary>
    public static async Task<RestoreRun> GiveBackOk(this Engine engine, RunId source, bool isDryRun = false)
    {
        RestoreEnd end = await engine.GiveBack(source, isDryRun);
        Assert.AreEqual(RunStatus.Completed, end.Restore.Status, end.Restore.ErrorSummary);
        return end.Restore;
    }
}
