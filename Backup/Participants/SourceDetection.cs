using System.Collections.Immutable;
using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>Tells what a path given to <c>once</c> is.</summary>
public static class SourceDetection
{
    /// <summary>
    /// One participant per path: a directory, an SQLite database (by its header) or a plain file, not critical, named
    /// after the base name.
    /// </summary>
    /// <exception cref="BackupException">InputInvalid: a path is missing, unreadable or of another kind.</exception>
    public static ImmutableArray<ParticipantDefinition> FromPaths(
        IReadOnlyList<string> paths, ImmutableArray<string> excludes)
    {
        HashSet<string> taken = [];
        List<ParticipantDefinition> participants = [];
        foreach (string given in paths)
        {
            string path = Path.GetFullPath(given);
            string trimmed = path.Length > 1 ? path.TrimEnd('/') : path;
            string name = ParticipantName.FromBaseName(trimmed == "/" ? "root" : Path.GetFileName(trimmed), taken);
            taken.Add(name);
            participants.Add(Detect(name, trimmed, excludes));
        }
        return [.. participants.OrderBy(p => p.Name, StringComparer.Ordinal)];
    }

    private static ParticipantDefinition Detect(string name, string path, ImmutableArray<string> excludes)
    {
        if (!Posix.TryStatusFollowing(path, out FileStatus status, out int error))
        {
            throw new BackupException(
                BackupFault.InputInvalid, new PosixException("back up", path, error).Message);
        }
        if (status.IsDirectory)
        {
            // Empty or not: somebody has named it just now.
            return new DirectoryParticipant(name, Critical: false, path) { Excludes = excludes, AllowEmpty = true };
        }
        if (!status.IsRegular)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"cannot back up {path}: it is neither a directory nor a regular file");
        }
        return IsDatabase(path)
            ? new SqliteParticipant(name, Critical: false, path)
            : new FileParticipant(name, Critical: false, path);
    }

    // This process has no connection to the database yet, so opening and closing the file drops no lock of ours.
    private static bool IsDatabase(string path)
    {
        int file = Posix.TryOpenQuietly(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.NonBlock, out int error);
        if (file < 0)
        {
            throw new BackupException(
                BackupFault.InputInvalid, new PosixException("back up", path, error).Message);
        }
        try
        {
            Span<byte> start = stackalloc byte[16];
            return Posix.ReadFully(file, start, 0, path) == start.Length
                && start.SequenceEqual("SQLite format 3\0"u8);
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }
}
