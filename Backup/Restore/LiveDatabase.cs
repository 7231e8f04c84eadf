using Backupd.Backup.Native;
using Backupd.Backup.Participants;

namespace Backupd.Backup.Restore;

/// <summary>
/// A database that other programs may have open. It is written through SQLite alone and in one transaction: whoever reads sees
/// all of the old state or all of the new one, and so does who opens it after a power cut.
/// </summary>
internal sealed class LiveDatabase
{
    // It is not a lock that is waited for: programs keep a database open as long as they run.
    private static readonly TimeSpan OthersLimit = TimeSpan.FromSeconds(5);

    private const int VersionsOffset = 18;
    private const int PageSizeOffset = 16;

    private readonly string _path;
    private readonly SqliteAccess _access;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;

    internal LiveDatabase(string path, TimeProvider time, CancellationToken cancellation)
    {
        _path = path;
        _time = time;
        _cancellation = cancellation;
        _access = new SqliteAccess(path, time, cancellation)
        {
            LockedAdvice = "; stop the program that uses it and repeat",
        };
    }

    /// <summary>Makes it what another database is. Its owner and mode stay, and whether it has a write-ahead log.</summary>
    /// <param name="copy">That database; nobody else has it open, and its header is changed.</param>
    /// <param name="progress">Told pages done and pages in all.</param>
    /// <exception cref="UnusableDatabaseException">What is there is not a database that can be written.</exception>
    /// <exception cref="IOException">It stays locked, or SQLite's reason. Nothing was changed.</exception>
    internal void Become(string copy, Action<long, long> progress)
    {
        nint live = _access.Open(_path, Sqlite.OpenReadWrite);
        try
        {
            // SQLite's own waiting takes a lock that is free for a moment sooner than looking now and then.
            _ = Sqlite.BusyTimeout(live, 500);
            _access.QueryWhenFree(live, "PRAGMA schema_version");
            bool hasLog = _access.QueryWhenFree(live, "PRAGMA journal_mode") is ["wal"];
            // Also syncs the directory when the journal goes, so that a power cut does not bring the old state back.
            _access.Query(live, "PRAGMA synchronous=EXTRA");
            int size = int.Parse(_access.Query(live, "PRAGMA page_size")[0], System.Globalization.CultureInfo.InvariantCulture);
            int wanted = SetLog(copy, hasLog);
            if (hasLog && size != wanted)
            {
                WithoutLog(live, size, wanted, () => Copy(copy, live, progress));
            }
            else
            {
                Copy(copy, live, progress);
            }
        }
        finally
        {
            _ = Sqlite.Close(live);
        }
    }

    private void Copy(string copy, nint live, Action<long, long> progress)
    {
        nint source = _access.OpenImmutable(copy);
        try
        {
            _access.CopyPages(source, live, progress);
        }
        finally
        {
            _ = Sqlite.Close(source);
        }
    }

    // SQLite refuses another page size while there is a log. Without one it takes it, and the header that comes with the
    // pages says in the same transaction that there is a log again.
    private void WithoutLog(nint live, int size, int wanted, Action copy)
    {
        long since = _time.GetTimestamp();
        while (_access.QueryUnlessBusy(live, "PRAGMA journal_mode=DELETE") is not ["delete"])
        {
            _cancellation.ThrowIfCancellationRequested();
            if (_time.GetElapsedTime(since) > OthersLimit)
            {
                throw new IOException(
                    $"{_path} has pages of {size} bytes and its backup has pages of {wanted}, which cannot be changed while "
                    + "other programs have it open; stop them and repeat");
            }
            _cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
        }
        bool isDone = false;
        try
        {
            copy();
            isDone = true;
        }
        finally
        {
            if (!isDone)
            {
                MakeLog(live);
            }
        }
    }

    private void MakeLog(nint live)
    {
        try
        {
            _ = _access.QueryUnlessBusy(live, "PRAGMA journal_mode=WAL");
        }
        catch (IOException)
        {
            // The failure that led here is the one to report. Without a log the database is as good as with one.
        }
    }

    // The two bytes that say how a database is to be written and read: 1 with a rollback journal, 2 with a log. A copy has
    // those of the database that it was made of; nothing else in it depends on them.
    private static int SetLog(string copy, bool hasLog)
    {
        using FileStream file = new(copy, FileMode.Open, FileAccess.ReadWrite);
        Span<byte> size = stackalloc byte[2];
        file.Position = PageSizeOffset;
        file.ReadExactly(size);
        file.Position = VersionsOffset;
        byte version = (byte)(hasLog ? 2 : 1);
        file.Write([version, version]);
        int bytes = (size[0] << 8) | size[1];
        return bytes == 1 ? 65536 : bytes;
    }
}
