using System.Security.Cryptography;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run on another backupd. Chunks are asked for several at a time.</summary>
internal sealed class PeerRunOrigin : IRunOrigin
{
    private readonly PeerConnection _connection;
    private readonly RunId _id;
    private readonly byte[] _chunk = new byte[PeerLimits.MaxChunkBytes];

    /// <param name="connection">Owned.</param>
    /// <param name="id">The run.</param>
    internal PeerRunOrigin(PeerConnection connection, RunId id)
    {
        _connection = connection;
        _id = id;
    }

    /// <inheritdoc/>
    public byte[] ReadFile(string name)
    {
        PeerReply reply = _connection.Ask(
            new PeerRequest { Command = PeerCommands.GetFile, RunId = _id.ToString(), Name = name });
        return _connection.ReceivePayload(reply, PeerLimits.MaxFileBytes);
    }

    /// <inheritdoc/>
    public void ReadChunks(IReadOnlyList<ChunkId> ids, ChunkTaker take)
    {
        int asked = 0;
        for (int received = 0; received < ids.Count; received++)
        {
            while (asked < ids.Count && asked < received + PeerLimits.MaxInFlight)
            {
                _connection.Send(new PeerRequest { Command = PeerCommands.GetChunk, Chunk = ids[asked].ToString() });
                asked++;
            }
            PeerReply reply = _connection.Receive();
            PeerStream.CheckLength(reply.Payload, _chunk.Length);
            _connection.ReceivePayload(_chunk.AsMemory(0, reply.Payload));
            ReadOnlySpan<byte> stored = _chunk.AsSpan(0, reply.Payload);
            if (reply.Sha256 is not null && Convert.ToHexStringLower(SHA256.HashData(stored)) != reply.Sha256)
            {
                throw new RemoteException(
                    RemoteFault.Damaged, $"the bytes of chunk {ids[received]} are not those that were announced");
            }
            take(ids[received], stored);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();
}
