using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>What a run of elsewhere must be like to be taken: nothing in it is believed that can be looked at.</summary>
internal static class IntakeCheck
{
    // More missing chunks than this need not be told at once.
    private const int MaxTold = 4096;

    /// <summary>Reads an artifact that goes by a name.</summary>
    /// <exception cref="RemoteException">Damaged: it is none, or another one.</exception>
    internal static ArtifactFile Artifact(string name, byte[] content)
    {
        try
        {
            ArtifactFile artifact = ArtifactFile.Parse(content, name);
            return ParticipantName.IsValid(artifact.Participant) && artifact.Participant + RunDirectory.ArtifactSuffix == name
                ? artifact
                : throw new RemoteException(RemoteFault.Damaged, $"{name} is not an artifact of that name");
        }
        catch (Exception e) when (e is JsonException or BackupException)
        {
            throw new RemoteException(RemoteFault.Damaged, $"{name} is no artifact: {e.Message}", e);
        }
    }

    /// <summary>The chunks of a listing, and those that it names, that are not in the store, or are there with something else
    /// in them: all, or some when there are many.</summary>
    /// <param name="artifact">What names the listing.</param>
    /// <param name="store">Where they should be.</param>
    /// <param name="chunks">Takes them back from the trash.</param>
    /// <param name="tick">Called for each chunk of the listing; stops by throwing.</param>
    /// <exception cref="RemoteException">Damaged: it names what is no chunk.</exception>
    internal static List<ChunkId> MissingOf(ArtifactFile artifact, BackupStore store, ChunkWriter chunks, Action tick)
    {
        List<ChunkId> missing = [];
        HashSet<ChunkId> seen = [];
        using ChunkPresence presence = new(store);
        using ListingReader reader = new(store, artifact);
        for (int i = 0; i < artifact.Listing.Length && missing.Count < MaxTold; i++)
        {
            tick();
            if (!ChunkId.TryParse(artifact.Listing[i].Chunk, out ChunkId listing))
            {
                throw new RemoteException(RemoteFault.Damaged, $"{artifact.Listing[i].Chunk} is not the name of a chunk");
            }
            if (!chunks.Has(listing))
            {
                missing.Add(listing);
                continue;
            }
            try
            {
                foreach (Segment segment in reader.Segments(i))
                {
                    if (!segment.IsHole && seen.Add(segment.Chunk)
                        && (!chunks.Has(segment.Chunk) || presence.ProblemOf(segment.Chunk, segment.StoredSize) is not null))
                    {
                        missing.Add(segment.Chunk);
                    }
                }
            }
            catch (BackupException)
            {
                // Damaged here: it is to be sent again. Should it be so there, too, the sender notices that it gets no further.
                missing.Add(listing);
            }
        }
        return missing;
    }

    /// <summary>Whether all files of a run that is there are what its manifest says, and no chunk of it is missing.</summary>
    /// <param name="id">The run.</param>
    /// <param name="directory">Where it is.</param>
    /// <param name="store">Where its chunks should be.</param>
    /// <param name="chunks">Takes them back from the trash.</param>
    /// <param name="tick">Called for each chunk of a listing; stops by throwing.</param>
    internal static bool IsWhole(RunId id, string directory, BackupStore store, ChunkWriter chunks, Action tick)
    {
        try
        {
            byte[] manifest = StoreFile.Read(Path.Combine(directory, RunDirectory.ManifestName));
            BackupRun run = RunManifest.Parse(manifest, id, RunDirectory.Place(RunStatus.Completed, id));
            if (RunSums.ProblemOf(StoreFile.Read(Path.Combine(directory, RunDirectory.SumsName)), manifest, run) is not null)
            {
                return false;
            }
            foreach (ArtifactResult result in run.Participants.SelectMany(p => p.Artifacts))
            {
                byte[] content = StoreFile.Read(Path.Combine(directory, result.LogicalName));
                if (MissingOf(RunCatalog.ParseArtifact(content, run, result), store, chunks, tick).Count > 0)
                {
                    return false;
                }
            }
            return true;
        }
        catch (Exception e) when (e is BackupException or JsonException or PosixException
            or RemoteException { Fault: RemoteFault.Damaged })
        {
            // Whoever has it whole sends it, and is told what is wrong with what.
            return false;
        }
    }

    /// <summary>Reads the manifest of a run whose artifacts have come.</summary>
    /// <param name="id">The run.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="artifacts">What has come, by name, with its SHA-256 in lower hex.</param>
    /// <exception cref="RemoteException">Damaged: it is none, or of another run, or names other artifacts.</exception>
    internal static BackupRun Manifest(RunId id, byte[] manifest, Dictionary<string, string> artifacts)
    {
        BackupRun run;
        try
        {
            run = RunManifest.Parse(manifest, id, RunDirectory.Place(RunStatus.Completed, id));
        }
        catch (BackupException e)
        {
            throw new RemoteException(RemoteFault.Damaged, e.Message, e);
        }
        if (run.Status is not (RunStatus.Completed or RunStatus.Partial))
        {
            throw new RemoteException(RemoteFault.Damaged, $"run {id} is neither completed nor partial");
        }
        ImmutableArray<ArtifactResult> named = [.. run.Participants.SelectMany(p => p.Artifacts)];
        ArtifactResult? other = named.FirstOrDefault(
            a => !artifacts.TryGetValue(a.LogicalName, out string? sha) || sha != a.Sha256);
        return other is null && named.Length == artifacts.Count
            ? run
            : throw new RemoteException(
                RemoteFault.Damaged, $"the manifest of run {id} names other artifacts than were sent: {other?.LogicalName}");
    }
}
