using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Backupd.Protocol.Server;

/// <summary>Makes reply lines: <c>extID</c> first, then the payload in the envelope of the request's session.</summary>
internal static class ReplyWriter
{
    /// <summary>A reply whose payload is serialised here.</summary>
    internal static byte[] Reply<T>(Request request, T payload, JsonTypeInfo<T> type) =>
        Reply(request, JsonSerializer.SerializeToUtf8Bytes(payload, type));

    /// <summary>A reply whose payload is a JSON object already.</summary>
    internal static byte[] Reply(Request request, ReadOnlySpan<byte> payload)
    {
        bool hasId = request.ExtId.Length > 0;
        if (request.Envelope == ReplyEnvelope.Wrapped)
        {
            return hasId
                ? [.. "{\"extID\":"u8, .. request.ExtId, .. ",\"status\":200,\"data\":"u8, .. payload, (byte)'}']
                : [.. "{\"status\":200,\"data\":"u8, .. payload, (byte)'}'];
        }
        return hasId ? [.. "{\"extID\":"u8, .. request.ExtId, (byte)',', .. payload[1..]] : payload.ToArray();
    }

    /// <summary>An error reply.</summary>
    internal static byte[] Error(Request request, RequestException error)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter writer = new(buffer);
        writer.WriteStartObject();
        if (request.ExtId.Length > 0)
        {
            writer.WritePropertyName("extID");
            writer.WriteRawValue(request.ExtId, skipInputValidation: true);
        }
        writer.WriteNumber("status", error.Symbol.Status);
        writer.WriteString("error", error.Symbol.Name);
        writer.WriteString("message", error.Message);
        if (error.Detail.Length > 0)
        {
            writer.WriteString("detail", error.Detail);
        }
        if (error.RunId.Length > 0)
        {
            writer.WriteString("run_id", error.RunId);
        }
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
