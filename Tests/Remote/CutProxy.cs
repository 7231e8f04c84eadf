using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>What a proxy does to one connection. Bytes are counted from its beginning, each way by itself.</summary>
internal sealed record ProxyPlan
{
    /// <summary>Passes everything.</summary>
    public static ProxyPlan Through { get; } = new();

    /// <summary>Ends the connection when so many bytes have passed towards the server.</summary>
    public long? CutUp { get; init; }

    /// <summary>Ends the connection when so many bytes have passed towards the client.</summary>
    public long? CutDown { get; init; }

    /// <summary>Ends it as a crash of the machine in between would: both sides get a reset.</summary>
    public bool Resets { get; init; }

    /// <summary>From so many bytes towards the server on, nothing passes either way, and nobody is told.</summary>
    public long? StallUp { get; init; }

    /// <summary>The byte towards the server that is not what was sent.</summary>
    public long? FlipUp { get; init; }

    /// <summary>The byte towards the client that is not what was sent.</summary>
    public long? FlipDown { get; init; }

    /// <summary>The most that passes towards the server in a second; 0 for no limit.</summary>
    public int BytesPerSecond { get; init; }

    /// <summary>The most that passes towards the client in a second; 0 for no limit.</summary>
    public int BytesPerSecondDown { get; init; }
}

/// <summary>A TCP proxy on the loopback that counts what passes and does to it what a bad line does.</summary>
internal sealed class CutProxy : IAsyncDisposable
{
    private const int MaxConnections = 64;
    private const int TicksPerSecond = 100;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;
    private long _up;
    private long _down;
    private int _cuts;
    private int _flips;
    private int _connections;
    private int _open;

    /// <param name="target">Where it leads.</param>
    /// <param name="isNarrow">Whether it takes little ahead, so that what it has not passed yet waits at the client.</param>
    public CutProxy(IPEndPoint target, bool isNarrow = false)
    {
        Target = target;
        if (isNarrow)
        {
            // What is accepted has it from the listener.
            _listener.Server.ReceiveBufferSize = 32 * 1024;
        }
        _listener.Start();
        Address = (IPEndPoint)_listener.LocalEndpoint;
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect.</summary>
    public IPEndPoint Address { get; }

    /// <summary>Where it leads; a server that is begun again has another port.</summary>
    public IPEndPoint Target { get; set; }

    /// <summary>What is done to a connection, by its number since the last <c>Begin</c>.</summary>
    public Func<int, ProxyPlan> Plan { get; private set; } = _ => ProxyPlan.Through;

    /// <summary>Bytes that passed towards the server since the last <c>Begin</c>.</summary>
    public long Up => Interlocked.Read(ref _up);

    /// <summary>Bytes that passed towards the client.</summary>
    public long Down => Interlocked.Read(ref _down);

    /// <summary>Connections that were ended here.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Bytes that were changed.</summary>
    public int Flips => Volatile.Read(ref _flips);

    /// <summary>Connections that were accepted.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Does something else from the next connection on, and counts anew.</summary>
    public void Begin(Func<int, ProxyPlan> plan)
    {
        Plan = plan;
        Interlocked.Exchange(ref _up, 0);
        Interlocked.Exchange(ref _down, 0);
        Interlocked.Exchange(ref _cuts, 0);
        Interlocked.Exchange(ref _flips, 0);
        Interlocked.Exchange(ref _connections, 0);
    }

    /// <summary>The same for every connection.</summary>
    public void Begin(ProxyPlan plan) => Begin(_ => plan);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await Deadline.Of(_accepting, "the proxy to end");
        await Deadline.Until(() => Volatile.Read(ref _open) == 0, "the proxy has no connection");
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync(_end.Token);
                if (Interlocked.Increment(ref _open) > MaxConnections)
                {
                    client.Dispose();
                    Interlocked.Decrement(ref _open);
                    continue;
                }
                Line line = new(this, client, Plan(Interlocked.Increment(ref _connections) - 1));
                _ = line.PassAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private sealed class Line : IDisposable
    {
        private readonly CutProxy _proxy;
        private readonly ProxyPlan _plan;
        private readonly Socket _client;
        private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private readonly CancellationTokenSource _end;

        public Line(CutProxy proxy, Socket client, ProxyPlan plan)
        {
            _proxy = proxy;
            _client = client;
            _plan = plan;
            _end = CancellationTokenSource.CreateLinkedTokenSource(proxy._end.Token);
            _end.CancelAfter(Deadline.Long);
        }

        public async Task PassAsync()
        {
            try
            {
                _client.NoDelay = true;
                await _server.ConnectAsync(_proxy.Target, _end.Token);
                await Task.WhenAll(PumpAsync(_client, _server, isUp: true), PumpAsync(_server, _client, isUp: false));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Cut, or one side has gone: the other one is told below.
            }
            finally
            {
                Dispose();
                Interlocked.Decrement(ref _proxy._open);
            }
        }

        public void Dispose()
        {
            if (_plan.Resets)
            {
                _client.LingerState = new LingerOption(true, 0);
                _server.LingerState = new LingerOption(true, 0);
            }
            _client.Dispose();
            _server.Dispose();
            _end.Dispose();
        }

        private async Task PumpAsync(Socket from, Socket to, bool isUp)
        {
            long? cut = isUp ? _plan.CutUp : _plan.CutDown;
            long? flip = isUp ? _plan.FlipUp : _plan.FlipDown;
            int perSecond = isUp ? _plan.BytesPerSecond : _plan.BytesPerSecondDown;
            using PeriodicTimer tick = new(TimeSpan.FromSeconds(1.0 / TicksPerSecond));
            byte[] buffer = new byte[perSecond > 0 ? Math.Max(1, perSecond / TicksPerSecond) : 16 * 1024];
            Stopwatch clock = Stopwatch.StartNew();
            long passed = 0;
            try
            {
                while (true)
                {
                    // By the clock and not by the ticks: a busy machine drops some, and the line would be slower than it is.
                    while (perSecond > 0 && passed > clock.Elapsed.TotalSeconds * perSecond)
                    {
                        await tick.WaitForNextTickAsync(_end.Token);
                    }
                    int count = await from.ReceiveAsync(buffer, _end.Token);
                    if (count == 0)
                    {
                        to.Shutdown(SocketShutdown.Send);
                        return;
                    }
                    if (isUp && passed + count > _plan.StallUp)
                    {
                        await new TaskCompletionSource().Task.WaitAsync(_end.Token);
                    }
                    if (flip - passed is long at && at >= 0 && at < count)
                    {
                        buffer[at] ^= 0x40;
                        Interlocked.Increment(ref _proxy._flips);
                    }
                    int keep = (int)Math.Min(count, (cut ?? long.MaxValue) - passed);
                    await to.SendAsync(buffer.AsMemory(0, keep), _end.Token);
                    passed += keep;
                    Interlocked.Add(ref isUp ? ref _proxy._up : ref _proxy._down, keep);
                    if (passed == cut)
                    {
                        Interlocked.Increment(ref _proxy._cuts);
                        await _end.CancelAsync();
                        return;
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Half a connection is none.
                await _end.CancelAsync();
            }
        }
    }
}
