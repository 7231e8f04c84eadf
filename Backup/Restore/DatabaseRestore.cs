using Backupd.Backup.Participants;

namespace Backupd.Backup.Restore;

/// <summary>Gives an SQLite database back in place.</summary>
internal sealed class DatabaseRestore(SqliteParticipant database, InPlaceItem item, InPlaceContext context)
{
    /// <summary>Restores, or tells what would be done.</summary>
    internal RestoreFigures Run() => throw new IOException($"{database.Path} {item.Work} {context.IsDryRun}");
}
