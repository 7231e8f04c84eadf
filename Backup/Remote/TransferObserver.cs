using Backupd.Backup.Runs;

namespace Backupd.Backup.Remote;

/// <summary>Whoever wants to know how far a copy is, and may slow it down or stop it. Called by the copying thread.</summary>
internal abstract class TransferObserver
{
    /// <summary>The run's manifest is known.</summary>
    internal virtual void Begin(BackupRun run)
    {
    }

    /// <summary>An artifact's step begins.</summary>
    internal abstract void BeginArtifact(string participant);

    /// <summary>The last step begins.</summary>
    internal abstract void BeginManifest();

    /// <summary>How much of the step is done, 0 to 1.</summary>
    internal abstract void Advance(double fraction);

    /// <summary>The step is done.</summary>
    internal abstract void EndStep();

    /// <summary>Some bytes are about to be sent.</summary>
    internal abstract void Spend(int bytes);
}
