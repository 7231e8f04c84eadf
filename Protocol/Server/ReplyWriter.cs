using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Backupd.Protocol.Server;

/// <summary>Makes reply lines: flat, <c>extID</c> first, then the members of the payload.</summary>
internal static class ReplyWriter
{
    private static ReadOnlySpan<byte> Start => "{\"extID\":"u8;

    /// <summary>A reply whose payload is serialised here.</summary>
    internal static byte[] Reply<T>(Request request, T payload, JsonTypeInfo<T> type) =>
        Reply(request, JsonSerializer.SerializeToUtf8Bytes(payload, type));

    /// <summary>A reply whose payload is a JSON object already.</summary>
    internal static byte[] Reply(Request request, ReadOnlySpan<byte> payload)
    {
        byte[] reply = new byte[Length(request, payload)];
        Fill(reply, request, payload);
        return reply;
    }

    private static int Length(Request request, ReadOnlySpan<byte> payload) =>
        payload.Length + (request.ExtId.IsEmpty ? 0 : Start.Length + request.ExtId.Length);

    // Copied piece by piece: a collection expression copies spans byte by byte, which took a sixth of a poll's time.
    private static void Fill(Span<byte> to, Request request, ReadOnlySpan<byte> payload)
    {
        ReadOnlySpan<byte> extId = request.ExtId;
        if (!extId.IsEmpty)
        {
            Start.CopyTo(to);
            extId.CopyTo(to[Start.Length..]);
            to = to[(Start.Length + extId.Length)..];
        }
        payload.CopyTo(to);
        if (!extId.IsEmpty)
        {
            // In the place of the payload's brace.
            to[0] = (byte)',';
        }
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
