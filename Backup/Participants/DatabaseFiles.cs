using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Participants;

/// <summary>
/// The files that an SQLite database is made of, and how they are captured as they are when SQLite cannot read them: before a
/// restore, whatever is there must be kept.
/// </summary>
internal static class DatabaseFiles
{
    /// <summary>What the names of the files beside the database add to its own. They belong to it alone, and beside another
    /// one they would be taken for its own.</summary>
    internal static readonly ImmutableArray<string> Beside = ["-journal", "-shm", "-wal"];

    // The shared memory is made anew out of the log by whoever opens the database.
    private static readonly ImmutableArray<string> Kept = ["", "-journal", "-wal"];

    /// <summary>The path of the database itself: a symbolic link given as a participant stands for what it points to, and
    /// SQLite puts the other files beside that.</summary>
    internal static string RealPath(string path)
    {
        FileSystemInfo? real = File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true) : null;
        return Path.GetFullPath(real?.FullName ?? path);
    }

    /// <summary>Whether there is the database or anything that it has left.</summary>
    internal static bool Exist(string path)
    {
        string real = RealPath(path);
        return Kept.Any(k => File.Exists(real + k));
    }

    /// <summary>Stores the files as a directory that holds nothing else.</summary>
    /// <param name="sqlite">The database.</param>
    /// <param name="context">Of its backup.</param>
    /// <param name="why">Why it is not copied as a database.</param>
    /// <exception cref="IOException">One of them could not be read.</exception>
    internal static ParticipantOutcome Store(SqliteParticipant sqlite, ParticipantContext context, string why)
    {
        string real = RealPath(sqlite.Path);
        string parent = Path.GetDirectoryName(real) ?? "/";
        using SafeFileHandle directory = Posix.OpenDirectory(parent);
        WalkCounts counts = new() { Seen = 1 };
        using ArtifactWriter writer = new(context.Pipeline);
        KnownContent known = new(context.Pipeline.Chunks, previous: null);
        using FileReader reader = new(parent, writer, context, counts, known);
        FileStatus root = Posix.Status(Posix.Number(directory), parent);
        writer.Add(EntryFacts.Entry([], root, context.Time.GetUtcNow()));
        foreach (string name in Kept.Select(k => Path.GetFileName(real) + k))
        {
            byte[] terminated = Posix.Terminated(name);
            if (!Posix.TryStatus(Posix.Number(directory), terminated, out FileStatus status, out int error))
            {
                _ = error == Errno.NoEntry ? error : throw new PosixException("look at", $"{parent}/{name}", error);
                continue;
            }
            counts.Seen++;
            if (!status.IsRegular)
            {
                throw new IOException($"{parent}/{name} is not a regular file");
            }
            reader.Store(
                new WalkEntry(terminated[..^1], terminated, Posix.Number(directory), status), earlier: null, link: "");
        }
        if (counts.Failed > 0)
        {
            throw new IOException(counts.FirstFailure);
        }
        counts.Warn($"{sqlite.Path} was kept file by file, not as a database: {why}");
        ImmutableArray<ListingChunk> listing = writer.Finish();
        ArtifactFile artifact = Artifact(sqlite, parent, context, listing, Totals(writer, counts));
        return new ParticipantOutcome(artifact, "", context.BytesRead, [.. counts.Warnings], counts.WarningCount);
    }

    private static ArtifactTotals Totals(ArtifactWriter writer, WalkCounts counts) => new()
    {
        Files = writer.Files,
        Directories = writer.Directories,
        Bytes = writer.Bytes,
        Seen = counts.Seen,
        Stored = writer.Stored,
        Excluded = 0,
        Failed = 0,
        Vanished = counts.Vanished,
    };

    private static ArtifactFile Artifact(
        SqliteParticipant sqlite, string parent, ParticipantContext context, ImmutableArray<ListingChunk> listing,
        ArtifactTotals totals) => new()
        {
            Format = BackupStore.FormatVersion,
            Kind = ArtifactFile.DirectoryKind,
            Participant = sqlite.Name,
            Source = parent,
            Name = ParticipantBackup.RestoreName(sqlite),
            CreatedAt = context.Time.GetUtcNow().ToUnixTimeSeconds(),
            Totals = totals,
            Listing = listing,
        };
}
