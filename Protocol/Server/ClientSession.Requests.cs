namespace Backupd.Protocol.Server;

/// <summary>How a session handles its requests: one after the other, each checked in the order of the protocol.</summary>
internal sealed partial class ClientSession
{
    private void Take(ReadOnlyMemory<byte> message)
    {
        Request request = _spare ?? new Request();
        _spare = null;
        RequestReader.Read(message.Span, request);
        request.Envelope = _context.Envelope;
        // Only this loop begins work, so none begins meanwhile.
        if (!_isWorking && request is { Command: nameof(WireCommand.GetBackupProgress), Problem: null })
        {
            Poll(request);
            _spare = request;
            return;
        }
        lock (_requests)
        {
            if (_isWorking)
            {
                LetWait(request);
                return;
            }
            _isWorking = true;
        }
        // Runs to its end here when the answer is at hand.
        _work = WorkAsync(request);
    }

    // Under the lock of requests.
    private void LetWait(Request request)
    {
        _waiting ??= new Queue<Request>();
        int most = _context.Waiting.MostOnOne;
        if (_waiting.Count < ProtocolLimits.MaxWaitingRequests && _waitingBytes + request.Bytes <= most)
        {
            _waiting.Enqueue(request);
            CountWaiting(request.Bytes);
            return;
        }
        string much = _waiting.Count == ProtocolLimits.MaxWaitingRequests
            ? $"{ProtocolLimits.MaxWaitingRequests} requests wait on this session already"
            : $"requests that wait on this session have at most {most} bytes";
        _output.Append(ReplyWriter.Error(request, new RequestException(ErrorSymbol.TooFrequent, much)), ReplyOrder.Any);
    }

    // Under the lock of requests.
    private void CountWaiting(int bytes)
    {
        _waitingBytes += bytes;
        _context.Waiting.Add(bytes);
    }

    // Nothing to wait for and nothing to make: the snapshot's bytes go from where they are kept to where they are sent.
    private void Poll(Request request)
    {
        try
        {
            Check(request);
            _output.Append(request, _context.Feed.PolledObject().Span);
        }
        catch (RequestException e)
        {
            _output.Append(ReplyWriter.Error(request, e), ReplyOrder.Any);
        }
    }

    private async Task WorkAsync(Request first)
    {
        bool isAlone = false;
        for (Request? request = first; request is not null; request = NextRequest())
        {
            ValueTask handling = HandleAsync(request);
            // Once something had to be waited for, the receive loop has moved on and flushes no more for us.
            isAlone |= !handling.IsCompleted;
            await handling;
            Task sent = isAlone ? _output.FlushAsync() : Task.CompletedTask;
            LeaveLongReplies();
            if (isAlone)
            {
                await sent;
                // Somebody else may be sending, to a client that does not read: no more replies are made for it meanwhile.
                await _output.WaitForRoomAsync();
                if (_endAfterReply)
                {
                    // The receive loop waits for more; it must notice that nothing more is taken.
                    _connection.StopReceiving();
                }
            }
        }
    }

    private Request? NextRequest()
    {
        lock (_requests)
        {
            Request? next = null;
            _isWorking = _waiting is not null && _waiting.TryDequeue(out next);
            CountWaiting(-(next?.Bytes ?? 0));
            return next;
        }
    }

    private async ValueTask HandleAsync(Request request)
    {
        if (_frames is not null && request is { Authorization: not null, Command: null, Problem: null })
        {
            Authorize(request.Authorization);
            return;
        }
        ReplyOrder order = ReplyOrder.Any;
        int status = 200;
        byte[] reply;
        try
        {
            WireCommand command = Check(request);
            if (CommandTable.HasLongReply(command) && !await EnterLongRepliesAsync())
            {
                // The connection was closed meanwhile.
                return;
            }
            bool isFetched = CommandTable.IsFetched(command);
            if (isFetched)
            {
                // A server that does not answer must not keep the place from others. It was waited for all the same, so that no
                // more is fetched than can be held.
                LeaveLongReplies();
            }
            reply = await _context.Dispatcher.DispatchAsync(command, request, _access.Who, _access.Role);
            if (isFetched && !await EnterLongRepliesAsync())
            {
                return;
            }
            order = OrderOf(command);
        }
        catch (RequestException e)
        {
            reply = ReplyWriter.Error(request, e);
            status = e.Symbol.Status;
            order = e.HadProgress ? ReplyOrder.AfterProgress : ReplyOrder.Any;
        }
        catch (Exception e)
        {
            // A bug of ours must not end the session, nor tell a client what is inside.
            _context.Log.Error($"{request.Command}: {e}");
            reply = ReplyWriter.Error(request, new RequestException(ErrorSymbol.Internal, "internal error"));
            status = ErrorSymbol.Internal.Status;
        }
        AppendReply(reply, status, order);
        if (order == ReplyOrder.BeginsSubscription)
        {
            _context.Broadcast.Add(this);
            PushProgress();
        }
        else if (order == ReplyOrder.EndsSubscription)
        {
            _context.Broadcast.Remove(this);
        }
    }

    private async ValueTask<bool> EnterLongRepliesAsync() =>
        _makesLongReply = await _context.Unsent.EnterAsync(_closed.Task);

    private void LeaveLongReplies()
    {
        if (_makesLongReply)
        {
            _makesLongReply = false;
            _context.Unsent.Leave();
        }
    }

    // The order of these checks is part of the protocol.
    private WireCommand Check(Request request)
    {
        if (request.Problem is not null)
        {
            throw request.Problem;
        }
        if (!_access.Admits(request.Token))
        {
            EndIfTooManyBadTokens();
            throw new RequestException(ErrorSymbol.Unauthorized, "a valid token is required");
        }
        Trust();
        if (request.Command is null)
        {
            throw new RequestException(ErrorSymbol.InvalidData, "command is missing or not a string");
        }
        if (!CommandTable.TryFind(request.Command, out WireCommand command))
        {
            throw new RequestException(ErrorSymbol.InvalidMethod, "there is no such command");
        }
        if (!CommandTable.IsAllowed(command, _access.Role))
        {
            throw new RequestException(ErrorSymbol.Permissions, "Session does not have backup access");
        }
        RefuseStream(command);
        return command;
    }

    private static ReplyOrder OrderOf(WireCommand command) => command switch
    {
        WireCommand.StartFullBackup or WireCommand.StartRestoreRun or WireCommand.ImportRemoteBackupRun
            or WireCommand.PublishBackupRun => ReplyOrder.AfterProgress,
        WireCommand.Subscribe or WireCommand.SubscribeAll => ReplyOrder.BeginsSubscription,
        WireCommand.Unsubscribe or WireCommand.UnsubscribeAll => ReplyOrder.EndsSubscription,
        WireCommand.GetBackupProgress or WireCommand.StopBackupServer or WireCommand.GetBackupRuns or WireCommand.GetBackupRun
            or WireCommand.ValidateBackupRun or WireCommand.DeleteBackupRun or WireCommand.GetBackupParticipants
            or WireCommand.GetServerInfo or WireCommand.PruneBackupRuns or WireCommand.SetMaintenance
            or WireCommand.GetRestoreRuns or WireCommand.GetRestoreRun
            or WireCommand.GetBackupConfig or WireCommand.AddBackupConfig or WireCommand.UpdateBackupConfig
            or WireCommand.DeleteBackupConfig or WireCommand.GetRemoteBackupRuns
            or WireCommand.DeleteRemoteBackupRun => ReplyOrder.Any,
        _ => throw new ArgumentOutOfRangeException(nameof(command)),
    };

    // A browser's way to show its token once: a dialect of the WebSocket, answered by an event and not by a reply.
    private void Authorize(byte[] token)
    {
        if (_access.Authorize(token))
        {
            Trust();
            _output.Append("{\"event\":\"authorization\",\"success\":true}"u8, ReplyOrder.Any);
            return;
        }
        EndIfTooManyBadTokens();
        _output.Append(
            "{\"event\":\"authorization\",\"success\":false,\"error\":\"INVALID_TOKEN\"}"u8, ReplyOrder.Any);
    }

    private void EndIfTooManyBadTokens()
    {
        if (_access.BadTokens >= ProtocolLimits.MaxBadTokens)
        {
            _farewell = WebSocketStatus.PolicyViolation;
            _endAfterReply = true;
        }
    }

    private void Trust()
    {
        if (_maxMessageBytes != ProtocolLimits.MaxLineBytes)
        {
            _maxMessageBytes = ProtocolLimits.MaxLineBytes;
            Volatile.Write(ref _silenceEnds, 0);
            _context.Authenticated(this);
        }
    }
}
