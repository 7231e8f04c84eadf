namespace Backupd.Backup.Native;

/// <summary>The descriptors 0, 1 and 2 that every program expects to be open.</summary>
public static class StandardDescriptors
{
    private const int Last = 2;
    private const int GetDescriptorFlags = 1;
    private const int ReadWrite = 2;

    /// <summary>
    /// Opens <c>/dev/null</c> in the place of those that whoever started the process has closed. Else the console could not
    /// be used, and files that are opened later, a chunk perhaps, would get these numbers and what is meant for people.
    /// To be called before any file is opened and before the console is used.
    /// </summary>
    public static void Fill()
    {
        for (int number = 0; number <= Last; number++)
        {
            if (Libc.FileControl(number, GetDescriptorFlags, 0) < 0)
            {
                // The lowest free number is given out. Where even this cannot be opened, the first message says so.
                _ = Posix.TryOpen(Posix.CurrentDirectory, Posix.Terminated("/dev/null"), ReadWrite, 0, out int _);
            }
        }
    }
}
