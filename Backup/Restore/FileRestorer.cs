using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What every thread of a restore works with.</summary>
/// <param name="Store">Gives contents.</param>
/// <param name="Overwrite">Whether entries may exist.</param>
/// <param name="Metadata">Sets owners, modes and times.</param>
/// <param name="Tally">Told what was done.</param>
/// <param name="Direct">Decides how files are written.</param>
/// <param name="Cancellation">Stops between chunks.</param>
internal sealed record RestoreSetting(
    BackupStore Store, bool Overwrite, EntryMetadata Metadata, RestoreTally Tally, DirectWrites Direct,
    CancellationToken Cancellation)
{
    /// <summary>Told of each change of a restore in place; null for a restore to a directory of its own.</summary>
    internal ChangeList? Changes { get; init; }
}

/// <summary>
/// Writes entries that are not directories: beside their place, under a name that nobody uses, then renamed. One a thread.
/// </summary>
internal sealed partial class FileRestorer : IDisposable
{
    private const string TemporaryStart = ".backupd-";
    private const int TemporaryDigits = 16;
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);

    private readonly RestoreSetting _setting;
    private readonly ContentReader _content;
    private readonly ExistingEntries _existing;
    private readonly BlockWriter _writer;
    private readonly Action? _tick;
    private readonly string _temporaryStart =
        $"{TemporaryStart}{RandomNumberGenerator.GetHexString(TemporaryDigits, lowercase: true)}-";
    private long _made;

    /// <param name="setting">Of the restore.</param>
    /// <param name="tick">Called after each piece of a file; null on a worker, whose progress others tell.</param>
    internal FileRestorer(RestoreSetting setting, Action? tick = null)
    {
        _setting = setting;
        _tick = tick;
        _content = new ContentReader(setting.Store);
        _existing = new ExistingEntries(_content, setting.Metadata, setting.Tally, setting.Cancellation);
        _writer = new BlockWriter(setting.Direct);
    }

    /// <summary>Makes an entry what was backed up; one that is the same already is left in place. Stored data that is
    /// damaged is noted in the tally, and so is what this process cannot or shall not make; the entry is left as it
    /// was.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="parent">The open directory that holds it.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="display">Its path, for messages.</param>
    /// <param name="beforePlace">Called when all of it is written, before it takes its place, or when it is there
    /// already.</param>
    /// <returns>Whether the entry is there now.</returns>
    internal bool Restore(ListingEntry entry, int parent, byte[] name, string display, Action? beforePlace = null)
    {
        if (SpecialRights.IsDevice(entry) && !_setting.Metadata.PreservesSpecial)
        {
            _setting.Tally.Missing(SpecialRights.DeviceLeftOut(display));
            return false;
        }
        try
        {
            EntryContent.Check(entry);
            if (_setting.Overwrite && _existing.IsSame(entry, parent, name, display))
            {
                beforePlace?.Invoke();
            }
            else
            {
                Replace(entry, parent, name, display, beforePlace);
            }
            _setting.Tally.AddEntry(entry.Type == EntryType.File);
            return true;
        }
        catch (PosixException e) when (IsOfEntry(e.Error, entry))
        {
            // One that is missing must not cost the rest of the tree.
            _setting.Tally.Missing(e.Message);
            return false;
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            // Wrong bytes are never written; the other files are worth having all the same.
            _setting.Tally.Damaged(e);
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _content.Dispose();
        _writer.Dispose();
    }

    /// <summary>Whether a path ends in a name under which files are written before they take their place.</summary>
    internal static bool IsLeftover(ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> name = path[(path.LastIndexOf((byte)'/') + 1)..];
        int end = TemporaryStart.Length + TemporaryDigits;
        return name.Length > end + 1
            && name.StartsWith(".backupd-"u8)
            && !name[TemporaryStart.Length..end].ContainsAnyExcept(HexDigits)
            && name[end] == '-'
            && !name[(end + 1)..].ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }

    private byte[] NextName() => Posix.Terminated(_temporaryStart + (_made++).ToString(CultureInfo.InvariantCulture));

    private void Make(ListingEntry entry, int parent, byte[] name, string display)
    {
        if (entry.Type == EntryType.File)
        {
            WriteFile(entry, parent, name, display);
        }
        else
        {
            MakeNode(entry, parent, name, display);
        }
    }

    private void Replace(ListingEntry entry, int parent, byte[] name, string display, Action? beforePlace)
    {
        byte[] temporary = NextName();
        bool placed = false;
        try
        {
            Make(entry, parent, temporary, display);
            beforePlace?.Invoke();
            Place(entry, parent, temporary, name, display);
            placed = true;
        }
        finally
        {
            if (!placed)
            {
                RemoveQuietly(parent, temporary);
            }
        }
    }

    // Device nodes take a right of their own, and not every file system has all names and sizes.
    private static bool IsOfEntry(int error, ListingEntry entry) =>
        error is Errno.NameTooLong or Errno.FileTooBig or Errno.Overflow
        || (error == Errno.Invalid && entry.Segments.Any(static s => s.IsHole))
        || (error == Errno.Perm && SpecialRights.IsDevice(entry));

    private static void Place(ListingEntry entry, int parent, byte[] temporary, byte[] name, string display)
    {
        try
        {
            Posix.Rename(parent, temporary, parent, name);
        }
        catch (PosixException e) when (e.Error is Errno.IsDirectory or Errno.NotEmpty or Errno.Exists)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{display} is a directory and would become a {ListingLineWriter.TypeText(entry.Type)}; move it away first",
                inner: e);
        }
        catch (PosixException e)
        {
            // Nobody knows the temporary name.
            throw new PosixException($"make the {ListingLineWriter.TypeText(entry.Type)}", display, e.Error);
        }
    }

    private void WriteFile(ListingEntry entry, int parent, byte[] name, string display)
    {
        int file = Posix.TryOpen(
            parent, name, Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow, 0b110_000_000, out int error);
        if (file < 0)
        {
            throw new PosixException("create", display, error);
        }
        bool written = false;
        try
        {
            _writer.Begin(file, entry.Size, display);
            foreach (Segment segment in entry.Segments)
            {
                _setting.Cancellation.ThrowIfCancellationRequested();
                if (segment.IsHole)
                {
                    _writer.Skip(segment.Length);
                }
                else
                {
                    _writer.Write(_content.Read(segment, entry));
                }
                _setting.Tally.AddBytes(segment.Length);
                _tick?.Invoke();
            }
            _writer.End(entry.Size);
            _setting.Metadata.Apply(file, entry, display);
            written = true;
        }
        finally
        {
            if (!written)
            {
                // The first failure is the one to report.
                _ = Libc.Close(file);
            }
        }
        Posix.CloseWritten(file, display);
    }

    private unsafe void MakeNode(ListingEntry entry, int parent, byte[] name, string display)
    {
        int result;
        fixed (byte* path = name)
        {
            switch (entry.Type)
            {
                case EntryType.Symlink:
                    fixed (byte* target = Posix.Terminated(entry.Target))
                    {
                        result = Libc.SymlinkAt(target, parent, path);
                    }
                    break;
                case EntryType.Fifo:
                    result = Libc.MknodAt(parent, path, FileKind.Fifo | 0b110_000_000, 0);
                    break;
                case EntryType.CharDevice:
                case EntryType.BlockDevice:
                    uint kind = entry.Type == EntryType.CharDevice ? FileKind.CharDevice : FileKind.BlockDevice;
                    ulong device = Libc.MakeDevice(entry.DeviceMajor, entry.DeviceMinor);
                    result = Libc.MknodAt(parent, path, kind | 0b110_000_000, device);
                    break;
                case EntryType.File:
                case EntryType.Directory:
                default:
                    throw new ArgumentOutOfRangeException(nameof(entry));
            }
        }
        if (result != 0)
        {
            throw PosixException.Last($"make the {ListingLineWriter.TypeText(entry.Type)}", display);
        }
        _setting.Metadata.ApplyByName(parent, name, entry, display);
    }

    /// <summary>Removes a name that may not exist; there is a better error to report than that of this.</summary>
    internal static unsafe void RemoveQuietly(int parent, byte[] name)
    {
        fixed (byte* path = name)
        {
            _ = Libc.UnlinkAt(parent, path, 0);
        }
    }
}
