using System.Text.Json.Serialization;

namespace Backupd.Backup.Remote;

/// <summary>A request between two backupd: one line of JSON, and after it as many bytes as <see cref="Payload"/> says.
/// docs/peer-protocol.md describes the members.</summary>
internal sealed class PeerRequest
{
    [JsonPropertyName("command")] public string Command { get; init; } = "";
    [JsonPropertyName("version")] public int Version { get; init; }
    [JsonPropertyName("login")] public string? Login { get; init; }
    [JsonPropertyName("password")] public string? Password { get; init; }
    [JsonPropertyName("agent")] public string? Agent { get; init; }
    [JsonPropertyName("run_id")] public string? RunId { get; init; }
    [JsonPropertyName("name")] public string? Name { get; init; }
    [JsonPropertyName("chunk")] public string? Chunk { get; init; }
    [JsonPropertyName("sha256")] public string? Sha256 { get; init; }
    [JsonPropertyName("limit")] public int Limit { get; init; }
    [JsonPropertyName("payload")] public int Payload { get; init; }
}

/// <summary>A reply: one line of JSON, and after it as many bytes as <see cref="Payload"/> says.</summary>
internal sealed class PeerReply
{
    [JsonPropertyName("status")] public int Status { get; init; } = 200;
    [JsonPropertyName("error")] public string? Error { get; init; }
    [JsonPropertyName("message")] public string? Message { get; init; }
    [JsonPropertyName("version")] public int Version { get; init; }
    [JsonPropertyName("agent")] public string? Agent { get; init; }
    [JsonPropertyName("append_only")] public bool AppendOnly { get; init; }
    [JsonPropertyName("bare_chunks")] public bool BareChunks { get; init; }
    [JsonPropertyName("present")] public bool Present { get; init; }
    [JsonPropertyName("sha256")] public string? Sha256 { get; init; }
    [JsonPropertyName("payload")] public int Payload { get; init; }
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(PeerRequest))]
[JsonSerializable(typeof(PeerReply))]
internal sealed partial class PeerJson : JsonSerializerContext;
