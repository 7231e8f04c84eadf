using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Backupd.Backup.Store;

/// <summary>
/// What <c>PARTICIPANT.snapshot</c> holds: what was backed up and the chunks of its listing. Everything hangs from the
/// SHA-256 of this file, which the run's manifest records. docs/format.md describes the members.
/// </summary>
public sealed record ArtifactFile
{
    internal const string DirectoryKind = "directory";

    private static readonly string[] Kinds = [DirectoryKind, "file", "sqlite", "command"];

    /// <summary>1.</summary>
    [JsonPropertyName("format")] public required int Format { get; init; }

    /// <summary>directory, file, sqlite or command.</summary>
    [JsonPropertyName("kind")] public required string Kind { get; init; }

    /// <summary>The participant's name.</summary>
    [JsonPropertyName("participant")] public required string Participant { get; init; }

    /// <summary>Where it came from: a path, or a command line for people.</summary>
    [JsonPropertyName("source")] public required string Source { get; init; }

    /// <summary>The name that a restore into a directory gives it.</summary>
    [JsonPropertyName("name")] public required string Name { get; init; }

    /// <summary>Unix seconds.</summary>
    [JsonPropertyName("created_at")] public required long CreatedAt { get; init; }

    /// <summary>What was counted.</summary>
    [JsonPropertyName("totals")] public required ArtifactTotals Totals { get; init; }

    /// <summary>Chunks of which the listing uses less than half: the next run stores that part anew. Left out when there are
    /// none.</summary>
    [JsonPropertyName("sparse")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public ImmutableArray<string>? Sparse { get; init; }

    /// <summary>The chunks that hold the listing, in order.</summary>
    [JsonPropertyName("listing")] public required ImmutableArray<ListingChunk> Listing { get; init; }

    internal byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, ArtifactJson.Default.ArtifactFile);

    /// <summary>Reads a file; throws JsonException or BackupException for what is not one.</summary>
    internal static ArtifactFile Parse(ReadOnlySpan<byte> json, string path)
    {
        ArtifactFile? file = JsonSerializer.Deserialize(json, ArtifactJson.Default.ArtifactFile);
        if (file is null || file.Format != BackupStore.FormatVersion)
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                $"{path} has artifact format {file?.Format}; this version of backupd reads {BackupStore.FormatVersion}");
        }
        return file.Problem() is string problem
            ? throw new BackupException(BackupFault.RunDamaged, $"{path} cannot be used: {problem}")
            : file;
    }

    private string? Problem()
    {
        if (!Kinds.Contains(Kind))
        {
            return $"\"{Kind}\" is not a kind of participant";
        }
        // The name of something in the directory that is restored into, and of the root of an archive.
        if (Name.Length == 0 || Name.Contains('/', StringComparison.Ordinal)
            || !ListingEntry.IsUsable(Encoding.UTF8.GetBytes(Name)))
        {
            return $"the artifact of {Participant} wants to be restored as \"{Name}\"";
        }
        if (Listing.IsDefault || Listing.Contains(null!))
        {
            return "its listing is missing, or has a chunk that is null";
        }
        return Totals.IsNegative ? "one of its totals is negative" : null;
    }
}

/// <summary>What an artifact counted. seen = stored + excluded + failed.</summary>
public sealed record ArtifactTotals
{
    /// <summary>Regular files in the listing.</summary>
    [JsonPropertyName("files")] public required long Files { get; init; }

    /// <summary>Directories in the listing.</summary>
    [JsonPropertyName("directories")] public required long Directories { get; init; }

    /// <summary>Content bytes of the files: what a restore gives back.</summary>
    [JsonPropertyName("bytes")] public required long Bytes { get; init; }

    /// <summary>Entries met below the root, the root among them.</summary>
    [JsonPropertyName("seen")] public required long Seen { get; init; }

    /// <summary>Entries in the listing.</summary>
    [JsonPropertyName("stored")] public required long Stored { get; init; }

    /// <summary>Entries left out by a named rule.</summary>
    [JsonPropertyName("excluded")] public required long Excluded { get; init; }

    /// <summary>Entries that could not be read.</summary>
    [JsonPropertyName("failed")] public required long Failed { get; init; }

    /// <summary>Entries that were gone when their turn came; not counted as seen.</summary>
    [JsonPropertyName("vanished")] public required long Vanished { get; init; }

    [JsonIgnore]
    internal bool IsNegative => (Files | Directories | Bytes | Seen | Stored | Excluded | Failed | Vanished) < 0;
}

/// <summary>One chunk of a listing.</summary>
public sealed record ListingChunk
{
    /// <summary>The chunk's name.</summary>
    [JsonPropertyName("chunk")] public required string Chunk { get; init; }

    /// <summary>Its content bytes.</summary>
    [JsonPropertyName("length")] public required long Length { get; init; }

    /// <summary>The size of its file when this listing was made.</summary>
    [JsonPropertyName("stored_size")] public required long StoredSize { get; init; }

    /// <summary>The path of its first line, where that is UTF-8.</summary>
    [JsonPropertyName("first_path")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FirstPath { get; init; }

    /// <summary>The path of its first line in Base64, where it is not UTF-8.</summary>
    [JsonPropertyName("first_path_b64")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public byte[]? FirstPathBase64 { get; init; }
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ArtifactFile))]
internal sealed partial class ArtifactJson : JsonSerializerContext;
