using System.Text;
using Backupd.Protocol.Http;

namespace Backupd.Protocol.Server;

/// <content>A connection that begins with HTTP: one request, its answer and the end, unless it becomes a WebSocket or a stream of
/// events.</content>
internal sealed partial class ClientSession
{
    // Set with a head whose body is awaited.
    private int _bodyBytes;

    // The head had a good token, which holds whatever the body says.
    private bool _hasHeadToken;

    // True when the head was there, whatever came of it.
    private bool TakeHead()
    {
        bool withBody = !_received.Unread.Span.StartsWith("HEAD "u8);
        try
        {
            HttpHead? head = HttpHead.TryRead(_received.Unread.Span, out int length);
            if (head is null)
            {
                return false;
            }
            _received.Take(length);
            Follow(head, _context.Routes.Find(head, _context.Hosts, _connection.LocalAddress));
        }
        catch (HttpHeadException e)
        {
            _output.AppendRaw(HttpReply.Text(e.Status, e.Message, withBody, e.Fields));
            _isRefused = true;
        }
        catch (RequestException e)
        {
            byte[] error = ReplyWriter.Error(new Request(), e);
            _output.AppendRaw(HttpReply.Json(e.Symbol.Status, error, withBody));
            _isRefused = true;
        }
        return true;
    }

    private void Follow(HttpHead head, HttpRoute route)
    {
        if (route.Action == HttpAction.WebSocket)
        {
            _output.UseFrames(WebSocketHandshake.Answer(head));
            _frames = new WebSocketReader(_received);
            _stage = Stage.Frames;
            return;
        }
        bool withBody = head.Method != "HEAD";
        CheckAccess(head, route);
        switch (route.Action)
        {
            case HttpAction.Call:
                AwaitBody(head);
                break;
            case HttpAction.Events when withBody:
                _stage = Stage.Events;
                bool forBrowsers = head.Accepts("text/event-stream");
                _output.BeginEvents(HttpReply.EventsHead(forBrowsers), forBrowsers);
                _context.Broadcast.Add(this);
                PushProgress();
                break;
            case HttpAction.Events:
                _stage = Stage.Answer;
                _output.AppendRaw(HttpReply.EventsHead(head.Accepts("text/event-stream")));
                break;
            default:
                _stage = Stage.Answer;
                _output.UseHttp();
                _output.Append(HttpReply.Of(AnswerOf(route), withBody), ReplyOrder.Any);
                break;
        }
    }

    // Where the body may bring a token, none in the head is no mistake; a wrong one is.
    private void CheckAccess(HttpHead head, HttpRoute route)
    {
        string? token = head.BearerToken();
        bool isNeeded = route.Access == HttpAccess.Backups || (route.Action == HttpAction.Call && token is not null);
        if (!isNeeded)
        {
            return;
        }
        bool isGood = _access.IsTrusted || _access.Authorize(Encoding.ASCII.GetBytes(token ?? ""));
        if (!isGood || !_access.Admits(default))
        {
            throw new RequestException(ErrorSymbol.Unauthorized, "a valid token is required");
        }
        Trust();
        _hasHeadToken = true;
        if (route.Access == HttpAccess.Backups && !CommandTable.HasBackupAccess(_access.Role))
        {
            throw new RequestException(ErrorSymbol.Permissions, "Session does not have backup access");
        }
    }

    private void AwaitBody(HttpHead head)
    {
        _bodyBytes = head.BodyLength() ?? 0;
        if (_bodyBytes > _maxMessageBytes)
        {
            throw new HttpHeadException(413, $"the body has at most {_maxMessageBytes} bytes");
        }
        _stage = Stage.Body;
        _output.UseHttp();
        if (head.Single("Expect") is not null && _received.Count < _bodyBytes)
        {
            _output.AppendRaw(HttpReply.Continue);
        }
    }

    // Whatever follows the body is not looked at: a connection has one request.
    private bool TakeBody()
    {
        if (_received.Count < _bodyBytes)
        {
            return false;
        }
        Request request = new();
        RequestReader.Read(_received.Unread.Span[.._bodyBytes], request);
        request.Envelope = _context.Envelope;
        if (_hasHeadToken)
        {
            request.SetToken([]);
        }
        _received.Empty();
        LeaveLongPlace();
        _stage = Stage.Answer;
        _isWorking = true;
        _work = WorkAsync(request);
        return true;
    }

    private void RefuseCutBody()
    {
        _output.AppendRaw(HttpReply.Text(400, "the body is shorter than its Content-Length says"));
        _isRefused = true;
    }

    private HttpAnswer AnswerOf(HttpRoute route)
    {
        try
        {
            return route.Answer!();
        }
        catch (Exception e)
        {
            // A bug of ours must not tell a client what is inside.
            _context.Log.Error($"{route.Path}: {e}");
            return HttpAnswer.Text(500, "internal error");
        }
    }

    // A reply of the protocol, in the reply of HTTP that it may be in.
    private void AppendReply(byte[] reply, int status, ReplyOrder order) =>
        _output.Append(_stage is Stage.Body or Stage.Answer ? HttpReply.Json(status, reply) : reply, order);

    private void RefuseStream(WireCommand command)
    {
        if (_stage == Stage.Answer && CommandTable.IsAboutEvents(command))
        {
            throw new RequestException(
                ErrorSymbol.InvalidData, "this connection ends with its reply: events come from GET /events, or over /ws");
        }
    }

    // Until the client is gone or the server stops. Nothing more is received: who has closed only its own side still listens, and
    // who is gone is found out by what is sent.
    private async Task StayAsync()
    {
        while (!_endAfterReply && !_closed.Task.IsCompleted && !_output.IsBroken && !_connection.HasFailed)
        {
            using CancellationTokenSource over = new();
            Task passed = Task.Delay(_context.Times.EventComment, _context.Time, over.Token);
            await Task.WhenAny(_closed.Task, _ending.Task, passed);
            if (passed.IsCompletedSuccessfully)
            {
                _output.AppendComment();
                _output.BeginFlush();
            }
            await over.CancelAsync();
        }
    }
}
