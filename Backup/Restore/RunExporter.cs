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
    public void Export(RunId run, string participant, Stream output, CancellationToken cancellation) =>
        Export(run, participant, [], output, cancellation);

    /// <summary>The same of what matches one of some patterns, as <see cref="RestoreRequest.Paths"/> explains them, with the
    /// directories that lead there; of everything without patterns.</summary>
    /// <exception cref="BackupException">Also InputInvalid: a pattern that means nothing, or one for what is no directory;
    /// NothingMatches: nothing was written.</exception>
    public void Export(
        RunId run, string participant, ImmutableArray<string> paths, Stream output, CancellationToken cancellation)
    {
        ImmutableArray<PathPattern> patterns = [.. paths.Select(PathPattern.Parse)];
        using StoreLock held = StoreLock.SharedOrBusy(Store);
        RunCatalog catalog = new(Store);
        BackupRun found = catalog.Get(run);
        ImmutableArray<ParticipantResult> chosen = RestorableParticipants.Kept(found, [participant]);
        ArtifactFile artifact = catalog.Artifact(found, chosen[0].Name);
        if (artifact.Kind != ArtifactFile.DirectoryKind && !patterns.IsEmpty)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"{participant} is a {artifact.Kind}, which is exported whole: leave out --path");
        }
        using ListingReader listing = new(Store, artifact);
        using ContentReader content = new(Store);
        try
        {
            if (artifact.Kind == ArtifactFile.DirectoryKind)
            {
                IEnumerable<ListingEntry> entries =
                    patterns.IsEmpty ? listing.Tree() : new RestoreSelection(patterns, artifact).Entries(listing);
                if (!WriteTar(artifact, entries, content, output, cancellation))
                {
                    throw new BackupException(
                        BackupFault.NothingMatches,
                        $"nothing of {participant} in run {found.Id} matches {string.Join(" or ", paths)}");
                }
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
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            throw e.Of(found.Id);
        }
        catch (IOException e)
        {
            throw new BackupException(BackupFault.Io, $"cannot write the export: {e.Message}", inner: e);
        }
    }

    // False when there is nothing to write, and so not even an end of an archive.
    private static bool WriteTar(
        ArtifactFile artifact, IEnumerable<ListingEntry> entries, ContentReader content, Stream output,
        CancellationToken cancellation)
    {
        TarWriter tar = new(output, artifact.Name);
        bool isEmpty = true;
        foreach (ListingEntry entry in entries)
        {
            cancellation.ThrowIfCancellationRequested();
            isEmpty = false;
            // Before its header is written: what does not fill it would be read as the headers of other entries.
            EntryContent.Check(entry);
            if (tar.WriteHeader(entry))
            {
                content.CopyTo(entry, output.Write, cancellation);
                tar.Pad(entry.Size);
            }
        }
        if (!isEmpty)
        {
            tar.End();
        }
        return !isEmpty;
    }
}
