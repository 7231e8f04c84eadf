using System.Net.Sockets;

namespace Backupd.Protocol.Server;

/// <summary>
/// The sessions that are open: lets in as many as allowed, sends away those that are overdue, and ends them all. Safe from any
/// thread.
/// </summary>
internal sealed class OpenSessions : IDisposable
{
    private readonly int _most;
    private readonly int _mostUnauthenticated;
    private readonly EventLog _log;
    private readonly TimeProvider _time;
    private readonly TimeSpan _sweepInterval;

    // One timer for all sessions, which runs while there is one: twenty thousand timers would cost more than the look.
    private readonly ITimer _sweeper;

    // Guards everything below.
    private readonly Lock _lock = new();
    private readonly Dictionary<ClientSession, Task> _sessions = [];

    // Those that have not shown who they are, the oldest first.
    private readonly LinkedList<ClientSession> _strangers = [];
    private bool _isSweeping;
    private long _refusalLoggedAt;

    internal OpenSessions(int most, int mostUnauthenticated, EventLog log, TimeProvider time, TimeSpan sweepInterval)
    {
        _most = most;
        _mostUnauthenticated = mostUnauthenticated;
        _log = log;
        _time = time;
        _sweepInterval = sweepInterval;
        _sweeper = time.CreateTimer(_ => Sweep(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How many are open.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _sessions.Count;
            }
        }
    }

    /// <summary>How many have not shown who they are.</summary>
    internal int StrangerCount
    {
        get
        {
            lock (_lock)
            {
                return _strangers.Count;
            }
        }
    }

    /// <summary>How many have neither shown who they are nor sent anything.</summary>
    internal int SilentCount
    {
        get
        {
            lock (_lock)
            {
                return _strangers.Count(s => !s.HasSent);
            }
        }
    }

    /// <summary>Serves a connection, or closes it when there are too many. When strangers have all their places, the oldest of
    /// those that have sent nothing is closed instead: a few that only connect keep nobody out.</summary>
    /// <param name="socket">Connected; owned from now on.</param>
    /// <param name="isTrusted">Its user is known already: strangers that fill their places do not keep it out.</param>
    /// <param name="make">Makes its session; called under a lock.</param>
    internal void Admit(Socket socket, bool isTrusted, Func<Socket, ClientSession> make)
    {
        bool isTaken;
        ClientSession? silent;
        lock (_lock)
        {
            isTaken = HasPlace(isTrusted, out silent);
            if (isTaken)
            {
                LeaveStrangers(silent);
                Begin(make(socket), isTrusted);
            }
        }
        if (silent is not null)
        {
            silent.Close();
            LogRefusal($"a connection that had sent nothing was closed for another: {_mostUnauthenticated} are without a token");
        }
        if (!isTaken)
        {
            socket.Dispose();
            LogRefusal($"a connection was refused: {_most} are open, or {_mostUnauthenticated} without a token");
        }
    }

    /// <summary>A session's client has shown who it is. Called again, it changes nothing.</summary>
    internal void Authenticated(ClientSession session)
    {
        lock (_lock)
        {
            LeaveStrangers(session);
        }
    }

    /// <summary>Asks all to end and waits for them; those that do not read are not waited for longer than the grace.</summary>
    internal async Task EndAsync(TimeSpan grace)
    {
        ClientSession[] sessions;
        Task ended;
        lock (_lock)
        {
            sessions = [.. _sessions.Keys];
            ended = Task.WhenAll(_sessions.Values);
        }
        foreach (ClientSession session in sessions)
        {
            session.End();
        }
        await Task.WhenAny(ended, Task.Delay(grace, _time));
        foreach (ClientSession session in sessions)
        {
            session.Close();
        }
        await ended;
    }

    /// <summary>Logs a connection that was not taken, at most once a minute: a flood must not fill the disk with its own
    /// log.</summary>
    internal void LogRefusal(string text)
    {
        lock (_lock)
        {
            if (_refusalLoggedAt != 0 && _time.GetElapsedTime(_refusalLoggedAt) < TimeSpan.FromMinutes(1))
            {
                return;
            }
            _refusalLoggedAt = _time.GetTimestamp();
        }
        _log.Warning(text);
    }

    /// <inheritdoc/>
    public void Dispose() => _sweeper.Dispose();

    // Whether there is a place, if need be that of a silent stranger.
    private bool HasPlace(bool isTrusted, out ClientSession? silent)
    {
        silent = null;
        if (_sessions.Count >= _most)
        {
            return false;
        }
        if (isTrusted || _strangers.Count < _mostUnauthenticated)
        {
            return true;
        }
        silent = _strangers.FirstOrDefault(s => !s.HasSent);
        return silent is not null;
    }

    private void Begin(ClientSession session, bool isTrusted)
    {
        session.AmongStrangers = isTrusted ? null : _strangers.AddLast(session);
        _sessions.Add(session, Task.CompletedTask);
        _sessions[session] = ServeAsync(session);
        if (!_isSweeping)
        {
            _isSweeping = true;
            _sweeper.Change(_sweepInterval, _sweepInterval);
        }
    }

    private void LeaveStrangers(ClientSession? session)
    {
        if (session?.AmongStrangers is LinkedListNode<ClientSession> place)
        {
            _strangers.Remove(place);
            session.AmongStrangers = null;
        }
    }

    private async Task ServeAsync(ClientSession session)
    {
        // The caller holds the lock and has to let go of it first.
        await Task.Yield();
        try
        {
            await session.RunAsync();
        }
        catch (Exception e)
        {
            _log.Error($"a session ended badly: {e}");
        }
        finally
        {
            Authenticated(session);
            session.Dispose();
            lock (_lock)
            {
                _sessions.Remove(session);
            }
        }
    }

    private void Sweep()
    {
        List<ClientSession>? overdue = null;
        List<ClientSession>? expired = null;
        int inTheWay = 0;
        long now = _time.GetTimestamp();
        lock (_lock)
        {
            foreach (ClientSession session in _sessions.Keys)
            {
                bool isInTheWay = session.IsInTheWay(now);
                inTheWay += isInTheWay ? 1 : 0;
                if (isInTheWay || session.IsOverdue(now))
                {
                    (overdue ??= []).Add(session);
                }
                else if (session.IsExpired)
                {
                    (expired ??= []).Add(session);
                }
            }
            if (_sessions.Count == 0)
            {
                _isSweeping = false;
                _sweeper.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
        // Without a word: who was silent or slow for too long does not listen either.
        overdue?.ForEach(s => s.Close());
        expired?.ForEach(s => s.Expire());
        if (inTheWay > 0)
        {
            LogRefusal($"{inTheWay} connections that did not read were closed: replies for them had taken the memory for all");
        }
    }
}
