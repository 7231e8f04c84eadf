using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Streams one participant of a run: a pax tar for a directory, the raw bytes for every other kind.</summary>
public sealed class RunExporter
{
    /// <summary>Makes one.</summary>
    public RunExporter(BackupStore store) => Store = store;

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Writes the export. Disk, long.</summary>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, StoreBusy, Io.</exception>
    public void Export(RunId run, string participant, Stream output, CancellationToken cancellation) =>
        throw new NotImplementedException();
}
