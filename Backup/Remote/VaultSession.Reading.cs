using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <content>What is listed and fetched.</content>
internal sealed partial class VaultSession
{
    private byte[] ListRuns(PeerRequest request)
    {
        int limit = request.Limit is > 0 and < PeerLimits.MaxListedRuns ? request.Limit : PeerLimits.MaxListedRuns;
        PeerRun[] rows =
        [
            .. Vault.List(limit).Select(PeerRun.From),
        ];
        return JsonSerializer.SerializeToUtf8Bytes(rows, PeerRunJson.Default.PeerRunArray);
    }

    private byte[] GetFile(PeerRequest request)
    {
        string name = request.Name ?? "";
        if (name is not (RunDirectory.ManifestName or RunDirectory.SumsName) && !RunDirectory.IsArtifactName(name))
        {
            throw new RemoteException(RemoteFault.RunNotFound, "a run has no file of that name");
        }
        _reading ??= Vault.Hold();
        string path = Path.Combine(Vault.DirectoryOf(IdOf(request)), name);
        if (!File.Exists(path))
        {
            throw new RemoteException(RemoteFault.RunNotFound, "a run has no file of that name");
        }
        try
        {
            return StoreFile.Read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RemoteException(RemoteFault.StorageFailed, "a file of a run cannot be read", e);
        }
    }

    private void GetChunk(PeerRequest request)
    {
        ChunkId id = ChunkOf(request);
        _reading ??= Vault.Hold();
        string path = BackupStore.ChunkPath(Vault.Store.ChunksDirectory, id);
        if (_codec.TryReadStored(path, cold: false, out ReadOnlySpan<byte> stored) is string problem)
        {
            throw new RemoteException(RemoteFault.Damaged, $"chunk {id} {problem}");
        }
        // Whoever asked checks the content against the name, which tells more than a hash of these bytes.
        _stream.Write(new PeerReply { Payload = stored.Length }, PeerJson.Default.PeerReply, stored);
    }
}
