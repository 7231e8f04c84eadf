using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>How far a publish is.</summary>
/// <param name="StepsOver">Steps that are over, well or not.</param>
/// <param name="StepsTotal">Steps in all.</param>
/// <param name="Fraction">The same with the parts of steps that are on, 0 to 1.</param>
/// <param name="Message">What is being done, for people.</param>
/// <param name="Participant">Whose artifact is being sent; "" between.</param>
internal readonly record struct PublishState(int StepsOver, int StepsTotal, double Fraction, string Message, string Participant);

/// <summary>Where the threads of a publish tell how far they are, and where the operation's own thread waits for them. Safe from
/// any thread.</summary>
internal sealed class PublishBoard
{
    private readonly object _changed = new();
    private readonly int _steps;

    // Guarded by _changed. Of each server: the most steps that any attempt has done, and the part of the one that is on.
    private readonly int[] _done;
    private readonly double[] _part;
    private readonly bool[] _isOver;
    private string _message = "";
    private string _participant = "";

    /// <param name="servers">How many.</param>
    /// <param name="steps">Of each.</param>
    internal PublishBoard(int servers, int steps)
    {
        _steps = steps;
        _done = new int[servers];
        _part = new double[servers];
        _isOver = new bool[servers];
    }

    /// <summary>A step begins.</summary>
    internal void Tell(string message, string participant)
    {
        lock (_changed)
        {
            _message = message;
            _participant = participant;
        }
    }

    /// <summary>A server's attempt has done so many steps, and a part of the next.</summary>
    internal void Advance(int server, int done, double part)
    {
        lock (_changed)
        {
            if (done > _done[server] || (done == _done[server] && part > _part[server]))
            {
                _done[server] = done;
                _part[server] = part;
            }
        }
    }

    /// <summary>The steps that any attempt has done.</summary>
    internal int DoneOf(int server)
    {
        lock (_changed)
        {
            return _done[server];
        }
    }

    /// <summary>A server's last attempt has ended.</summary>
    internal void End(int server)
    {
        lock (_changed)
        {
            _isOver[server] = true;
            Monitor.PulseAll(_changed);
        }
    }

    /// <summary>Waits until all have ended.</summary>
    /// <param name="tick">Called about ten times a second meanwhile, and once at the end.</param>
    internal void WaitForAll(Action<PublishState> tick)
    {
        bool areOver;
        do
        {
            PublishState state;
            lock (_changed)
            {
                areOver = Array.TrueForAll(_isOver, o => o);
                if (!areOver)
                {
                    Monitor.Wait(_changed, WorkerPool.TickMs);
                }
                state = Read();
            }
            tick(state);
        }
        while (!areOver);
    }

    private PublishState Read()
    {
        int over = 0;
        double all = 0;
        for (int i = 0; i < _done.Length; i++)
        {
            over += _isOver[i] ? _steps : _done[i];
            all += _isOver[i] ? _steps : Math.Min(_steps, _done[i] + _part[i]);
        }
        int total = _steps * _done.Length;
        return new PublishState(over, total, total == 0 ? 1 : all / total, _message, _participant);
    }
}
