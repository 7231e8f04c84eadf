using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>What became of a run at one backup server. Immutable.</summary>
public sealed class RemoteResult
{
    /// <summary>The endpoint's name.</summary>
    [JsonPropertyName("server_name")] public required string ServerName { get; init; }

    /// <summary>Whether the run is there, whole and durable.</summary>
    [JsonPropertyName("ok")] public required bool Ok { get; init; }

    /// <summary>Artifacts that arrived, and 1 for the manifest.</summary>
    [JsonPropertyName("steps_done")] public required int StepsDone { get; init; }

    /// <summary>Artifacts of the run, and 1 for the manifest.</summary>
    [JsonPropertyName("steps_total")] public required int StepsTotal { get; init; }

    /// <summary>Why it is not there; "" when it is.</summary>
    [JsonPropertyName("error")] public required string Error { get; init; }
}

/// <summary>
/// What became of runs at backup servers: <c>state/remotes/RUN_ID.json</c>, because a run that is completed is never written
/// again. Every member touches the disk.
/// </summary>
internal sealed class RemoteResults
{
    private readonly BackupStore _store;

    internal RemoteResults(BackupStore store) => _store = store;

    private string Directory => Path.Combine(_store.StateDirectory, "remotes");

    /// <summary>The results of a run, by server name; empty when it was never sent anywhere, or when the file is damaged: what
    /// arrived is known at the server.</summary>
    internal ImmutableArray<RemoteResult> Read(RunId id)
    {
        try
        {
            RemoteResult[]? rows = JsonSerializer.Deserialize(
                File.ReadAllBytes(PathOf(id)), RemoteResultsJson.Default.RemoteResultArray);
            return rows is null || Array.Exists(rows, r => r is null) ? [] : [.. rows];
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>Records results, in the place of earlier ones of the same servers, and drops those of runs that are
    /// gone.</summary>
    /// <returns>All of the run, by server name.</returns>
    /// <exception cref="IOException">They were not recorded.</exception>
    internal ImmutableArray<RemoteResult> Add(RunId id, IReadOnlyList<RemoteResult> results)
    {
        RemoteResult[] all =
        [
            .. Read(id).Where(old => results.All(r => r.ServerName != old.ServerName)).Concat(results)
                .OrderBy(r => r.ServerName, StringComparer.Ordinal),
        ];
        System.IO.Directory.CreateDirectory(Directory, ChunkTree.DirectoryMode);
        DurableFile.Write(PathOf(id), JsonSerializer.SerializeToUtf8Bytes(all, RemoteResultsJson.Default.RemoteResultArray));
        foreach (string path in System.IO.Directory.GetFiles(Directory))
        {
            if (RunId.TryParse(Path.GetFileNameWithoutExtension(path), out RunId other)
                && !System.IO.Directory.Exists(Path.Combine(_store.CompletedDirectory, other.ToString())))
            {
                File.Delete(path);
            }
        }
        return [.. all];
    }

    /// <summary>Drops the results of a run whose place another one has taken.</summary>
    /// <exception cref="IOException">They are still there.</exception>
    internal void Forget(RunId id)
    {
        if (File.Exists(PathOf(id)))
        {
            File.Delete(PathOf(id));
        }
    }

    private string PathOf(RunId id) => Path.Combine(Directory, $"{id}.json");
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RemoteResult[]))]
internal sealed partial class RemoteResultsJson : JsonSerializerContext;
