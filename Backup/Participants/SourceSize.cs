using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>How much there is to do: what percentages are made of.</summary>
/// <param name="Entries">File system entries.</param>
/// <param name="Bytes">Content bytes.</param>
internal readonly record struct SourceSize(long Entries, long Bytes)
{
    /// <summary>
    /// Counts a participant. For a directory that is a walk of its own, which runs ahead of the backup's. Null when it
    /// cannot be told beforehand, as for a command.
    /// </summary>
    internal static SourceSize? Measure(
        ParticipantDefinition participant, BackupStore store, CancellationToken cancellation)
    {
        if (ParticipantHooks.HasAny(participant))
        {
            // The source may not be there yet, and a walk over it would be in the way of an unmount.
            return null;
        }
        try
        {
            return participant switch
            {
                DirectoryParticipant directory => Walk(directory, store, cancellation),
                FileParticipant file => One(file.Path),
                SqliteParticipant sqlite => One(sqlite.Path),
                _ => null,
            };
        }
        catch (IOException)
        {
            // The backup itself meets the same obstacle and reports it; here only an estimate is lost.
            return null;
        }
    }

    private static SourceSize? One(string path) =>
        Posix.TryStatusFollowing(path, out FileStatus status, out _) ? new SourceSize(1, status.Size) : null;

    private static SourceSize Walk(
        DirectoryParticipant directory, BackupStore store, CancellationToken cancellation)
    {
        WalkCounts counts = new();
        using DirectoryWalker walker = new(directory.Root, ParticipantBackup.RulesOf(directory, store), counts);
        long entries = 0;
        long bytes = 0;
        while (walker.Next(out WalkEntry entry) && !cancellation.IsCancellationRequested)
        {
            entries++;
            bytes = CappedSum.Add(bytes, entry.Status.IsRegular ? entry.Status.Size : 0);
        }
        return new SourceSize(entries, bytes);
    }
}
