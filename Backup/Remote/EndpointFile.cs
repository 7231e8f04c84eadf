using System.Text.Json;
using System.Text.Json.Serialization;

namespace Backupd.Backup.Remote;

/// <summary>What <c>state/endpoints.json</c> holds.</summary>
internal sealed class EndpointFile
{
    [JsonPropertyName("endpoints")] public required Endpoint[] Endpoints { get; init; }

    internal static byte[] ToBytes(Endpoint[] endpoints) =>
        JsonSerializer.SerializeToUtf8Bytes(new EndpointFile { Endpoints = endpoints }, EndpointJson.Default.EndpointFile);

    /// <summary>Reads it, and looks at each endpoint: whoever wrote to it by hand is told of mistakes.</summary>
    /// <param name="json">The bytes of the file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <exception cref="BackupException">StoreInvalid.</exception>
    internal static Endpoint[] Parse(ReadOnlySpan<byte> json, string path)
    {
        try
        {
            Endpoint[] endpoints = JsonSerializer.Deserialize(json, EndpointJson.Default.EndpointFile)?.Endpoints
                ?? throw new JsonException("it holds null");
            for (int i = 0; i < endpoints.Length; i++)
            {
                EndpointRules.CheckMembers(endpoints[i] ?? throw new JsonException("an endpoint is null"));
                if (Array.FindIndex(endpoints, e => e?.Name == endpoints[i].Name) != i)
                {
                    throw new JsonException($"{endpoints[i].Name} stands twice");
                }
            }
            return endpoints;
        }
        catch (Exception e) when (e is JsonException or BackupException)
        {
            throw new BackupException(
                BackupFault.StoreInvalid,
                $"the list of endpoints, {path}, is damaged: {e.Message}; mend it, or remove it to begin a new one", inner: e);
        }
    }
}

/// <summary>The generated serialiser of <see cref="EndpointFile"/>. A member that is not known is refused: dropping it would
/// lose what a later version wrote.</summary>
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(EndpointFile))]
internal sealed partial class EndpointJson : JsonSerializerContext;
