using System.Security.Cryptography;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run's place on another backupd. Chunks are on their way several at a time; a refusal of one is noticed with the
/// next reply that is read.</summary>
internal sealed class PeerRunDestination : IRunDestination
{
    private readonly PeerConnection _connection;
    private readonly RunId _id;
    private int _unanswered;

    /// <param name="connection">Owned.</param>
    /// <param name="id">The run.</param>
    internal PeerRunDestination(PeerConnection connection, RunId id)
    {
        _connection = connection;
        _id = id;
    }

    /// <inheritdoc/>
    public bool Begin(byte[] manifestHash)
    {
        PeerReply begun = _connection.Ask(new PeerRequest
        {
            Command = PeerCommands.BeginRun,
            RunId = _id.ToString(),
            Sha256 = Convert.ToHexStringLower(manifestHash),
        });
        // It looks for each chunk before it says that none is missing.
        return begun.Present && _connection.AskPatiently(new PeerRequest { Command = PeerCommands.CheckRun }, default).Present;
    }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> Missing(IReadOnlyList<ChunkId> ids)
    {
        if (ids.Count == 0)
        {
            return [];
        }
        AwaitAnswers(0);
        byte[] names = PeerConnection.BytesOf(ids);
        PeerReply reply = _connection.Ask(
            new PeerRequest { Command = PeerCommands.HasChunks, Payload = names.Length }, names);
        ChunkId[] missing = PeerConnection.IdsOf(_connection.ReceivePayload(reply, names.Length));
        HashSet<ChunkId> asked = [.. ids];
        return missing.All(asked.Contains)
            ? missing
            : throw new RemoteException(RemoteFault.ProtocolBroken, "it misses chunks that it was not asked for");
    }

    /// <inheritdoc/>
    public void Add(ChunkId id, ReadOnlySpan<byte> stored, Action<int> spend)
    {
        AwaitAnswers(PeerLimits.MaxInFlight - 1);
        _connection.Send(
            new PeerRequest
            {
                Command = PeerCommands.PutChunk,
                Chunk = id.ToString(),
                Sha256 = _connection.TakesBareChunks ? null : Convert.ToHexStringLower(SHA256.HashData(stored)),
                Payload = stored.Length,
            },
            stored,
            spend);
        _unanswered++;
    }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> AddArtifact(string name, byte[] content)
    {
        AwaitAnswers(0);
        PeerReply reply = _connection.AskPatiently(
            new PeerRequest { Command = PeerCommands.PutFile, Name = name, Payload = content.Length }, content);
        return PeerConnection.IdsOf(
            _connection.ReceivePayload(reply, PeerLimits.MaxChunksAsked * ChunkId.Size));
    }

    /// <inheritdoc/>
    public void Commit(byte[] manifest)
    {
        AwaitAnswers(0);
        _connection.AskPatiently(new PeerRequest { Command = PeerCommands.CommitRun, Payload = manifest.Length }, manifest);
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private void AwaitAnswers(int most)
    {
        while (_unanswered > most)
        {
            _unanswered--;
            _connection.Receive();
        }
    }
}
