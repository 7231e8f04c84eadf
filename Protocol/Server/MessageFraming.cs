namespace Backupd.Protocol.Server;

/// <summary>How the messages of a session lie among its bytes: as lines, as frames of a WebSocket, or as HTTP
/// has them. Guarded by its
/// owner.</summary>
internal sealed class MessageFraming
{
    private Kind _kind;

    private enum Kind
    {
        Lines,
        BareLines,
        Frames,
        AsIs,
        ServerSentEvents,
    }

    /// <summary>Whether messages are frames of a WebSocket.</summary>
    internal bool IsFrames => _kind == Kind.Frames;

    /// <summary>From now on lines, where messages are lines, end with a bare line feed.</summary>
    internal void UseBareLineFeeds()
    {
        if (_kind == Kind.Lines)
        {
            _kind = Kind.BareLines;
        }
    }

    /// <summary>From now on every message is a frame of a WebSocket.</summary>
    internal void UseFrames() => _kind = Kind.Frames;

    /// <summary>From now on messages bring their own bounds, as the replies of HTTP do.</summary>
    internal void UseNone() => _kind = Kind.AsIs;

    /// <summary>From now on every message is an event: for browsers (server-sent events, as the HTML standard has them), or a
    /// line.</summary>
    internal void UseEvents(bool forBrowsers) => _kind = forBrowsers ? Kind.ServerSentEvents : Kind.BareLines;

    /// <summary>Appends what says nothing, where there is such a thing.</summary>
    internal void WriteComment(OutputBuffer to)
    {
        if (_kind == Kind.ServerSentEvents)
        {
            to.Write(":\n\n"u8);
        }
    }

    /// <summary>Appends a message.</summary>
    internal void Write(OutputBuffer to, ReadOnlySpan<byte> message)
    {
        switch (_kind)
        {
            case Kind.Frames:
                WebSocketFrame.WriteText(to, message);
                break;
            case Kind.Lines or Kind.BareLines:
                to.Write(message);
                EndLine(to);
                break;
            case Kind.AsIs:
                to.Write(message);
                break;
            case Kind.ServerSentEvents:
                to.Write("event: backup.progress\ndata: "u8);
                to.Write(message);
                to.Write("\n\n"u8);
                break;
            default:
                throw new InvalidOperationException($"{_kind} is no framing");
        }
    }

    /// <summary>Appends a reply whose payload is a JSON object already, to lines without a copy of it in between.</summary>
    internal void Write(OutputBuffer to, Request request, ReadOnlySpan<byte> payload)
    {
        if (IsFrames)
        {
            WebSocketFrame.WriteText(to, ReplyWriter.Reply(request, payload));
            return;
        }
        ReplyWriter.Write(to, request, payload);
        EndLine(to);
    }

    private void EndLine(OutputBuffer to) => to.Write(_kind == Kind.BareLines ? "\n"u8 : "\r\n"u8);
}
