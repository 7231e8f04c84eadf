namespace Backupd.Protocol.Server;

/// <summary>A request line, taken apart once. What is wrong with it is in <see cref="Problem"/>.</summary>
public sealed class Request
{
    /// <summary>The extID as it goes back, as JSON bytes; empty when the request had none.</summary>
    public byte[] ExtId { get; internal set; } = [];

    /// <summary>The command; null when missing or not a string.</summary>
    public string? Command { get; internal set; }

    /// <summary>The token's bytes; empty when missing or not a string.</summary>
    public byte[] Token { get; internal set; } = [];

    /// <summary>The object under <c>data</c> as JSON bytes; <c>{}</c> for a missing, null or other value.</summary>
    public ReadOnlyMemory<byte> Data { get; internal set; } = EmptyData;

    /// <summary>False when <c>data</c> was missing, null or not an object.</summary>
    public bool HasData { get; internal set; }

    /// <summary>The token of a WebSocket's authorization frame, which has no command; null in every other request.</summary>
    public byte[]? Authorization { get; internal set; }

    /// <summary>The shape of its reply.</summary>
    public ReplyEnvelope Envelope { get; internal set; }

    /// <summary>Why the line is refused before it is looked at any further; null when it is a request.</summary>
    public RequestException? Problem { get; internal set; }

    internal static readonly byte[] EmptyData = "{}"u8.ToArray();
}
