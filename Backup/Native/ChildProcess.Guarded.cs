namespace Backupd.Backup.Native;

/// <content>The start of an <see cref="InputGuard"/>.</content>
internal sealed unsafe partial class ChildProcess
{
    /// <summary>Starts a program in this process's group, with its files 3 and 4 and no others to read or write.</summary>
    /// <returns>The error number, 0 when it runs.</returns>
    internal static int SpawnBeside(IReadOnlyList<string> argv, out int processId)
    {
        byte* actions = stackalloc byte[256];
        using CStrings arguments = new(argv);
        using CStrings variables = new([]);
        _ = InitActions(actions);
        try
        {
            fixed (byte* null0 = "/dev/null\0"u8)
            {
                for (int file = 0; file < 3; file++)
                {
                    _ = AddOpen(actions, file, null0, 2, 0);
                }
                _ = AddCloseFrom(actions, InputGuard.WordFile + 1);
                return SpawnPath(out processId, arguments.Pointers[0], actions, null, arguments.Pointers, variables.Pointers);
            }
        }
        finally
        {
            _ = DestroyActions(actions);
        }
    }

    /// <summary>Waits for a child's end, however it came.</summary>
    /// <returns>Its status; 0 when all was well.</returns>
    internal static int WaitFor(int processId)
    {
        int status;
        int result;
        do
        {
            result = WaitProcess(processId, &status, 0);
        }
        while (result < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Errno.Interrupted);
        return result < 0 ? -1 : status;
    }
}
