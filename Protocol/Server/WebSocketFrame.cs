using System.Buffers.Binary;

namespace Backupd.Protocol.Server;

/// <summary>Writes frames as a server sends them: whole and unmasked (RFC 6455, 5.2).</summary>
internal static class WebSocketFrame
{
    private const byte LastText = 0x81;
    private const byte LastClose = 0x88;
    private const byte LastPong = 0x8a;

    /// <summary>A text message.</summary>
    internal static void WriteText(OutputBuffer output, ReadOnlySpan<byte> text) => Write(output, LastText, text);

    /// <summary>A pong.</summary>
    internal static void WritePong(OutputBuffer output, ReadOnlySpan<byte> payload) => Write(output, LastPong, payload);

    /// <summary>A close without a text; without a code when there is none.</summary>
    internal static void WriteClose(OutputBuffer output, WebSocketStatus status)
    {
        Span<byte> code = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(code, (ushort)status);
        Write(output, LastClose, status == WebSocketStatus.None ? [] : code);
    }

    private static void Write(OutputBuffer output, byte first, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = stackalloc byte[10];
        header[0] = first;
        int length = 2;
        if (payload.Length < 126)
        {
            header[1] = (byte)payload.Length;
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            header[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)payload.Length);
            length = 4;
        }
        else
        {
            header[1] = 127;
            BinaryPrimitives.WriteUInt64BigEndian(header[2..], (ulong)payload.Length);
            length = 10;
        }
        output.Write(header[..length]);
        output.Write(payload);
    }
}
