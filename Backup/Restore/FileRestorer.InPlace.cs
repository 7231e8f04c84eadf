using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <content>Files that take the place of live ones.</content>
internal sealed partial class FileRestorer
{
    /// <summary>Makes some files what they were. What fails is noted in the tally and left as it was, and the others go on;
    /// only what no file would survive, like a full disk, is thrown.</summary>
    /// <remarks>All are written beside their places, made durable together, and then renamed: after a power cut too, each
    /// is the old or the new one.</remarks>
    /// <returns>Whether all are what they were.</returns>
    internal bool RestoreInPlace(IReadOnlyList<PendingFile> files)
    {
        List<(PendingFile File, byte[] Temporary)> written = [];
        int placed = 0;
        bool isAll = true;
        try
        {
            foreach (PendingFile file in files)
            {
                _setting.Cancellation.ThrowIfCancellationRequested();
                isAll &= Attempt(() => Prepare(file, written), _setting.Tally);
            }
            SyncReplacements(written);
            for (; placed < written.Count; placed++)
            {
                (PendingFile file, byte[] temporary) = written[placed];
                if (!Attempt(() => PlaceInPlace(file, temporary), _setting.Tally))
                {
                    RemoveQuietly(file.Parent.File, temporary);
                    isAll = false;
                }
            }
            return isAll;
        }
        finally
        {
            foreach ((PendingFile file, byte[] temporary) in written.Skip(placed))
            {
                RemoveQuietly(file.Parent.File, temporary);
            }
        }
    }

    /// <summary>Gives a file one more name, in place of what has that name now.</summary>
    /// <param name="holder">The open directory of its first name.</param>
    /// <param name="first">Its first name there, ended with a 0.</param>
    /// <param name="file">The name to be.</param>
    /// <returns>False when the file system makes no such links.</returns>
    internal unsafe bool TryLinkInPlace(int holder, byte[] first, PendingFile file)
    {
        byte[] temporary = NextName();
        fixed (byte* old = first)
        fixed (byte* link = temporary)
        {
            if (Libc.LinkAt(holder, old, file.Parent.File, link, 0) != 0)
            {
                return false;
            }
        }
        try
        {
            if (file.Present is not null && Libc.SyncFs(file.Parent.File) != 0)
            {
                // Its content may have been written just now, and what it replaces is on the disk.
                throw PosixException.Last("sync", file.Display);
            }
            PlaceInPlace(file, temporary);
        }
        finally
        {
            // Also after a rename that did nothing, because both names are of one file already.
            RemoveQuietly(file.Parent.File, temporary);
        }
        return true;
    }

    /// <summary>Gives an entry, whose content is right, the owner, mode, times and attributes that it had.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    /// <exception cref="BackupException">InputInvalid: it is not what the safety run holds.</exception>
    internal void Adjust(ListingEntry wanted, ListingEntry present, int parent, byte[] name, string display)
    {
        if (wanted.Type != EntryType.File)
        {
            RefuseUncaptured(present, parent, name, display);
            _setting.Metadata.ApplyByName(parent, name, wanted, display);
            return;
        }
        int file = Posix.TryOpen(parent, name, Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0, out int error);
        if (file < 0)
        {
            throw new PosixException("open", display, error);
        }
        try
        {
            RefuseUncaptured(present, parent, name, display);
            _setting.Metadata.Apply(file, wanted, display);
        }
        finally
        {
            // Nothing was written to it.
            _ = Libc.Close(file);
        }
    }

    /// <summary>Does something that may fail for one entry alone, and notes that.</summary>
    /// <returns>Whether it was done.</returns>
    internal static bool Attempt(Action work, RestoreTally tally)
    {
        try
        {
            work();
            return true;
        }
        catch (PosixException e) when (!IsForAll(e.Error))
        {
            tally.Missing(e.Message);
        }
        catch (BackupException e) when (e.Fault is BackupFault.RunDamaged)
        {
            // Wrong bytes are never written.
            tally.Damaged(e);
        }
        catch (BackupException e) when (e.Fault is BackupFault.InputInvalid)
        {
            tally.Missing(e.Message);
        }
        return false;
    }

    /// <summary>Refuses to take away what the safety run does not hold.</summary>
    /// <param name="present">What it holds; null for nothing.</param>
    /// <param name="parent">The open directory.</param>
    /// <param name="name">The name there.</param>
    /// <param name="display">The path, for messages.</param>
    /// <exception cref="BackupException">InputInvalid.</exception>
    internal static void RefuseUncaptured(ListingEntry? present, int parent, byte[] name, string display)
    {
        if (!Posix.TryStatus(parent, name, out FileStatus now, out int error))
        {
            // What is gone needs no saving.
            _ = error == Errno.NoEntry ? error : throw new PosixException("look at", display, error);
            return;
        }
        if (now.Kind == FileKind.Socket)
        {
            // The address of a program: no backup holds one, and there is nothing in it to keep.
            return;
        }
        if (present is null)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{display} is there and the safety run does not hold it (it is excluded by the configuration, on another "
                + "file system, or new), so it was left as it is");
        }
        if (!EntryFacts.IsWhatWasCaptured(present, now))
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{display} was changed after the safety run had captured it, so it was left as it is; repeat the restore");
        }
    }

    // A restore may reach into several file systems, and each is synced by itself.
    private static void SyncReplacements(List<(PendingFile File, byte[] Temporary)> written)
    {
        IEnumerable<PendingFile> firsts = written.Select(w => w.File).Where(f => f.Present is not null)
            .DistinctBy(f => f.Parent).DistinctBy(f => Posix.Status(f.Parent.File, f.Display).Device);
        foreach (PendingFile file in firsts)
        {
            if (Libc.SyncFs(file.Parent.File) != 0)
            {
                throw PosixException.Last("sync", file.Display);
            }
        }
    }

    private void Prepare(PendingFile file, List<(PendingFile, byte[])> written)
    {
        if (file.Present is not null && _existing.IsSame(file.Entry, file.Parent.File, file.Name, file.Display))
        {
            // Told as it was decided: a file may have lost its other names by now, for they were written before.
            _setting.Changes!.Add(file.Kind, file.Display);
            return;
        }
        EntryContent.Check(file.Entry);
        byte[] temporary = NextName();
        bool isMade = false;
        try
        {
            Make(file.Entry, file.Parent.File, temporary, file.Display);
            isMade = true;
        }
        finally
        {
            if (!isMade)
            {
                RemoveQuietly(file.Parent.File, temporary);
            }
        }
        written.Add((file, temporary));
    }

    private void PlaceInPlace(PendingFile file, byte[] temporary)
    {
        RefuseUncaptured(file.Present, file.Parent.File, file.Name, file.Display);
        Place(file.Entry, file.Parent.File, temporary, file.Name, file.Display);
        _setting.Changes!.Add(file.Kind, file.Display);
        _setting.Tally.AddEntry(file.Entry.Type == EntryType.File);
    }

    // After these nothing else can be written either, or nothing that was written can be relied on.
    private static bool IsForAll(int error) =>
        error is Errno.NoSpace or Errno.Io or Errno.ReadOnly or Errno.QuotaExceeded;
}
