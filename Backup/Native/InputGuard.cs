using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>
/// Keeps a program that takes a dump from taking a part of it for the whole when this process is killed, which closes its end
/// of the pipe: a process in the program's group holds that end too. It lets go of it when it is told that all was given, and
/// kills the group, itself included, when it is never told.
/// </summary>
/// <remarks>What gives (<see cref="ChildInput"/>) and what is given to are two processes. The second one starts as this program,
/// with the end of the pipe and the reading end of another as its files 3 and 4, starts the guard and becomes the program
/// that was meant.</remarks>
internal static unsafe partial class InputGuard
{
    /// <summary>The guard's end of the pipe that the program reads.</summary>
    internal const int HeldFile = 3;

    /// <summary>Where the guard is told.</summary>
    internal const int WordFile = 4;

    private const string Library = "libc";
    private const int DuplicateAbove = 1030;
    private const int SetDescriptorFlags = 2;
    private const int Terminate = 15;
    private const int Kill = 9;

    /// <summary>The same file under a number above those that a child's files get, so that none is overwritten before it was
    /// given.</summary>
    internal static int Above(int file, string program)
    {
        int above = Libc.FileControl(file, DuplicateAbove, WordFile + 1);
        return above >= 0 ? above : throw PosixException.Last("make a pipe for", program);
    }

    /// <summary>Starts a guard of this process's group. What this process becomes does not have its files.</summary>
    /// <param name="command">How the guard is started.</param>
    /// <returns>"" or why there is none.</returns>
    internal static string Start(IReadOnlyList<string> command)
    {
        int result = ChildProcess.SpawnBeside(command, out int starter);
        if (result != 0)
        {
            return new PosixException("start", command[0], result).Message;
        }
        int status = ChildProcess.WaitFor(starter);
        _ = Libc.FileControl(HeldFile, SetDescriptorFlags, 1);
        _ = Libc.FileControl(WordFile, SetDescriptorFlags, 1);
        return status == 0 ? "" : $"{command[0]}, which was to guard the input, ended at once";
    }

    /// <summary>Is a guard. Returns when all was given.</summary>
    internal static void Stand()
    {
        // A program that is asked to end may take its time, and the guard stands as long.
        _ = SetHandler(Terminate, 1);
        byte word;
        nint count;
        do
        {
            count = Libc.Read(WordFile, &word, 1);
        }
        while (count < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted);
        if (count <= 0)
        {
            _ = SendSignal(0, Kill);
        }
    }

    [LibraryImport(Library, EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport(Library, EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
