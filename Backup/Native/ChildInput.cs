using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>This end of a pipe to a program's standard input. Writing to it never waits. One thread.</summary>
/// <remarks>The runtime ignores SIGPIPE, so that writing to a program that does not read any more fails and kills
/// nobody.</remarks>
internal sealed unsafe class ChildInput : IDisposable
{
    private const int GetFlags = 3;
    private const int SetFlags = 4;

    private readonly string _program;
    private int _file;
    private int _word;
    private int _rest = -1;

    /// <param name="file">The end to write to, which is closed here.</param>
    /// <param name="word">Where the <see cref="InputGuard"/> of the program is told; closed here, too.</param>
    /// <param name="program">For messages.</param>
    internal ChildInput(int file, int word, string program)
    {
        _file = file;
        _word = word;
        _program = program;
        // The end that the program has stays as programs expect it.
        int flags = Libc.FileControl(file, GetFlags, 0);
        if (flags < 0 || Libc.FileControl(file, SetFlags, flags | Posix.NonBlock) != 0)
        {
            throw PosixException.Last("set up the input of", program);
        }
    }

    /// <summary>To be polled for room; -1 when nothing more is to be written.</summary>
    internal int File => _file;

    /// <summary>The program, and whatever it started, has closed its input although there was more.</summary>
    internal bool IsRefused { get; private set; }

    /// <summary>Writes as much as there is room for.</summary>
    /// <returns>The bytes that were taken; 0 when there is no room now, and when the input is refused.</returns>
    internal int Write(ReadOnlySpan<byte> content)
    {
        while (true)
        {
            nint count;
            fixed (byte* bytes = content)
            {
                count = Libc.Write(_file, bytes, content.Length);
            }
            int error = count < 0 ? Marshal.GetLastPInvokeError() : 0;
            switch (error)
            {
                case 0:
                    return (int)count;
                case Errno.Interrupted:
                    continue;
                case Errno.TryAgain:
                    return 0;
                case Errno.BrokenPipe:
                    IsRefused = true;
                    End();
                    return 0;
                default:
                    throw PosixException.Last("write to", _program);
            }
        }
    }

    /// <summary>Lets the program read the end. What it leaves unread can be asked for.</summary>
    internal void End()
    {
        if (_file >= 0)
        {
            // A second reading end: what is in the pipe then outlives the program. /proc may not be mounted; then there is
            // just nothing to ask.
            _rest = Posix.TryOpen(
                Posix.CurrentDirectory, Posix.Terminated($"/proc/self/fd/{_file}"), Posix.ReadOnly | Posix.NonBlock, 0, out _);
            Close(ref _file);
            byte all = 1;
            // A guard that is gone with its program needs no word.
            _ = Libc.Write(_word, &all, 1);
            Close(ref _word);
        }
    }

    /// <summary>What the program, which has ended, did not read of the last bytes that it was given.</summary>
    /// <param name="hasContent">Whether there is more than zeros in it: archives are padded with zeros, which not everybody
    /// reads.</param>
    internal long CountUnread(out bool hasContent)
    {
        End();
        long unread = 0;
        hasContent = false;
        Span<byte> buffer = stackalloc byte[4096];
        int count;
        while (_rest >= 0 && (count = ReadRest(buffer)) > 0)
        {
            unread += count;
            hasContent |= buffer[..count].ContainsAnyExcept((byte)0);
        }
        return unread;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close(ref _file);
        Close(ref _word);
        Close(ref _rest);
    }

    // Nobody writes any more, unless the program has made something of its own of the pipe: then nothing is there now.
    private int ReadRest(Span<byte> buffer)
    {
        try
        {
            return Posix.Read(_rest, buffer, _program);
        }
        catch (PosixException e) when (e.Error == Errno.TryAgain)
        {
            return 0;
        }
    }

    private static void Close(ref int file)
    {
        if (file >= 0)
        {
            _ = Libc.Close(file);
            file = -1;
        }
    }
}
