using System.Diagnostics;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Writes new files one after another, in few large writes; those of some size in whole blocks around the page cache, where
/// that pays. One a thread.
/// </summary>
internal sealed class BlockWriter : IDisposable
{
    // Large enough for a disk at full speed, and the greatest chunk fits.
    private const int BufferBytes = Chunker.MaxBytes;

    private readonly DirectWrites _direct;
    private readonly NativeBuffer _buffer = new(BufferBytes);
    private int _file;
    private string _display = "";
    private int _filled;
    private bool _isDirect;

    // The file's end is not where its content ends: behind padding, or before a hole.
    private bool _needsLength;

    /// <param name="direct">Measures for all writers of a restore.</param>
    internal BlockWriter(DirectWrites direct) => _direct = direct;

    /// <summary>Begins a file.</summary>
    /// <param name="file">Opened for writing, at its start, and empty.</param>
    /// <param name="size">How much there will be.</param>
    /// <param name="display">The path, for messages.</param>
    internal void Begin(int file, long size, string display)
    {
        _file = file;
        _display = display;
        _filled = 0;
        _needsLength = false;
        _isDirect = size >= DirectFile.MinBytes && _direct.IsWorthIt && DirectFile.TrySetDirect(file, on: true);
    }

    internal void Write(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            int count = Math.Min(data.Length, BufferBytes - _filled);
            data[..count].CopyTo(_buffer.Span[_filled..]);
            _filled += count;
            data = data[count..];
            if (_filled == BufferBytes)
            {
                Flush(_filled);
            }
        }
    }

    /// <summary>Leaves a hole.</summary>
    internal void Skip(long length)
    {
        if (_isDirect && (_filled % DirectFile.Alignment != 0 || length % DirectFile.Alignment != 0))
        {
            LeaveDirect();
        }
        Flush(_filled);
        if (Libc.Seek(_file, length, 1) < 0)
        {
            throw PosixException.Last("leave a hole in", _display);
        }
        _needsLength = true;
    }

    /// <summary>Writes what is left and gives the file its length.</summary>
    internal void End(long size)
    {
        int padded = (_filled + DirectFile.Alignment - 1) & -DirectFile.Alignment;
        if (_isDirect && padded > _filled)
        {
            _buffer.Span[_filled..padded].Clear();
            _needsLength = true;
            Flush(padded);
        }
        else
        {
            Flush(_filled);
        }
        if (_needsLength && Libc.Truncate(_file, size) != 0)
        {
            throw PosixException.Last("set the length of", _display);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private void Flush(int count)
    {
        int done = 0;
        if (_isDirect && count > 0)
        {
            long started = Stopwatch.GetTimestamp();
            done = DirectFile.Write(_file, _buffer.Span[..count], _display);
            _direct.Measure(done, started);
            if (done < count)
            {
                // A short write, or a file system that takes the flag and refuses the write.
                LeaveDirect();
            }
        }
        Posix.WriteFully(_file, _buffer.Span[done..count], _display);
        _filled = 0;
    }

    private void LeaveDirect()
    {
        DirectFile.TrySetDirect(_file, on: false);
        _isDirect = false;
    }
}
