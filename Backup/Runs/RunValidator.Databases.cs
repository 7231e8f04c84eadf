using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Runs;

/// <content>Databases, which SQLite checks in a copy.</content>
internal sealed partial class RunValidator
{
    /// <summary>How the names of directories of the trash begin in which databases are checked.</summary>
    internal const string ScratchPrefix = "validate-";

    private void CheckDatabase(ArtifactFile artifact)
    {
        DirectoryInfo scratch = MakeScratch();
        try
        {
            string path = Path.Combine(scratch.FullName, "copy.db");
            if (!TryWriteCopy(artifact, path))
            {
                // Its bytes are those of the copy that was checked when it was made: they have just been hashed.
                Unread.Add(artifact.Participant);
                return;
            }
            string problem = new SqliteCopy("", path, _time, _cancellation).CheckIntegrity();
            if (problem.Length > 0)
            {
                throw new BackupException(BackupFault.RunDamaged, $"integrity_check: {problem}");
            }
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    /// <summary>The databases for whose copy there was no room. Their bytes were validated like those of others.</summary>
    internal List<string> Unread { get; } = [];

    private bool TryWriteCopy(ArtifactFile artifact, string path)
    {
        try
        {
            WriteCopy(artifact, path);
            return true;
        }
        catch (PosixException e) when (e.Error is Errno.NoSpace or Errno.QuotaExceeded)
        {
            return false;
        }
    }

    // Holes stay holes: one that a listing invents must not fill the disk.
    private void WriteCopy(ArtifactFile artifact, string path)
    {
        using ListingReader reader = new(_catalog.Store, artifact);
        using ContentReader content = new(_catalog.Store);
        using BlockWriter writer = new(new DirectWrites());
        using SafeFileHandle copy = Posix.Open(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.WriteOnly | Posix.Create | Posix.Exclusive, 0b110_000_000);
        foreach (ListingEntry entry in reader.Tree())
        {
            writer.Begin(Posix.Number(copy), entry.Size, path);
            foreach (Segment segment in entry.Segments)
            {
                _cancellation.ThrowIfCancellationRequested();
                if (segment.IsHole)
                {
                    writer.Skip(segment.Length);
                }
                else
                {
                    writer.Write(content.Read(segment, entry));
                }
            }
            writer.End(entry.Size);
        }
    }

    private DirectoryInfo MakeScratch()
    {
        try
        {
            // In the trash, which is emptied of it at the next start should this process be killed meanwhile.
            return Directory.CreateDirectory(
                Path.Combine(_catalog.Store.TrashDirectory, $"{ScratchPrefix}{Guid.NewGuid():N}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A store that can only be read can be validated all the same.
            return Directory.CreateTempSubdirectory("backupd-validate-");
        }
    }
}
