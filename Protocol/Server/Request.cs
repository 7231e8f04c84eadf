namespace Backupd.Protocol.Server;

/// <summary>
/// A request line, taken apart once. What is wrong with it is in <see cref="Problem"/>. An object may be read into again
/// once its request is answered: it keeps its buffers, so that a poll costs no memory.
/// </summary>
public sealed class Request
{
    internal static readonly byte[] EmptyData = "{}"u8.ToArray();

    // Larger ones are let go of when the next request is read.
    private const int MaxKeptBytes = 1024;

    private byte[] _extId = [];
    private int _extIdLength;
    private byte[] _token = [];
    private int _tokenLength;

    /// <summary>The extID as it goes back, as JSON bytes; empty when the request had none.</summary>
    public ReadOnlySpan<byte> ExtId => _extId.AsSpan(0, _extIdLength);

    /// <summary>The command; null when missing or not a string.</summary>
    public string? Command { get; internal set; }

    /// <summary>The token's bytes; empty when missing or not a string.</summary>
    public ReadOnlySpan<byte> Token => _token.AsSpan(0, _tokenLength);

    /// <summary>The object under <c>data</c> as JSON bytes; <c>{}</c> for a missing, null or other value.</summary>
    public ReadOnlyMemory<byte> Data { get; internal set; } = EmptyData;

    /// <summary>False when <c>data</c> was missing, null or not an object.</summary>
    public bool HasData { get; internal set; }

    /// <summary>The token of a WebSocket's authorization frame, which has no command; null in every other request.</summary>
    public byte[]? Authorization { get; internal set; }

    /// <summary>The shape of its reply.</summary>
    public ReplyEnvelope Envelope { get; internal set; }

    /// <summary>How much memory it holds.</summary>
    internal int Bytes => _extIdLength + _tokenLength + Data.Length + (Authorization?.Length ?? 0);

    /// <summary>Why the line is refused before it is looked at any further; null when it is a request.</summary>
    public RequestException? Problem { get; internal set; }

    /// <summary>Forgets what was read.</summary>
    internal void Clear()
    {
        _extId = _extId.Length > MaxKeptBytes ? [] : _extId;
        _extIdLength = 0;
        _token = _token.Length > MaxKeptBytes ? [] : _token;
        _tokenLength = 0;
        Command = null;
        Data = EmptyData;
        HasData = false;
        Authorization = null;
        Envelope = default;
        Problem = null;
    }

    /// <summary>Copies an extID in.</summary>
    internal void SetExtId(ReadOnlySpan<byte> json) => _extIdLength = Copy(json, ref _extId, 24);

    /// <summary>Copies a token in.</summary>
    internal void SetToken(ReadOnlySpan<byte> token) => _tokenLength = Copy(token, ref _token, 0);

    private static int Copy(ReadOnlySpan<byte> from, ref byte[] to, int least)
    {
        if (to.Length < from.Length)
        {
            to = new byte[Math.Max(from.Length, least)];
        }
        from.CopyTo(to);
        return from.Length;
    }
}
