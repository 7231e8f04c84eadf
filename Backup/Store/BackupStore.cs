using System.Text.Json;
using System.Text.Json.Serialization;

namespace Backupd.Backup.Store;

/// <summary>A store directory: what the wire and the documents call <c>backups/</c>.</summary>
/// <remarks>Holds no file open and may be shared by threads. docs/format.md describes what lies in it.</remarks>
public sealed class BackupStore
{
    /// <summary>The version of store, manifests and artifacts that this program writes, and the only one it reads.</summary>
    public const int FormatVersion = 1;

    private const string ConfigurationName = "store.json";

    private BackupStore(string directory) => Directory = directory;

    /// <summary>The absolute path of the store.</summary>
    public string Directory { get; }

    /// <summary>What tells this store from every other.</summary>
    public string Uuid { get; private set; } = "";

    /// <summary>Runs that ended as completed or partial.</summary>
    public string CompletedDirectory => Path.Combine(Directory, "completed");

    /// <summary>Runs that ended otherwise, kept for their record.</summary>
    public string FailedDirectory => Path.Combine(Directory, "failed");

    /// <summary>The run that is on.</summary>
    public string RunningDirectory => Path.Combine(Directory, ".running");

    /// <summary>The safety runs of restores: the state from before each.</summary>
    public string SafetyDirectory => Path.Combine(Directory, "pre-restore");

    /// <summary>The records of restores in place.</summary>
    public string RestoresDirectory => Path.Combine(Directory, "restores");

    /// <summary>What was deleted and is not unlinked yet.</summary>
    public string TrashDirectory => Path.Combine(Directory, "trash");

    /// <summary>Small facts outside the runs, the run counter among them.</summary>
    public string StateDirectory => Path.Combine(Directory, "state");

    /// <summary>Chunks of every run.</summary>
    public string ChunksDirectory => Path.Combine(Directory, "chunks");

    /// <summary>When the store was made, Unix seconds: its <c>store.json</c> is written once. Disk.</summary>
    internal long CreatedAtUnix() =>
        new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(Directory, ConfigurationName))).ToUnixTimeSeconds();

    internal string LockPath => Path.Combine(Directory, "lock");

    /// <summary>Opens a store; makes it when the directory is missing or empty.</summary>
    /// <exception cref="BackupException">StoreInvalid or Io.</exception>
    public static BackupStore OpenOrCreate(string directory)
    {
        BackupStore store = new(Path.GetFullPath(directory));
        try
        {
            if (!File.Exists(Path.Combine(store.Directory, ConfigurationName)))
            {
                store.Create();
            }
            store.CheckFormat();
            store.MakeDirectories();
            return store;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"cannot open the store {store.Directory}: {e.Message}", inner: e);
        }
    }

    /// <summary>Opens a store that must exist; writes nothing.</summary>
    /// <exception cref="BackupException">StoreInvalid or Io.</exception>
    public static BackupStore Open(string directory)
    {
        BackupStore store = new(Path.GetFullPath(directory));
        try
        {
            store.CheckFormat();
            return store;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BackupException(
                BackupFault.StoreInvalid,
                $"{store.Directory} is not a backupd store: it has no {ConfigurationName}; name the directory that "
                + "was given to --to or that the configuration calls store");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"cannot open the store {store.Directory}: {e.Message}", inner: e);
        }
    }

    /// <summary>Whether a directory says that it is a store.</summary>
    internal static bool IsAt(string directory) => File.Exists(Path.Combine(directory, ConfigurationName));

    /// <summary>Makes sure that a store may be begun in a directory that is no store.</summary>
    /// <exception cref="BackupException">StoreInvalid: something else is in it.</exception>
    internal static void DemandEmpty(string directory)
    {
        string? other = System.IO.Directory.EnumerateFileSystemEntries(directory)
            .FirstOrDefault(p => Path.GetFileName(p) is not (ConfigurationName + ".tmp" or "lost+found"));
        if (other is not null)
        {
            throw new BackupException(
                BackupFault.StoreInvalid,
                $"{directory} is neither empty nor a backupd store (it holds {Path.GetFileName(other)}); "
                + "name an empty or a new directory");
        }
    }

    /// <summary>The directory of chunks whose name begins with a byte.</summary>
    internal static string ChunkPath(string chunksDirectory, ChunkId id)
    {
        string name = id.ToString();
        return $"{chunksDirectory}/{name.AsSpan(0, 2)}/{name}";
    }

    private void Create()
    {
        if (System.IO.Directory.Exists(Directory))
        {
            DemandEmpty(Directory);
        }
        else
        {
            System.IO.Directory.CreateDirectory(Directory, DirectoryMode);
        }
        StoreConfiguration configuration = new()
        {
            Format = FormatVersion,
            Uuid = Guid.NewGuid().ToString(),
            Id = "sha256",
            Compression = "zstd",
            Chunker = new ChunkerConfiguration
            {
                Name = "fastcdc",
                MinBytes = Chunker.MinBytes,
                AverageBytes = Chunker.AverageBytes,
                MaxBytes = Chunker.MaxBytes,
            },
        };
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(configuration, StoreJson.Default.StoreConfiguration);
        DurableFile.Write(Path.Combine(Directory, ConfigurationName), json);
    }

    private void CheckFormat()
    {
        string path = Path.Combine(Directory, ConfigurationName);
        StoreConfiguration? configuration;
        try
        {
            configuration = JsonSerializer.Deserialize(
                File.ReadAllBytes(path), StoreJson.Default.StoreConfiguration);
        }
        catch (JsonException e)
        {
            throw new BackupException(
                BackupFault.StoreInvalid, $"{path} is damaged: {e.Message}", inner: e);
        }
        if (configuration is null || configuration.Format != FormatVersion)
        {
            throw new BackupException(
                BackupFault.StoreInvalid,
                $"{Directory} has store format {configuration?.Format}; this version of backupd reads format "
                + $"{FormatVersion}; use a newer backupd");
        }
        string? unknown = configuration.FirstUnknown();
        if (unknown is not null)
        {
            throw new BackupException(
                BackupFault.StoreInvalid,
                $"{path} says {unknown}, which no backupd of format {FormatVersion} writes: the file is damaged; put it "
                + "right by hand as docs/format.md shows it");
        }
        Uuid = configuration.Uuid;
    }

    /// <summary>Makes the directories that are missing, as those that are empty are when tools have copied a store.</summary>
    internal void MakeDirectories()
    {
        foreach (string directory in (string[])
            [ChunksDirectory, RunningDirectory, CompletedDirectory, FailedDirectory, TrashDirectory, StateDirectory])
        {
            System.IO.Directory.CreateDirectory(directory, DirectoryMode);
        }
    }

    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
}

/// <summary>store.json.</summary>
internal sealed class StoreConfiguration
{
    [JsonPropertyName("format")] public required int Format { get; init; }
    [JsonPropertyName("uuid")] public required string Uuid { get; init; }
    [JsonPropertyName("id")] public required string Id { get; init; }
    [JsonPropertyName("compression")] public required string Compression { get; init; }
    [JsonPropertyName("chunker")] public required ChunkerConfiguration Chunker { get; init; }

    /// <summary>The first member with a value that this version does not know, as <c>member value</c>; null when there is
    /// none. All but the uuid have one value in format 1: names and cuts by another rule would share nothing.</summary>
    internal string? FirstUnknown() =>
        !Guid.TryParseExact(Uuid, "D", out _) ? $"uuid {Uuid}"
        : Id != "sha256" ? $"id {Id}"
        : Compression != "zstd" ? $"compression {Compression}"
        : Chunker.Name != "fastcdc" ? $"chunker {Chunker.Name}"
        : Chunker.MinBytes != Store.Chunker.MinBytes ? $"min_bytes {Chunker.MinBytes}"
        : Chunker.AverageBytes != Store.Chunker.AverageBytes ? $"average_bytes {Chunker.AverageBytes}"
        : Chunker.MaxBytes != Store.Chunker.MaxBytes ? $"max_bytes {Chunker.MaxBytes}"
        : null;
}

/// <summary>The chunker's parameters in store.json.</summary>
internal sealed class ChunkerConfiguration
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("min_bytes")] public required int MinBytes { get; init; }
    [JsonPropertyName("average_bytes")] public required int AverageBytes { get; init; }
    [JsonPropertyName("max_bytes")] public required int MaxBytes { get; init; }
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StoreConfiguration))]
internal sealed partial class StoreJson : JsonSerializerContext;
