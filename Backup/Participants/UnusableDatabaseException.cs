using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>SQLite cannot read a database as it is: it is damaged, or none, or a program died in the middle of a change that
/// nobody has taken back yet. Not thrown for one that is only locked or that may not be opened.</summary>
internal sealed class UnusableDatabaseException : IOException
{
    internal UnusableDatabaseException(string message, int code)
        : base(message) => IsBroken = code is Sqlite.Corrupt or Sqlite.NotADatabase;

    /// <summary>It is damaged or no database, so not even writing through SQLite can work.</summary>
    internal bool IsBroken { get; }

    /// <summary>The exception for one of SQLite's result codes.</summary>
    internal static IOException For(int code, string message) =>
        code is Sqlite.Corrupt or Sqlite.NotADatabase or Sqlite.ReadOnlyDatabase
            ? new UnusableDatabaseException(message, code)
            : new IOException(message);
}
