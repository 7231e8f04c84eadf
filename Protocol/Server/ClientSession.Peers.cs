using Backupd.Backup.Remote;

namespace Backupd.Protocol.Server;

/// <content>A connection that turns out to be that of another backupd, which brings runs or fetches them.</content>
internal sealed partial class ClientSession
{
    // What came from it, its first line included; null for clients.
    private byte[]? _fromPeer;
    private bool _hasTakenLine;

    // Only as the first line of a connection, and only where nobody on the way can read the password.
    private bool TakePeer(ReadOnlyMemory<byte> line)
    {
        bool isFirst = !_hasTakenLine;
        _hasTakenLine = true;
        if (!isFirst || _context.Vault is null || !_connection.IsEncrypted)
        {
            return false;
        }
        Request request = new();
        RequestReader.Read(line.Span, request);
        if (!Vault.IsLogin(request.Command) || !request.Token.IsEmpty)
        {
            return false;
        }
        _fromPeer = [.. line.Span, .. "\n"u8, .. _received.Unread.Span];
        _received.Take(_received.Count);
        _endAfterReply = true;
        return true;
    }

    // On a thread of its own, which waits for the network and the disk.
    private async Task ServePeerAsync(Vault vault, byte[] begun)
    {
        Volatile.Write(ref _messageEnds, 0);
        Volatile.Write(ref _silenceEnds, 0);
        (Stream stream, SocketStream line) = _connection.PeerStreams(_context.Times.PeerSilence);
        // Of the clients' places, which it needs no more.
        LeaveLongPlace();
        bool listens = await Task.Factory.StartNew(
            () => vault.Serve(stream, line, begun, () => _context.Authenticated(this), _context.Stopping),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (listens)
        {
            await _connection.FinishSendingAsync();
            await LingerAsync();
        }
    }
}
