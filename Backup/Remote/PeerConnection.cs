using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// A connection to another backupd that has taken the login. Blocks; one thread. Cancelled from any, it ends with the call
/// that is on.
/// </summary>
internal sealed class PeerConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly SslStream _tls;
    private readonly PeerStream _stream;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _onCancel;

    private PeerConnection(Socket socket, SocketStream line, SslStream tls, CancellationToken cancellation)
    {
        _socket = socket;
        _tls = tls;
        _stream = new PeerStream(tls, [], line);
        _cancellation = cancellation;
        _onCancel = cancellation.Register(socket.Dispose);
    }

    /// <summary>Whether chunks need no hash of their file's bytes: the other side holds their content against their
    /// name.</summary>
    internal bool TakesBareChunks { get; private set; }

    /// <summary>Connects, makes sure who answers, and logs in.</summary>
    /// <exception cref="RemoteException">It did not work; says why.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal static PeerConnection Open(PeerAddress address, CancellationToken cancellation) =>
        Guarded(() =>
        {
            Socket socket = Connect(address, cancellation);
            PeerConnection? connection = null;
            try
            {
                SocketStream line = new(socket, ownsSocket: true)
                {
                    ReadTimeout = (int)address.Timeout.TotalMilliseconds,
                    WriteTimeout = (int)address.Timeout.TotalMilliseconds,
                };
                using CancellationTokenRegistration onCancel = cancellation.Register(socket.Dispose);
                SslStream tls = PeerTrust.Authenticate(line, address);
                connection = new PeerConnection(socket, line, tls, cancellation);
                connection.LogIn(address);
                return connection;
            }
            catch
            {
                connection?.Dispose();
                socket.Dispose();
                throw;
            }
        }, cancellation);

    /// <summary>Sends a request; its reply is received later.</summary>
    /// <param name="request">The request.</param>
    /// <param name="payload">What comes with it.</param>
    /// <param name="spend">Called before each piece of that with its length, and may wait; null to send it at once.</param>
    internal void Send(PeerRequest request, ReadOnlySpan<byte> payload = default, Action<int>? spend = null)
    {
        try
        {
            _stream.Write(request, PeerJson.Default.PeerRequest, payload, spend);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw Explained(e);
        }
    }

    /// <summary>Receives the reply to the oldest request that has none.</summary>
    /// <exception cref="RemoteException">It is an error, or there is none.</exception>
    internal PeerReply Receive() => Guarded(() =>
    {
        _stream.Flush();
        PeerReply reply = _stream.Read(PeerJson.Default.PeerReply)
            ?? throw new RemoteException(RemoteFault.Unreachable, "it closed the connection");
        if (PeerErrors.Of(reply) is RemoteException error)
        {
            // What may come with an error is not for this version.
            PeerStream.CheckLength(reply.Payload, PeerLimits.MaxFileBytes);
            _stream.Skip(reply.Payload);
            throw error;
        }
        return reply;
    }, _cancellation);

    /// <summary>Receives what a reply has announced.</summary>
    internal byte[] ReceivePayload(PeerReply reply, int most) =>
        Guarded(() => _stream.ReadPayload(reply.Payload, most), _cancellation);

    /// <summary>The same into given memory, which is long enough for any chunk.</summary>
    internal void ReceivePayload(Memory<byte> payload) => Guarded(() =>
    {
        _stream.ReadPayload(payload.Span);
        return true;
    }, _cancellation);

    /// <summary>Sends a request and receives its reply.</summary>
    internal PeerReply Ask(PeerRequest request, ReadOnlySpan<byte> payload = default)
    {
        Send(request, payload);
        return Receive();
    }

    /// <summary>The same where the answer may be a long work of the other side's disk.</summary>
    internal PeerReply AskPatiently(PeerRequest request, ReadOnlySpan<byte> payload)
    {
        Send(request, payload);
        _stream.PatienceMs = PeerLimits.PatienceMs;
        try
        {
            return Receive();
        }
        finally
        {
            _stream.PatienceMs = 0;
        }
    }

    /// <summary>Names of chunks, one after the other.</summary>
    internal static byte[] BytesOf(IReadOnlyList<ChunkId> ids)
    {
        byte[] bytes = new byte[ids.Count * ChunkId.Size];
        for (int i = 0; i < ids.Count; i++)
        {
            ids[i].CopyTo(bytes.AsSpan(i * ChunkId.Size));
        }
        return bytes;
    }

    /// <summary>The reverse.</summary>
    /// <exception cref="RemoteException">ProtocolBroken: the last one is cut.</exception>
    internal static ChunkId[] IdsOf(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % ChunkId.Size != 0)
        {
            throw new RemoteException(RemoteFault.ProtocolBroken, "the name of a chunk has 32 bytes");
        }
        ChunkId[] ids = new ChunkId[bytes.Length / ChunkId.Size];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = new ChunkId(bytes.Slice(i * ChunkId.Size, ChunkId.Size));
        }
        return ids;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _onCancel.Dispose();
        _tls.Dispose();
        _socket.Dispose();
    }

    private void LogIn(PeerAddress address)
    {
        PeerReply reply = Ask(new PeerRequest
        {
            Command = PeerCommands.Login,
            Version = PeerLimits.Version,
            Login = address.Login,
            Password = address.Password,
            Agent = address.Agent,
        });
        if (reply.Version != PeerLimits.Version)
        {
            throw new RemoteException(
                RemoteFault.Unsupported,
                $"it speaks version {reply.Version} of the peer protocol, this backupd {PeerLimits.Version}");
        }
        TakesBareChunks = reply.BareChunks;
    }

    private static Socket Connect(PeerAddress address, CancellationToken cancellation)
    {
        RemoteException failure = new(RemoteFault.Unreachable, $"{address.Host} has no address");
        foreach (IPAddress each in AddressesOf(address.Host, address.Timeout, cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return Connect(new IPEndPoint(each, address.Port), address.Timeout, cancellation);
            }
            catch (Exception e) when (e is SocketException or TimeoutException)
            {
                failure = new RemoteException(RemoteFault.Unreachable, $"{address} cannot be reached: {e.Message}", e);
            }
        }
        throw failure;
    }

    // A resolver that does not answer takes its own time on a thread of the pool, and is not waited for.
    private static IPAddress[] AddressesOf(string host, TimeSpan timeout, CancellationToken cancellation)
    {
        IAsyncResult asked = Dns.BeginGetHostAddresses(host, null, null);
        int ended = WaitHandle.WaitAny([asked.AsyncWaitHandle, cancellation.WaitHandle], timeout);
        cancellation.ThrowIfCancellationRequested();
        return ended == 0
            ? Dns.EndGetHostAddresses(asked)
            : throw new RemoteException(
                RemoteFault.Unreachable, $"the address of {host} was not found within {timeout.TotalSeconds} s");
    }

    private static Socket Connect(IPEndPoint address, TimeSpan timeout, CancellationToken cancellation)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            using CancellationTokenRegistration onCancel = cancellation.Register(socket.Dispose);
            ConnectInTime(socket, address, timeout);
            NoticeTheDead(socket);
            Socket connected = socket;
            socket = null;
            return connected;
        }
        finally
        {
            socket?.Dispose();
        }
    }

    // The kernel alone would try for two minutes.
    private static void ConnectInTime(Socket socket, IPEndPoint address, TimeSpan timeout)
    {
        socket.Blocking = false;
        try
        {
            socket.Connect(address);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            if (!SocketStream.Poll(socket, SelectMode.SelectWrite, (long)timeout.TotalMilliseconds))
            {
                throw new TimeoutException($"no answer within {timeout.TotalSeconds} s");
            }
            int error = (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            if (error != 0)
            {
                throw new SocketException(error);
            }
        }
        socket.Blocking = true;
    }

    // Two minutes after the other machine has gone away the kernel says so, however long its work is waited for.
    private static void NoticeTheDead(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 75);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
    }

    // What goes wrong on the way, as what it means.
    private static T Guarded<T>(Func<T> work, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            return work();
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is not OperationCanceledException)
        {
            throw new OperationCanceledException(e.Message, e, cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            throw new RemoteException(RemoteFault.Unreachable, Reason(e), e);
        }
    }

    private Exception Explained(Exception e) => _cancellation.IsCancellationRequested
        ? new OperationCanceledException(e.Message, e, _cancellation)
        : new RemoteException(RemoteFault.Unreachable, Reason(e), e);

    private static string Reason(Exception e) => e.InnerException switch
    {
        SocketException { SocketErrorCode: SocketError.TimedOut or SocketError.WouldBlock } => "it was silent for too long",
        SocketException socket => socket.Message,
        _ => e.Message,
    };
}
