using System.Security.Cryptography;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// Copies one run from where it is to where it is wanted: a publish, or an import the other way round. What the destination has
/// is not sent. One thread.
/// </summary>
/// <remarks>
/// Chunks of a listing are asked for first. One that the destination has came there with a run, or with an attempt, that brought
/// what it names before it; so nothing of it is asked for, and an unchanged tree costs a question. Should that not hold any more,
/// the destination says so when it gets the artifact, and what it lacks is sent then.
/// </remarks>
internal sealed class RunTransfer : IDisposable
{
    // Of one question: some tens of kilobytes, and few round trips on a long line.
    private const int BatchChunks = 1024;

    // Chunks of a listing that are read before what they name is asked for: some thousands of files.
    private const int ListingGroup = 16;

    private readonly IRunOrigin _origin;
    private readonly IRunDestination _destination;
    private readonly TransferObserver _observer;
    private readonly ChunkCodec _codec = new();

    private RunTransfer(IRunOrigin origin, IRunDestination destination, TransferObserver observer)
    {
        _origin = origin;
        _destination = destination;
        _observer = observer;
    }

    /// <summary>Copies a run.</summary>
    /// <param name="id">The run.</param>
    /// <param name="origin">Where it is.</param>
    /// <param name="destination">Where it goes.</param>
    /// <param name="observer">Told of each step; stops the copying by throwing.</param>
    /// <returns>The run.</returns>
    /// <exception cref="RemoteException">It was not copied; a later attempt sends what is missing.</exception>
    internal static BackupRun Copy(RunId id, IRunOrigin origin, IRunDestination destination, TransferObserver observer)
    {
        using RunTransfer transfer = new(origin, destination, observer);
        return transfer.Copy(id);
    }

    /// <summary>The steps that a run takes: one for each artifact, one for the manifest.</summary>
    internal static int StepsOf(BackupRun run) => run.Participants.Sum(p => p.Artifacts.Length) + 1;

    /// <inheritdoc/>
    public void Dispose() => _codec.Dispose();

    private BackupRun Copy(RunId id)
    {
        byte[] manifest = _origin.ReadFile(RunDirectory.ManifestName);
        BackupRun run = Parse(() => RunManifest.Parse(manifest, id, RunDirectory.Place(RunStatus.Completed, id)));
        CheckSums(run, manifest);
        _observer.Begin(run);
        if (_destination.Begin(SHA256.HashData(manifest)))
        {
            for (int i = 0; i < StepsOf(run); i++)
            {
                _observer.EndStep();
            }
            return run;
        }
        foreach (ParticipantResult participant in run.Participants)
        {
            foreach (ArtifactResult artifact in participant.Artifacts)
            {
                _observer.BeginArtifact(participant.Name);
                CopyArtifact(run, artifact);
                _observer.EndStep();
            }
        }
        _observer.BeginManifest();
        _destination.Commit(manifest);
        _observer.EndStep();
        return run;
    }

    // A copy gets sums of its own, which would vouch for what has changed at the origin since it was made.
    private void CheckSums(BackupRun run, byte[] manifest)
    {
        byte[] sums;
        try
        {
            sums = _origin.ReadFile(RunDirectory.SumsName);
        }
        catch (RemoteException e) when (e.Fault == RemoteFault.RunNotFound)
        {
            // The run is there: its manifest was read.
            throw new RemoteException(RemoteFault.Damaged, $"{RunDirectory.SumsName} is missing", e);
        }
        if (RunSums.ProblemOf(sums, manifest, run) is string problem)
        {
            throw new RemoteException(RemoteFault.Damaged, problem);
        }
    }

    private void CopyArtifact(BackupRun run, ArtifactResult result)
    {
        byte[] content = _origin.ReadFile(result.LogicalName);
        ArtifactFile artifact = Parse(() => RunCatalog.ParseArtifact(content, run, result));
        ChunkId[] listing = [.. artifact.Listing.Select(IdOf)];
        for (int done = 0; done < listing.Length; done += BatchChunks)
        {
            ChunkId[] batch = listing[done..Math.Min(done + BatchChunks, listing.Length)];
            SendListing(_destination.Missing([.. batch.Distinct()]), done, listing.Length);
        }
        // Each round sends what the one before was found to lack, until that is nothing new.
        HashSet<ChunkId> sent = [];
        HashSet<ChunkId>? own = null;
        IReadOnlyList<ChunkId> missing = _destination.AddArtifact(result.LogicalName, content);
        while (missing.Any(id => !sent.Contains(id)))
        {
            // A server that knows the name of a chunk of another run is not to get its content by that.
            own ??= ChunksOf(listing);
            if (!missing.All(own.Contains))
            {
                throw new RemoteException(
                    RemoteFault.ProtocolBroken, $"it asks for chunks that are none of {result.LogicalName}");
            }
            sent.UnionWith(missing);
            Send(missing, _ => { });
            missing = _destination.AddArtifact(result.LogicalName, content);
        }
        if (missing.Count == 0)
        {
            return;
        }
        throw new RemoteException(
            RemoteFault.Damaged, $"{result.LogicalName} was not taken: chunks of it are still missing after they were sent");
    }

    // A chunk of the listing goes after what it names, so that whoever has it has the rest.
    private void SendListing(IReadOnlyList<ChunkId> missing, int done, int total)
    {
        foreach (ChunkId[] group in missing.Chunk(ListingGroup))
        {
            List<ChunkId> named = [];
            List<(ChunkId Id, byte[] Stored)> lines = [];
            _origin.ReadChunks(group, (id, stored) =>
            {
                ReadNamed(id, stored, named);
                lines.Add((id, stored.ToArray()));
            });
            int groupStart = done;
            SendNamed([.. named.Distinct()], part => _observer.Advance((groupStart + group.Length * part) / total));
            foreach ((ChunkId id, byte[] stored) in lines)
            {
                _destination.Add(id, stored, _observer.Spend);
            }
            done += group.Length;
            _observer.Advance((double)done / total);
        }
    }

    private HashSet<ChunkId> ChunksOf(ChunkId[] listing)
    {
        HashSet<ChunkId> all = [.. listing];
        List<ChunkId> named = [];
        _origin.ReadChunks(listing, (id, stored) =>
        {
            named.Clear();
            ReadNamed(id, stored, named);
            all.UnionWith(named);
        });
        return all;
    }

    private void SendNamed(ChunkId[] named, Action<double> advance)
    {
        int asked = 0;
        foreach (ChunkId[] part in named.Chunk(BatchChunks))
        {
            asked += part.Length;
            Send(_destination.Missing(part), left => advance((double)(asked - left) / named.Length));
        }
    }

    private void ReadNamed(ChunkId id, ReadOnlySpan<byte> stored, List<ChunkId> named)
    {
        string? problem = _codec.TryDecode(stored, id, out ReadOnlySpan<byte> content);
        if (problem is not null || !ListingSegments.TryRead(content, named))
        {
            throw new RemoteException(RemoteFault.Damaged, $"chunk {id} {problem ?? "is no part of a listing"}");
        }
    }

    private void Send(IReadOnlyList<ChunkId> ids, Action<int> left)
    {
        int sent = 0;
        _origin.ReadChunks(ids, (id, stored) =>
        {
            _destination.Add(id, stored, _observer.Spend);
            sent++;
            left(ids.Count - sent);
        });
    }

    private static ChunkId IdOf(ListingChunk chunk) => ChunkId.TryParse(chunk.Chunk, out ChunkId id)
        ? id
        : throw new RemoteException(RemoteFault.Damaged, $"{chunk.Chunk} is not the name of a chunk");

    private static T Parse<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (Exception e) when (e is BackupException or JsonException)
        {
            throw new RemoteException(RemoteFault.Damaged, e.Message, e);
        }
    }
}
