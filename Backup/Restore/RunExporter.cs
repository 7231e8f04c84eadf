using System.Collections.Immutable;
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
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, StoreBusy,
    /// Io.</exception>
    public void Export(RunId run, string participant, Stream output, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.SharedOrBusy(Store);
        RunCatalog catalog = new(Store);
        BackupRun found = catalog.Get(run);
        ImmutableArray<ParticipantResult> chosen = RestorableParticipants.Kept(found, [participant]);
        ArtifactFile artifact = catalog.Artifact(found, chosen[0].Name);
        using ListingReader listing = new(Store, artifact);
        using ContentReader content = new(Store);
        try
        {
            if (artifact.Kind == ArtifactFile.DirectoryKind)
            {
                WriteTar(artifact, listing, content, output, cancellation);
            }
            else
            {
                foreach (ListingEntry entry in listing.Tree())
                {
                    EntryContent.Check(entry);
                    content.CopyTo(entry, output.Write, cancellation);
                }
            }
            output.Flush();
        }
        catch (IOException e)
        {
            throw new BackupException(BackupFault.Io, $"cannot write the export: {e.Message}", inner: e);
        }
    }

    private static void WriteTar(
        ArtifactFile artifact, ListingReader listing, ContentReader content, Stream output,
        CancellationToken cancellation)
    {
        TarWriter tar = new(output, artifact.Name);
        foreach (ListingEntry entry in listing.Tree())
        {
            cancellation.ThrowIfCancellationRequested();
            // Before its header is written: what does not fill it would be read as the headers of other entries.
            EntryContent.Check(entry);
            if (tar.WriteHeader(entry))
            {
                content.CopyTo(entry, output.Write, cancellation);
                tar.Pad(entry.Size);
            }
        }
        tar.End();
    }
}
