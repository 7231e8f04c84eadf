using System.Runtime.InteropServices;
using System.Text;

namespace Backupd.Backup.Native;

/// <summary>
/// A program in a session and process group of its own, with pipes on its outputs, a pipe or nothing on its input, a clean
/// environment and default signals. No shell.
/// </summary>
internal sealed unsafe partial class ChildProcess : IDisposable
{
    private const string Library = "libc";
    private const short SetSignalDefaults = 0x04;
    private const short SetSignalMask = 0x08;
    private const short SetSession = 0x80;
    private const short PollIn = 1;
    private const short PollOut = 4;
    private const int NoHang = 1;
    private const int Terminate = 15;
    private const int Kill = 9;

    private readonly string _program;
    private int _output;
    private int _errors;
    private bool _reaped;

    private ChildProcess(string program, int processId, int output, int errors)
    {
        _program = program;
        ProcessId = processId;
        _output = output;
        _errors = errors;
    }

    /// <summary>The pipe to its input; null when it was started without one.</summary>
    internal ChildInput? Input { get; private init; }

    internal int ProcessId { get; }

    /// <summary>Both outputs were read to their end.</summary>
    internal bool OutputsEnded => _output < 0 && _errors < 0;

    /// <param name="argv">Program and arguments.</param>
    /// <param name="environment">All of it, <c>NAME=value</c>.</param>
    /// <param name="hasInput">Whether there is something for it to read. It then has the files of an <see cref="InputGuard"/> and
    /// has to start one.</param>
    /// <exception cref="IOException">The program cannot be started; names it and the reason.</exception>
    internal static ChildProcess Start(IReadOnlyList<string> argv, IReadOnlyList<string> environment, bool hasInput = false)
    {
        // Reading ends at even places, writing ends behind them: input, output, errors, and the word for the input's guard.
        Span<int> pipes = [-1, -1, -1, -1, -1, -1, -1, -1];
        int held = -1;
        ChildInput? input = null;
        try
        {
            for (int i = hasInput ? 0 : 1; i < 3; i++)
            {
                MakePipe(pipes.Slice(i * 2, 2), argv[0]);
            }
            if (hasInput)
            {
                MakePipe(pipes[6..], argv[0]);
                held = InputGuard.Above(pipes[1], argv[0]);
                int word = InputGuard.Above(pipes[6], argv[0]);
                Close(ref pipes[6]);
                pipes[6] = word;
                input = new ChildInput(pipes[1], pipes[7], argv[0]);
                (pipes[1], pipes[7]) = (-1, -1);
            }
            int result = Spawn(argv, environment, pipes, held, out int processId);
            if (result != 0)
            {
                throw new PosixException("start", argv[0], result);
            }
            ChildProcess child = new(argv[0], processId, pipes[2], pipes[4]) { Input = input };
            (pipes[2], pipes[4], input) = (-1, -1, null);
            return child;
        }
        finally
        {
            input?.Dispose();
            Close(ref held);
            foreach (ref int file in pipes)
            {
                Close(ref file);
            }
        }
    }

    /// <summary>Waits up to a tenth of a second for something to read, or for room to write.</summary>
    /// <param name="feeds">Whether there is something to write.</param>
    /// <param name="outputReady">Standard output can be read.</param>
    /// <param name="errorsReady">Standard error can be read.</param>
    /// <returns>Whether <see cref="Input"/> can be written to, or is closed by the program.</returns>
    internal bool Poll(bool feeds, out bool outputReady, out bool errorsReady)
    {
        PollEntry* entries = stackalloc PollEntry[3];
        entries[0] = new PollEntry { File = _output, Events = PollIn };
        entries[1] = new PollEntry { File = _errors, Events = PollIn };
        entries[2] = new PollEntry { File = feeds ? Input!.File : -1, Events = PollOut };
        int count = Poll(entries, 3, 100);
        outputReady = count > 0 && entries[0].Returned != 0;
        errorsReady = count > 0 && entries[1].Returned != 0;
        return count > 0 && entries[2].Returned != 0;
    }

    /// <summary>Reads what is there; 0 at the end.</summary>
    internal int ReadOutput(Span<byte> buffer) => Read(ref _output, buffer);

    /// <summary>Reads what is there; 0 at the end.</summary>
    internal int ReadErrors(Span<byte> buffer) => Read(ref _errors, buffer);

    /// <summary>Asks every process of the group to end, or makes it.</summary>
    internal void Signal(bool force)
    {
        if (SendSignal(-ProcessId, force ? Kill : Terminate) != 0 && !_reaped)
        {
            // The group does not exist yet: the child has not called setsid. Once the child was reaped its number
            // may be somebody else's.
            _ = SendSignal(ProcessId, force ? Kill : Terminate);
        }
    }

    /// <summary>How the program ended, or null while it runs. To be called until it answers.</summary>
    internal ChildExit? TryReap()
    {
        int status;
        int result = WaitProcess(ProcessId, &status, NoHang);
        if (result == 0)
        {
            return null;
        }
        if (result < 0)
        {
            throw PosixException.Last("wait for", _program);
        }
        _reaped = true;
        int signal = status & 0x7F;
        return new ChildExit(signal == 0 ? (status >> 8) & 0xFF : -1, signal);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close(ref _output);
        Close(ref _errors);
        Input?.Dispose();
    }

    private static void MakePipe(Span<int> pipe, string program)
    {
        fixed (int* ends = pipe)
        {
            if (Pipe2(ends, Posix.CloseOnExec) != 0)
            {
                throw PosixException.Last("make a pipe for", program);
            }
        }
    }

    private static int Spawn(
        IReadOnlyList<string> argv, IReadOnlyList<string> environment, ReadOnlySpan<int> pipes, int held, out int processId)
    {
        // Larger than posix_spawn_file_actions_t and posix_spawnattr_t of glibc (80 and 336 bytes).
        byte* actions = stackalloc byte[256];
        byte* attributes = stackalloc byte[1024];
        byte* signals = stackalloc byte[128];
        using CStrings arguments = new(argv);
        using CStrings variables = new(environment);
        _ = InitActions(actions);
        _ = InitAttributes(attributes);
        try
        {
            fixed (byte* null0 = "/dev/null\0"u8)
            fixed (byte* root = "/\0"u8)
            {
                _ = pipes[0] >= 0
                    ? AddDuplicate(actions, pipes[0], 0)
                    : AddOpen(actions, 0, null0, Posix.ReadOnly, 0);
                _ = AddDuplicate(actions, pipes[3], 1);
                _ = AddDuplicate(actions, pipes[5], 2);
                if (held >= 0)
                {
                    _ = AddDuplicate(actions, held, InputGuard.HeldFile);
                    _ = AddDuplicate(actions, pipes[6], InputGuard.WordFile);
                }
                _ = AddCloseFrom(actions, held >= 0 ? InputGuard.WordFile + 1 : InputGuard.HeldFile);
                _ = AddChangeDirectory(actions, root);
                _ = FillSignals(signals);
                _ = SetDefaultSignals(attributes, signals);
                _ = EmptySignals(signals);
                _ = SetMask(attributes, signals);
                _ = SetFlags(attributes, SetSignalDefaults | SetSignalMask | SetSession);
                return SpawnPath(
                    out processId, arguments.Pointers[0], actions, attributes, arguments.Pointers, variables.Pointers);
            }
        }
        finally
        {
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
        }
    }

    private int Read(ref int file, Span<byte> buffer)
    {
        int count = Posix.Read(file, buffer, _program);
        if (count == 0)
        {
            Close(ref file);
        }
        return count;
    }

    private static void Close(ref int file)
    {
        if (file >= 0)
        {
            _ = Libc.Close(file);
            file = -1;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        internal int File;
        internal short Events;
        internal short Returned;
    }

    /// <summary>A zero-terminated array of zero-terminated strings.</summary>
    private readonly ref struct CStrings
    {
        private readonly int _count;

        internal CStrings(IReadOnlyList<string> texts)
        {
            _count = texts.Count;
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)(_count + 1), (nuint)sizeof(byte*));
            for (int i = 0; i < _count; i++)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(texts[i]);
                Pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)bytes.Length + 1);
                bytes.CopyTo(new Span<byte>(Pointers[i], bytes.Length));
            }
        }

        internal byte** Pointers { get; }

        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
            {
                NativeMemory.Free(Pointers[i]);
            }
            NativeMemory.Free(Pointers);
        }
    }

    [LibraryImport(Library, EntryPoint = "pipe2", SetLastError = true)]
    private static partial int Pipe2(int* files, int flags);

    [LibraryImport(Library, EntryPoint = "poll")]
    private static partial int Poll(PollEntry* entries, nuint count, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);

    [LibraryImport(Library, EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitProcess(int process, int* status, int options);

    [LibraryImport(Library, EntryPoint = "posix_spawnp")]
    private static partial int SpawnPath(
        out int process, byte* file, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitActions(byte* actions);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(byte* actions);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addopen")]
    private static partial int AddOpen(byte* actions, int file, byte* path, int flags, uint mode);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDuplicate(byte* actions, int from, int to);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    private static partial int AddCloseFrom(byte* actions, int from);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addchdir_np")]
    private static partial int AddChangeDirectory(byte* actions, byte* path);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_init")]
    private static partial int InitAttributes(byte* attributes);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_destroy")]
    private static partial int DestroyAttributes(byte* attributes);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(byte* attributes, short flags);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int SetDefaultSignals(byte* attributes, byte* signals);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigmask")]
    private static partial int SetMask(byte* attributes, byte* signals);

    [LibraryImport(Library, EntryPoint = "sigfillset")]
    private static partial int FillSignals(byte* signals);

    [LibraryImport(Library, EntryPoint = "sigemptyset")]
    private static partial int EmptySignals(byte* signals);
}

/// <summary>How a program ended.</summary>
/// <param name="Code">Its exit code; -1 when a signal ended it.</param>
/// <param name="Signal">The signal; 0 when it exited.</param>
internal readonly record struct ChildExit(int Code, int Signal);
