using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Participants;

/// <summary>Backs up one participant of any kind into an artifact.</summary>
internal static class ParticipantBackup
{
    /// <summary>Runs on the operation's thread.</summary>
    /// <exception cref="IOException">The participant failed and there is nothing to keep of it.</exception>
    internal static ParticipantOutcome Run(ParticipantDefinition participant, ParticipantContext context) =>
        participant switch
        {
            DirectoryParticipant directory => Run(directory, context),
            FileParticipant file => Run(file, context),
            SqliteParticipant sqlite => Run(sqlite, context),
            CommandParticipant command => Run(command, context),
            _ => throw new ArgumentOutOfRangeException(nameof(participant)),
        };

    /// <summary>What a restore into a directory calls the participant.</summary>
    internal static string RestoreName(ParticipantDefinition participant)
    {
        string path = participant switch
        {
            DirectoryParticipant directory => directory.Root,
            FileParticipant file => file.Path,
            SqliteParticipant sqlite => sqlite.Path,
            _ => participant.Name,
        };
        string name = Path.GetFileName(path.TrimEnd('/'));
        return name.Length > 0 ? name : participant.Name;
    }

    /// <summary>The rules of a directory's walk; the store is never entered.</summary>
    internal static WalkRules RulesOf(DirectoryParticipant directory, BackupStore store) =>
        new(new ExcludeRules(directory.Excludes), directory.OneFileSystem, [Identity(store.Directory)])
        {
            Only = directory.Only,
        };

    private static (ulong Device, ulong Inode) Identity(string path)
    {
        // The directories above a root need not be ones that this process may read.
        using SafeFileHandle handle = Posix.Open(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.PathOnly | Posix.DirectoryOnly);
        FileStatus status = Posix.Status(Posix.Number(handle), path);
        return (status.Device, status.Inode);
    }

    // A store that is asked to hold itself would grow with every run.
    private static void RefuseWithinStore(string root, BackupStore store)
    {
        (ulong, ulong) storeIdentity = Identity(store.Directory);
        (ulong, ulong) last = default;
        // Up to the root, which is its own parent. The kernel resolves each step, links and mounts included.
        for (string path = root; ; path += "/..")
        {
            (ulong, ulong) identity = Identity(path);
            if (identity == storeIdentity)
            {
                throw new IOException($"{root} lies in the backup store {store.Directory}");
            }
            if (identity == last)
            {
                return;
            }
            last = identity;
        }
    }

    private static ParticipantOutcome Run(DirectoryParticipant directory, ParticipantContext context)
    {
        RefuseWithinStore(directory.Root, context.Store);
        if (!directory.AllowEmpty && DirectoryNames.IsEmpty(directory.Root))
        {
            throw new IOException(
                $"{directory.Root} is empty; is its file system mounted? If it may be empty, set allowEmpty");
        }
        using DirectoryBackup backup = new(directory.Root, RulesOf(directory, context.Store), context);
        ArtifactFile artifact = backup.Run(Artifact(directory, context, OneFile(0), []));
        WalkCounts counts = backup.Counts;
        string error = counts.Failed == 0 || directory.UnreadableIsWarning
            ? ""
            : $"{counts.Failed} of {counts.Seen} entries could not be read, the first: {counts.FirstFailure}";
        return Outcome(artifact, error, context, counts);
    }

    private static ParticipantOutcome Run(FileParticipant file, ParticipantContext context)
    {
        WalkCounts counts = new() { Seen = 1 };
        using ArtifactWriter writer = new(context.Pipeline);
        // A symbolic link given as a participant stands for what it points to.
        string real = File.ResolveLinkTarget(file.Path, returnFinalTarget: true)?.FullName ?? file.Path;
        KnownContent known = new(context.Pipeline.Chunks, context.Previous);
        using FileReader reader = new(real, writer, context, counts, known);
        using PreviousListing previous = new(context.Store, context.Previous);
        byte[] path = Posix.Terminated(real);
        if (!Posix.TryStatus(Posix.CurrentDirectory, path, out FileStatus status, out int error))
        {
            throw new PosixException("stat", file.Path, error);
        }
        WalkEntry entry = new([], path, Posix.CurrentDirectory, status);
        ListingEntry? earlier = previous.Find([]);
        if (EntryFacts.IsUnchanged(earlier, status) && known.IsUsable(earlier!))
        {
            writer.Fill(writer.Reserve(), earlier! with { LinkId = "" });
            context.Skip(1, status.Size);
        }
        else if (!status.IsRegular || reader.Store(entry, earlier, link: "") is null)
        {
            throw new IOException(
                counts.FirstFailure.Length > 0 ? counts.FirstFailure : $"{file.Path} is not there, or not a regular file");
        }
        ImmutableArray<ListingChunk> listing = writer.Finish();
        return Outcome(Artifact(file, context, OneFile(writer.Bytes), listing), "", context, counts);
    }

    private static ParticipantOutcome Run(SqliteParticipant sqlite, ParticipantContext context)
    {
        if (context.IsSafety && !File.Exists(sqlite.Path))
        {
            return DatabaseFiles.Store(sqlite, context, "it is not there, only what it has left is");
        }
        try
        {
            return RunCopy(sqlite, context);
        }
        catch (UnusableDatabaseException e) when (context.IsSafety)
        {
            // A backup must be a database. What a restore replaces may be anything, and an undo brings it back.
            return DatabaseFiles.Store(sqlite, context, e.Message);
        }
    }

    private static ParticipantOutcome RunCopy(SqliteParticipant sqlite, ParticipantContext context)
    {
        if (!Posix.TryStatusFollowing(sqlite.Path, out FileStatus status, out int error))
        {
            throw new PosixException("open", sqlite.Path, error);
        }
        string copyPath = Path.Combine(context.TemporaryDirectory, $"{sqlite.Name}.db");
        SqliteCopy copy = new(sqlite.Path, copyPath, context.Time, context.Cancellation);
        try
        {
            // The copy is half of the work and reading it back into the store is the other.
            long told = 0;
            copy.Run((done, pages) =>
            {
                long bytes = pages == 0 ? 0 : status.Size / 2 * done / pages;
                context.Advance(0, Math.Max(0, bytes - told));
                told = Math.Max(told, bytes);
            });
            context.Checking();
            string problem = copy.CheckIntegrity();
            if (problem.Length > 0)
            {
                throw new UnusableDatabaseException($"integrity_check of {sqlite.Path}: {problem}", Sqlite.Corrupt);
            }
            return StoreCopy(sqlite, status, copyPath, told, context);
        }
        finally
        {
            File.Delete(copyPath);
        }
    }

    private static ParticipantOutcome StoreCopy(
        SqliteParticipant sqlite, FileStatus status, string copyPath, long told, ParticipantContext context)
    {
        using ArtifactWriter writer = new(context.Pipeline);
        using StreamedFile content = writer.BeginFile();
        using PreviousListing previous = new(context.Store, context.Previous);
        foreach (Segment segment in previous.Find([])?.Segments ?? [])
        {
            context.Pipeline.Chunks.Expect(segment.Chunk, segment.StoredSize);
        }
        using SafeFileHandle handle = Posix.Open(
            Posix.CurrentDirectory, Posix.Terminated(copyPath), Posix.ReadOnly | Posix.NoFollow);
        int count;
        while ((count = Posix.Read(Posix.Number(handle), content.Space(), copyPath)) > 0)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            content.Advance(count);
            context.BytesRead += count;
            context.Advance(0, count / 2);
            told += count / 2;
        }
        content.Complete();
        ListingEntry entry = EntryFacts.Entry([], status, context.Time.GetUtcNow()) with
        {
            Size = content.Length,
            Racy = false,
        };
        writer.FillStreamed(writer.Reserve(), entry, content);
        context.Advance(1, content.Length - told);
        ImmutableArray<ListingChunk> listing = writer.Finish();
        return Outcome(Artifact(sqlite, context, OneFile(content.Length), listing), "", context, new WalkCounts());
    }

    private static ParticipantOutcome Run(CommandParticipant command, ParticipantContext context)
    {
        using ArtifactWriter writer = new(context.Pipeline);
        using StreamedFile content = writer.BeginFile();
        new CommandBackup(command, context).Run(content);
        content.Complete();
        writer.FillStreamed(
            writer.Reserve(),
            new ListingEntry
            {
                Path = [],
                Type = EntryType.File,
                Mode = 0b110_000_000,
                Uid = Libc.GetEffectiveUserId(),
                Gid = 0,
                Mtime = new FileTime(context.Time.GetUtcNow().ToUnixTimeSeconds(), 0),
                Size = content.Length,
            },
            content);
        context.Advance(1, 0);
        ImmutableArray<ListingChunk> listing = writer.Finish();
        return Outcome(Artifact(command, context, OneFile(content.Length), listing), "", context, new WalkCounts());
    }

    private static ParticipantOutcome Outcome(
        ArtifactFile artifact, string error, ParticipantContext context, WalkCounts counts) =>
        new(artifact, error, context.BytesRead, [.. counts.Warnings], counts.WarningCount);

    private static ArtifactTotals OneFile(long bytes) => new()
    {
        Files = 1,
        Directories = 0,
        Bytes = bytes,
        Seen = 1,
        Stored = 1,
        Excluded = 0,
        Failed = 0,
        Vanished = 0,
    };

    private static ArtifactFile Artifact(
        ParticipantDefinition participant, ParticipantContext context, ArtifactTotals totals,
        ImmutableArray<ListingChunk> listing) => new()
        {
            Format = BackupStore.FormatVersion,
            Kind = participant.Kind,
            Participant = participant.Name,
            Source = participant.Source,
            Name = RestoreName(participant),
            CreatedAt = context.Time.GetUtcNow().ToUnixTimeSeconds(),
            Totals = totals,
            Listing = listing,
        };
}
