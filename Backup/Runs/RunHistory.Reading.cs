using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>The thread that looks at the disk.</content>
public sealed partial class RunHistory
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    // What adding and taking away has missed is found within a day.
    private static readonly TimeSpan MeasureEvery = TimeSpan.FromHours(24);

    // Measuring may take this part of the time, and no more: a store of millions of chunks takes minutes.
    private const int MeasureShare = 10;

    // Of the thread alone.
    private long _seen;
    private long _measuredAt;
    private TimeSpan _measureTook;
    private bool _isTroubleTold;

    private void Loop()
    {
        // It competes with nobody, neither for the processor nor for the disk.
        Niceness.YieldToOthers();
        try
        {
            do
            {
                Look();
            }
            while (Sleep());
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private void Wake()
    {
        lock (_gate)
        {
            _isWoken = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <returns>False when it is time to stop.</returns>
    private bool Sleep()
    {
        _alarm.Change(Pause, Timeout.InfiniteTimeSpan);
        lock (_gate)
        {
            while (!_isWoken && !_isStopping)
            {
                Monitor.Wait(_gate);
            }
            _isWoken = false;
            return !_isStopping;
        }
    }

    private void ThrowIfStopping()
    {
        if (Volatile.Read(ref _isStopping))
        {
            throw new OperationCanceledException();
        }
    }

    private void Look()
    {
        try
        {
            LookAround();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Everything, as below: a disk that answers with errors may do so anywhere.
            Fail(e);
        }
        TellTrouble();
    }

    private void LookAround()
    {
        // What is free where an unmounted store was is free for something else.
        long free = BackupStore.IsAt(Store.Directory) ? StoreSize.Free(Store) : -1;
        lock (_gate)
        {
            _freeBytes = free;
            _current = Make();
        }
        long stamp = Stamp();
        if (stamp != _seen || Volatile.Read(ref _isReadDue))
        {
            ReadAgain();
            _seen = stamp;
        }
        if (IsTimeToMeasure())
        {
            Measure();
        }
    }

    // Changes when a run comes or goes, and with records of validations, endpoints and servers: five looks a minute.
    private long Stamp()
    {
        long stamp = 17;
        foreach (string directory in (string[])
            [
                Store.CompletedDirectory, Store.FailedDirectory, Store.StateDirectory,
                Path.Combine(Store.StateDirectory, "servers"), new RunValidations(Store).Place,
            ])
        {
            stamp = (stamp * 31) + Directory.GetLastWriteTimeUtc(directory).Ticks;
        }
        return stamp;
    }

    /// <summary>Reads what the disk tells, and again when something has changed meanwhile.</summary>
    private void ReadAgain()
    {
        try
        {
            while (!TryRead())
            {
                ThrowIfStopping();
            }
        }
        catch (OperationCanceledException) when (Thread.CurrentThread != _thread)
        {
            // The daemon stops, and whoever has changed something goes on with that.
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Everything: what is shown to people who watch must end neither the daemon nor the operation that has changed
            // something. What was known stays, and the disk is read again in a minute.
            Fail(e);
        }
    }

    private void Fail(Exception e)
    {
        lock (_gate)
        {
            _isReadDue = true;
            _problem = $"the store cannot be looked through: {e.Message}";
            _current = Make();
        }
    }

    private void TellTrouble()
    {
        string problem;
        lock (_gate)
        {
            problem = _problem.Length > 0 ? _problem : _serversProblem;
        }
        if (problem.Length > 0 != _isTroubleTold)
        {
            _isTroubleTold = problem.Length > 0;
            Trouble?.Invoke(problem);
        }
    }

    private bool TryRead()
    {
        long changes;
        RunId? ended;
        lock (_gate)
        {
            changes = _changes;
            ended = _ended;
        }
        StoredHistory found = StoredHistory.Read(
            _catalog, _endpoints, _participants(), ended, _time.GetUtcNow(), ThrowIfStopping);
        lock (_gate)
        {
            if (_changes != changes)
            {
                return false;
            }
            TakeServers(found);
            _stored = found;
            _isKnown = true;
            _problem = "";
            _current = Make();
        }
        return true;
    }

    // Under the gate.
    private void TakeServers(StoredHistory found)
    {
        // They are tried again in a minute: a file that was mended in place shows that to nobody.
        _serversProblem = found.ServersProblem;
        _isReadDue = found.ServersProblem.Length > 0;
        if (_isReadDue)
        {
            found.Servers = _stored.Servers;
            return;
        }
        foreach (string name in found.Servers.Keys.ToArray())
        {
            // An older run that was sent later takes nothing away.
            long made = found.Servers[name];
            found.Servers[name] = made > 0 ? Math.Max(made, _stored.Servers.GetValueOrDefault(name)) : 0;
        }
    }

    private bool IsTimeToMeasure()
    {
        if (_measuredAt == 0)
        {
            return true;
        }
        TimeSpan since = _time.GetElapsedTime(_measuredAt);
        return since >= MeasureEvery || (Volatile.Read(ref _isMeasureDue) && since >= _measureTook * MeasureShare);
    }

    private void Measure()
    {
        long began = _time.GetTimestamp();
        try
        {
            long changes;
            lock (_gate)
            {
                changes = _changes;
                _isMeasureDue = false;
            }
            long bytes = StoreSize.Measure(Store, ThrowIfStopping);
            lock (_gate)
            {
                _storeBytes = bytes;
                // Something came or went meanwhile, and may have been counted or not.
                _isMeasureDue |= _changes != changes;
                _current = Make();
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Everything, as above. A directory may have gone in between: another try, in a minute.
            Volatile.Write(ref _isMeasureDue, true);
        }
        _measuredAt = _time.GetTimestamp();
        _measureTook = _time.GetElapsedTime(began);
    }
}
