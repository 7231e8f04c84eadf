using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Writes a listing's entries below a directory. Works on open directories only: a parent is the very directory that
/// this writer made or opened without following a link, so no listing and no one on the machine can lead it outside.
/// </summary>
internal sealed class TreeWriter : IDisposable
{
    private readonly int _target;
    private readonly string _root;
    private readonly byte[] _rootName;
    private readonly bool _overwrite;
    private readonly ContentReader _content;
    private readonly RestoreTally _tally;
    private readonly CancellationToken _cancellation;
    private readonly EntryMetadata _metadata;
    private readonly ExistingEntries _existing;
    private readonly Stack<OpenDirectory> _open = new();
    private readonly Dictionary<string, byte[]> _links = [];

    /// <param name="target">The open directory that receives the tree.</param>
    /// <param name="root">The path of the tree to be; its last component is its name in <paramref name="target"/>.</param>
    /// <param name="overwrite">Whether entries may exist.</param>
    /// <param name="content">Gives file contents.</param>
    /// <param name="tally">Told what was done.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    internal TreeWriter(
        int target, string root, bool overwrite, ContentReader content, RestoreTally tally,
        CancellationToken cancellation)
    {
        _target = target;
        _root = root;
        _rootName = Posix.Terminated(Path.GetFileName(root));
        _overwrite = overwrite;
        _content = content;
        _tally = tally;
        _cancellation = cancellation;
        _metadata = new EntryMetadata(tally);
        _existing = new ExistingEntries(content, _metadata, tally, cancellation);
    }

    internal void Write(IEnumerable<ListingEntry> entries)
    {
        foreach (ListingEntry entry in entries)
        {
            _cancellation.ThrowIfCancellationRequested();
            (int parent, byte[] name) = Locate(entry);
            if (entry.Type == EntryType.Directory)
            {
                EnterDirectory(entry, parent, name);
                _tally.AddEntry(isFile: false);
                continue;
            }
            try
            {
                WriteLeaf(entry, parent, name);
                _tally.AddEntry(entry.Type == EntryType.File);
            }
            catch (PosixException e) when (e.Error == Errno.Perm
                && entry.Type is EntryType.CharDevice or EntryType.BlockDevice)
            {
                // Device nodes take a right of their own. One that is missing must not cost the rest of the tree.
                _tally.Missing(e.Message);
            }
            catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
            {
                // Wrong bytes are never written; the other files are worth having all the same.
                _tally.Damaged(e);
            }
        }
        while (_open.Count > 0)
        {
            LeaveDirectory();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (OpenDirectory directory in _open)
        {
            _ = Libc.Close(directory.File);
        }
    }

    private (int Parent, byte[] Name) Locate(ListingEntry entry)
    {
        if (entry.Path.Length == 0)
        {
            return (_target, _rootName);
        }
        int slash = entry.Path.AsSpan().LastIndexOf((byte)'/');
        ReadOnlySpan<byte> parent = entry.Path.AsSpan(0, Math.Max(slash, 0));
        ReadOnlySpan<byte> name = entry.Path.AsSpan(slash + 1);
        if (name.Length == 0 || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || name.Contains((byte)0))
        {
            throw Hostile(entry, "its name cannot be used");
        }
        while (_open.Count > 0 && !parent.SequenceEqual(_open.Peek().Entry.Path))
        {
            LeaveDirectory();
        }
        return _open.Count > 0
            ? (_open.Peek().File, Posix.Terminated(name))
            : throw Hostile(entry, "the directory that holds it is not a directory of the listing");
    }

    private unsafe void EnterDirectory(ListingEntry entry, int parent, byte[] name)
    {
        fixed (byte* path = name)
        {
            if (Libc.MkdirAt(parent, path, 0b111_000_000) != 0)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error != Errno.Exists || !_overwrite)
                {
                    throw new PosixException("make the directory", Show(entry), error);
                }
            }
        }
        int file = Posix.TryOpen(
            parent, name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out int openError);
        if (file < 0)
        {
            throw new PosixException("open the directory", Show(entry), openError);
        }
        _open.Push(new OpenDirectory(file, entry));
    }

    private void LeaveDirectory()
    {
        OpenDirectory directory = _open.Pop();
        try
        {
            // After its content: writing into it changes its time, and its mode may forbid writing.
            _metadata.Apply(directory.File, directory.Entry, Show(directory.Entry));
        }
        finally
        {
            _ = Libc.Close(directory.File);
        }
    }

    private void WriteLeaf(ListingEntry entry, int parent, byte[] name)
    {
        if (entry.LinkId.Length > 0 && TryLink(entry, parent, name))
        {
            return;
        }
        if (!_overwrite || !_existing.IsSame(entry, parent, name, Show(entry)))
        {
            Replace(entry, parent, name);
        }
        if (entry.LinkId.Length > 0)
        {
            _links.TryAdd(entry.LinkId, entry.Path);
        }
    }

    private void Replace(ListingEntry entry, int parent, byte[] name)
    {
        byte[] temporary = Posix.Terminated($".backupd-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");
        bool placed = false;
        try
        {
            MakeLeaf(entry, parent, temporary);
            Place(entry, parent, temporary, name);
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

    private void Place(ListingEntry entry, int parent, byte[] temporary, byte[] name)
    {
        try
        {
            Posix.Rename(parent, temporary, parent, name);
        }
        catch (PosixException e) when (e.Error is Errno.IsDirectory or Errno.NotEmpty or Errno.Exists)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{Show(entry)} is a directory and would become a {ListingWriter.TypeWord(entry.Type)}; move it away first",
                inner: e);
        }
    }

    private unsafe void MakeLeaf(ListingEntry entry, int parent, byte[] name)
    {
        int result;
        fixed (byte* path = name)
        {
            switch (entry.Type)
            {
                case EntryType.File:
                    WriteFile(entry, parent, name);
                    return;
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
                case EntryType.Directory:
                default:
                    throw new ArgumentOutOfRangeException(nameof(entry));
            }
        }
        if (result != 0)
        {
            throw PosixException.Last($"make the {ListingWriter.TypeWord(entry.Type)}", Show(entry));
        }
        _metadata.ApplyByName(parent, name, entry, Show(entry));
    }

    private void WriteFile(ListingEntry entry, int parent, byte[] name)
    {
        int file = Posix.TryOpen(
            parent, name, Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow, 0b110_000_000, out int error);
        if (file < 0)
        {
            throw new PosixException("create", Show(entry), error);
        }
        bool written = false;
        try
        {
            foreach (Segment segment in entry.Segments)
            {
                _cancellation.ThrowIfCancellationRequested();
                WriteSegment(file, segment, entry);
            }
            // Gives a file that ends in a hole its length.
            if (entry.Segments.Length > 0 && entry.Segments[^1].IsHole && Libc.Truncate(file, entry.Size) != 0)
            {
                throw PosixException.Last("set the length of", Show(entry));
            }
            _metadata.Apply(file, entry, Show(entry));
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
        Posix.CloseWritten(file, Show(entry));
    }

    private void WriteSegment(int file, Segment segment, ListingEntry entry)
    {
        if (!segment.IsHole)
        {
            Posix.WriteFully(file, _content.Read(segment, entry), Show(entry));
        }
        else if (Libc.Seek(file, segment.Length, 1) < 0)
        {
            throw PosixException.Last("leave a hole in", Show(entry));
        }
        _tally.AddBytes(segment.Length);
    }

    private unsafe bool TryLink(ListingEntry entry, int parent, byte[] name)
    {
        if (!_links.TryGetValue(entry.LinkId, out byte[]? first))
        {
            return false;
        }
        byte[] from = first.Length == 0 ? _rootName : [.. _rootName.AsSpan(0, _rootName.Length - 1), (byte)'/', .. first, 0];
        fixed (byte* old = from)
        fixed (byte* link = name)
        {
            if (Libc.LinkAt(_target, old, parent, link, 0) == 0)
            {
                return true;
            }
            if (Marshal.GetLastPInvokeError() == Errno.Exists && _overwrite)
            {
                RemoveQuietly(parent, name);
                return Libc.LinkAt(_target, old, parent, link, 0) == 0;
            }
        }
        // A file system without hard links: a copy holds the same bytes.
        _tally.Warn($"{Show(entry)} is a copy and not a hard link of {Posix.Display(first)}");
        return false;
    }

    private static unsafe void RemoveQuietly(int parent, byte[] name)
    {
        fixed (byte* path = name)
        {
            // It may not exist, and there is a better error to report.
            _ = Libc.UnlinkAt(parent, path, 0);
        }
    }

    private static BackupException Hostile(ListingEntry entry, string why) =>
        new(BackupFault.RunDamaged, $"the listing holds an entry that cannot be restored, {entry.DisplayPath}: {why}");

    private string Show(ListingEntry entry) =>
        entry.Path.Length == 0 ? _root : $"{_root}/{Encoding.UTF8.GetString(entry.Path)}";

    private readonly record struct OpenDirectory(int File, ListingEntry Entry);
}
