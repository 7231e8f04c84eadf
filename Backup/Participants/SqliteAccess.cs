using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Works on a database that other programs use: asks it, and copies pages out of it or into it, and waits a bounded time while
/// others have it locked. Failures name the database. One thread.
/// </summary>
/// <remarks>Such a database is opened by SQLite alone: closing any other descriptor of it in this process would drop SQLite's
/// POSIX locks (https://sqlite.org/howtocorrupt.html, 2.2).</remarks>
internal sealed class SqliteAccess
{
    private const int PagesPerStep = 1024;

    // A database with a rollback journal starts over when another process writes. After this many times it is copied
    // in one step, which holds writers up but ends.
    private const int MaxRestarts = 3;

    private static readonly TimeSpan BusyLimit = TimeSpan.FromSeconds(60);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;

    internal SqliteAccess(string path, TimeProvider time, CancellationToken cancellation)
    {
        _path = path;
        _time = time;
        _cancellation = cancellation;
    }

    /// <summary>What to do about a lock that does not go away, after a semicolon; "" where that is plain.</summary>
    internal string LockedAdvice { get; init; } = "";

    /// <summary>Opens a file, which need not be the database itself; the caller closes it.</summary>
    internal nint Open(string file, int flags)
    {
        int result = Sqlite.Open(file, out nint database, flags);
        if (result == Sqlite.Ok)
        {
            return database;
        }
        string reason = Sqlite.ErrorText(database);
        _ = Sqlite.Close(database);
        throw UnusableDatabaseException.For(result & 0xFF, $"cannot open {_path}: {reason}");
    }

    /// <summary>Opens a copy that nobody else has open, for reading: SQLite makes no log beside it and takes no lock.</summary>
    internal nint OpenImmutable(string file) =>
        Open(
            $"file:{Uri.EscapeDataString(file).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1",
            Sqlite.OpenReadOnly | Sqlite.OpenUri);

    internal List<string> Query(nint database, string sql)
    {
        try
        {
            return Sqlite.Query(database, sql);
        }
        catch (IOException e)
        {
            throw UnusableDatabaseException.For(Sqlite.ErrorCode(database) & 0xFF, $"{_path}: {e.Message}");
        }
    }

    // Another process may hold the database exclusively, for a large change, say; it gets as long as between two steps.
    internal List<string> QueryWhenFree(nint database, string sql)
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

    /// <summary>The same without waiting; null when others have it locked or open.</summary>
    internal List<string>? QueryUnlessBusy(nint database, string sql)
    {
        try
        {
            return Query(database, sql);
        }
        catch (IOException) when (Sqlite.ErrorCode(database) is Sqlite.Busy or Sqlite.Locked)
        {
            return null;
        }
    }

    /// <summary>Makes one database what another is, in one transaction, which begins with the first step.</summary>
    /// <param name="source">The connection that is read.</param>
    /// <param name="destination">The connection that is written; closed or used by nobody meanwhile.</param>
    /// <param name="progress">Told pages done and pages in all.</param>
    internal void CopyPages(nint source, nint destination, Action<long, long> progress)
    {
        nint backup = Sqlite.BeginBackup(destination, source);
        if (backup == 0)
        {
            throw Failure(destination, Sqlite.ErrorCode(destination));
        }
        int result = Sqlite.Ok;
        try
        {
            result = Step(backup, progress);
        }
        finally
        {
            // Takes back what was not committed.
            int finished = Sqlite.BackupFinish(backup);
            result = result == Sqlite.Done ? finished : result;
        }
        if (result != Sqlite.Ok)
        {
            throw Failure(destination, result);
        }
    }

    /// <summary>Waits a moment.</summary>
    /// <param name="since">When the waiting began.</param>
    /// <exception cref="IOException">It has taken too long.</exception>
    internal void WaitWhileBusy(long since)
    {
        if (_time.GetElapsedTime(since) > BusyLimit)
        {
            throw new IOException($"{_path} has been locked by another process for {BusyLimit.TotalSeconds} s{LockedAdvice}");
        }
        _cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
    }

    private int Step(nint backup, Action<long, long> progress)
    {
        int result = Sqlite.Ok;
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
            // A step that went on has copied a page at least: as much left as before it means that it started over.
            restarts += remaining >= last ? 1 : 0;
            last = remaining;
            int pages = Sqlite.BackupPageCount(backup);
            progress(pages - remaining, pages);
        }
        return result;
    }

    private IOException Failure(nint destination, int code) =>
        UnusableDatabaseException.For(code & 0xFF, $"cannot copy {_path}: {Sqlite.ErrorText(destination)}");
}
