using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Copies a live SQLite database through the online backup API, as one state of it, without a checkpoint and without
/// holding up writers longer than one step.
/// </summary>
internal sealed class SqliteCopy
{
    private readonly SqliteAccess _access;
    private readonly string _source;
    private readonly string _copy;
    private readonly CancellationToken _cancellation;

    internal SqliteCopy(string source, string copy, TimeProvider time, CancellationToken cancellation)
    {
        _access = new SqliteAccess(source, time, cancellation);
        _source = source;
        _copy = copy;
        _cancellation = cancellation;
    }

    /// <summary>Makes the copy. <paramref name="progress"/> is told pages done and pages in all.</summary>
    /// <exception cref="UnusableDatabaseException">There is no copying it.</exception>
    /// <exception cref="IOException">With SQLite's reason.</exception>
    internal void Run(Action<long, long> progress)
    {
        nint source = _access.Open(_source, Sqlite.OpenReadOnly);
        try
        {
            LeaveLogAlone(source);
            _ = Sqlite.BusyTimeout(source, 1000);
            bool writeAheadLog = _access.QueryWhenFree(source, "PRAGMA journal_mode") is ["wal"];
            if (writeAheadLog)
            {
                // A read transaction of our own: without it every write of another process restarts the copy.
                _access.Query(source, "BEGIN");
                _access.QueryWhenFree(source, "SELECT count(*) FROM sqlite_schema");
            }
            nint copy = _access.Open(_copy, Sqlite.OpenReadWrite | Sqlite.OpenCreate);
            try
            {
                // The copy is read back and hashed; if the machine dies the run dies with it.
                _access.Query(copy, "PRAGMA synchronous=OFF");
                _access.CopyPages(source, copy, progress);
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
        nint copy = _access.OpenImmutable(_copy);
        try
        {
            // Gone before the connection is closed: disposing waits for a call that is on its way.
            using CancellationTokenRegistration interrupt = _cancellation.Register(() => Sqlite.Interrupt(copy));
            List<string> found = _access.Query(copy, "PRAGMA integrity_check(10)");
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

    private static unsafe void LeaveLogAlone(nint database)
    {
        int now = 0;
        _ = Sqlite.Configure(database, Sqlite.NoCheckpointOnClose, 1, &now);
    }
}
