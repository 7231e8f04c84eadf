using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Copies a live SQLite database through the online backup API, as one state of it, without a checkpoint and without
/// holding up writers longer than one step.
/// </summary>
/// <remarks>The source is opened by SQLite alone: closing any other descriptor of it in this process would drop SQLite's
/// POSIX locks (https://sqlite.org/howtocorrupt.html, 2.2).</remarks>
internal sealed class SqliteCopy
{
    private const int PagesPerStep = 1024;

    // A database with a rollback journal starts over when another process writes. After this many times it is copied
    // in one step, which holds writers up but ends.
    private const int MaxRestarts = 3;

    private static readonly TimeSpan BusyLimit = TimeSpan.FromSeconds(60);

    private readonly string _source;
    private readonly string _copy;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;

    internal SqliteCopy(string source, string copy, TimeProvider time, CancellationToken cancellation)
    {
        _source = source;
        _copy = copy;
        _time = time;
        _cancellation = cancellation;
    }

    /// <summary>Makes the copy. <paramref name="progress"/> is told pages done and pages in all.</summary>
    /// <exception cref="IOException">With SQLite's reason.</exception>
    internal void Run(Action<long, long> progress)
    {
        nint source = Open(_source, Sqlite.OpenReadOnly);
        try
        {
            LeaveLogAlone(source);
            _ = Sqlite.BusyTimeout(source, 1000);
            bool writeAheadLog = QueryWhenFree(source, "PRAGMA journal_mode") is ["wal"];
            if (writeAheadLog)
            {
                // A read transaction of our own: without it every write of another process restarts the copy.
                Query(source, "BEGIN");
                QueryWhenFree(source, "SELECT count(*) FROM sqlite_schema");
            }
            nint copy = Open(_copy, Sqlite.OpenReadWrite | Sqlite.OpenCreate);
            try
            {
                // The copy is read back and hashed; if the machine dies the run dies with it.
                Query(copy, "PRAGMA synchronous=OFF");
                CopyPages(source, copy, progress);
            }
            finally
            {
                _ = Sqlite.Close(copy);
            }
        }
        finally
        {
            _ = Sqlite.Close(source);
        }
    }

    /// <summary>Runs PRAGMA integrity_check on the copy.</summary>
    /// <returns>"" when it passes, else the first things it found.</returns>
    /// <exception cref="OperationCanceledException">It was interrupted: a large database takes minutes.</exception>
    internal string CheckIntegrity()
    {
        // Nobody else has the copy open, and immutable keeps SQLite from making a log beside it.
        string uri = $"file:{Uri.EscapeDataString(_copy).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1";
        nint copy = Open(uri, Sqlite.OpenReadOnly | Sqlite.OpenUri);
        try
        {
            // Gone before the connection is closed: disposing waits for a call that is on its way.
            using CancellationTokenRegistration interrupt = _cancellation.Register(() => Sqlite.Interrupt(copy));
            List<string> found = Query(copy, "PRAGMA integrity_check(10)");
            return found is ["ok"] ? "" : string.Join("; ", found);
        }
        catch (IOException e)
        {
            _cancellation.ThrowIfCancellationRequested();
            return e.Message;
        }
        finally
        {
            _ = Sqlite.Close(copy);
        }
    }

    private void CopyPages(nint source, nint copy, Action<long, long> progress)
    {
        nint backup = Sqlite.BeginBackup(copy, source);
        if (backup == 0)
        {
            throw Failure(copy);
        }
        int result = Sqlite.Ok;
        try
        {
            int restarts = 0;
            int last = int.MaxValue;
            long busySince = 0;
            while (result != Sqlite.Done)
            {
                _cancellation.ThrowIfCancellationRequested();
                result = Sqlite.BackupStep(backup, restarts < MaxRestarts ? PagesPerStep : -1);
                if (result is Sqlite.Busy or Sqlite.Locked)
                {
                    busySince = busySince == 0 ? _time.GetTimestamp() : busySince;
                    WaitWhileBusy(busySince);
                    continue;
                }
                if (result is not (Sqlite.Ok or Sqlite.Done))
                {
                    break;
                }
                busySince = 0;
                int remaining = Sqlite.BackupRemaining(backup);
                restarts += remaining > last ? 1 : 0;
                last = remaining;
                int pages = Sqlite.BackupPageCount(backup);
                progress(pages - remaining, pages);
            }
        }
        finally
        {
            int finished = Sqlite.BackupFinish(backup);
            result = result == Sqlite.Done ? finished : result;
        }
        if (result != Sqlite.Ok)
        {
            throw Failure(copy);
        }
    }

    private void WaitWhileBusy(long since)
    {
        if (_time.GetElapsedTime(since) > BusyLimit)
        {
            throw new IOException(
                $"{_source} has been locked by another process for {BusyLimit.TotalSeconds} s");
        }
        _cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
    }

    private nint Open(string path, int flags)
    {
        int result = Sqlite.Open(path, out nint database, flags);
        if (result == Sqlite.Ok)
        {
            return database;
        }
        string reason = Sqlite.ErrorText(database);
        _ = Sqlite.Close(database);
        throw new IOException($"cannot open {_source}: {reason}");
    }

    private List<string> Query(nint database, string sql)
    {
        try
        {
            return Sqlite.Query(database, sql);
        }
        catch (IOException e)
        {
            throw new IOException($"{_source}: {e.Message}", e);
        }
    }

    // Another process may hold the database exclusively, for a large change, say; it gets as long as between two steps.
    private List<string> QueryWhenFree(nint database, string sql)
    {
        long busySince = _time.GetTimestamp();
        while (true)
        {
            _cancellation.ThrowIfCancellationRequested();
            try
            {
                return Query(database, sql);
            }
            catch (IOException) when (Sqlite.ErrorCode(database) is Sqlite.Busy or Sqlite.Locked)
            {
                WaitWhileBusy(busySince);
            }
        }
    }

    private IOException Failure(nint copy) => new($"cannot copy {_source}: {Sqlite.ErrorText(copy)}");

    private static unsafe void LeaveLogAlone(nint database)
    {
        int now = 0;
        _ = Sqlite.Configure(database, Sqlite.NoCheckpointOnClose, 1, &now);
    }
}
