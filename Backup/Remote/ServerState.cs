using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>What a store remembers of a backup server: <c>state/servers/NAME.json</c>. Facts that a configuration does not hold,
/// and that may be lost: then a run is sent sooner than it had to be. Every member touches the disk.</summary>
internal sealed class ServerState
{
    private readonly string _path;

    internal ServerState(BackupStore store, string name) => _path = Path.Combine(store.StateDirectory, "servers", $"{name}.json");

    /// <summary>When the last run that has arrived there began, Unix seconds; 0 for never.</summary>
    internal long LastUpload
    {
        get => Read().LastUpload;
        set => Write(new ServerStateFile { LastUpload = value, Directory = Read().Directory });
    }

    /// <summary>The directory that was a store when it was last used; "" for none.</summary>
    internal string Directory
    {
        get => Read().Directory;
        set => Write(new ServerStateFile { LastUpload = Read().LastUpload, Directory = value });
    }

    /// <summary>Forgets all of it.</summary>
    /// <exception cref="IOException">It is still there.</exception>
    internal void Forget()
    {
        if (File.Exists(_path))
        {
            File.Delete(_path);
        }
    }

    private ServerStateFile Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(_path), ServerStateJson.Default.ServerStateFile) ?? new();
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            // Never used, or damaged: nothing is remembered.
            return new();
        }
    }

    private void Write(ServerStateFile state)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(_path)!, ChunkTree.DirectoryMode);
        DurableFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(state, ServerStateJson.Default.ServerStateFile));
    }
}

/// <summary>The file's members.</summary>
internal sealed class ServerStateFile
{
    [JsonPropertyName("last_upload")] public long LastUpload { get; init; }
    [JsonPropertyName("directory")] public string Directory { get; init; } = "";
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ServerStateFile))]
internal sealed partial class ServerStateJson : JsonSerializerContext;
