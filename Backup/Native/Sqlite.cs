using System.Runtime.InteropServices;
using System.Text;

namespace Backupd.Backup.Native;

/// <summary>The part of SQLite's C interface that the online backup needs. https://sqlite.org/c3ref/intro.html</summary>
internal static unsafe partial class Sqlite
{
    internal const int Ok = 0;
    internal const int Busy = 5;
    internal const int Locked = 6;
    internal const int ReadOnlyDatabase = 8;
    internal const int Corrupt = 11;
    internal const int NotADatabase = 26;
    internal const int Row = 100;
    internal const int Done = 101;

    internal const int OpenReadOnly = 0x1;
    internal const int OpenReadWrite = 0x2;
    internal const int OpenCreate = 0x4;
    internal const int OpenUri = 0x40;

    /// <summary>SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE: closing the last connection leaves the write-ahead log alone.</summary>
    internal const int NoCheckpointOnClose = 1006;

    private const string Library = "e_sqlite3";

    internal static string ErrorText(nint database) => Marshal.PtrToStringUTF8(ErrorMessage(database)) ?? "unknown error";

    /// <summary>Runs one statement and returns the first column of every row as text.</summary>
    /// <exception cref="IOException">SQLite's message.</exception>
    internal static List<string> Query(nint database, string sql)
    {
        byte[] text = Posix.Terminated(sql);
        nint statement;
        fixed (byte* bytes = text)
        {
            if (Prepare(database, bytes, text.Length, out statement, 0) != Ok)
            {
                throw new IOException(ErrorText(database));
            }
        }
        try
        {
            List<string> rows = [];
            int result;
            while ((result = Step(statement)) == Row)
            {
                rows.Add(Marshal.PtrToStringUTF8(ColumnText(statement, 0)) ?? "");
            }
            return result == Done ? rows : throw new IOException(ErrorText(database));
        }
        finally
        {
            _ = Finalize(statement);
        }
    }

    internal static int Open(string path, out nint database, int flags)
    {
        fixed (byte* name = Posix.Terminated(Encoding.UTF8.GetBytes(path)))
        {
            return OpenV2(name, out database, flags, 0);
        }
    }

    internal static nint BeginBackup(nint destination, nint source)
    {
        fixed (byte* main = "main\0"u8)
        {
            return BackupInit(destination, main, source, main);
        }
    }

    /// <summary>The result code of the call on this database that failed last.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_errcode")]
    internal static partial int ErrorCode(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_close_v2")]
    internal static partial int Close(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_busy_timeout")]
    internal static partial int BusyTimeout(nint database, int milliseconds);

    [LibraryImport(Library, EntryPoint = "sqlite3_db_config")]
    internal static partial int Configure(nint database, int option, int value, int* current);

    /// <summary>Makes what runs on a connection end soon. The only call that another thread may make.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_interrupt")]
    internal static partial void Interrupt(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_backup_step")]
    internal static partial int BackupStep(nint backup, int pages);

    [LibraryImport(Library, EntryPoint = "sqlite3_backup_remaining")]
    internal static partial int BackupRemaining(nint backup);

    [LibraryImport(Library, EntryPoint = "sqlite3_backup_pagecount")]
    internal static partial int BackupPageCount(nint backup);

    [LibraryImport(Library, EntryPoint = "sqlite3_backup_finish")]
    internal static partial int BackupFinish(nint backup);

    [LibraryImport(Library, EntryPoint = "sqlite3_progress_handler")]
    internal static partial void ProgressHandler(
        nint database, int instructions, delegate* unmanaged<nint, int> handler, nint argument);

    [LibraryImport(Library, EntryPoint = "sqlite3_open_v2")]
    private static partial int OpenV2(byte* path, out nint database, int flags, nint vfs);

    [LibraryImport(Library, EntryPoint = "sqlite3_errmsg")]
    private static partial nint ErrorMessage(nint database);

    [LibraryImport(Library, EntryPoint = "sqlite3_backup_init")]
    private static partial nint BackupInit(nint destination, byte* destinationName, nint source, byte* sourceName);

    [LibraryImport(Library, EntryPoint = "sqlite3_prepare_v2")]
    private static partial int Prepare(nint database, byte* sql, int length, out nint statement, nint tail);

    [LibraryImport(Library, EntryPoint = "sqlite3_step")]
    private static partial int Step(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_text")]
    private static partial nint ColumnText(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_finalize")]
    private static partial int Finalize(nint statement);
}
