namespace Backupd.Backup.Native;

/// <summary>The share of the processors that a thread gets while others want them too.</summary>
internal static class Niceness
{
    // PRIO_PROCESS of sys/resource.h. Linux takes it for the calling thread when nobody is named (setpriority(2)).
    private const int OneThread = 0;

    // Half of the scale: a tenth of the share of a thread that answers a client, and all that nobody else wants.
    private const int Background = 10;

    /// <summary>Lets the calling thread, and every thread and program that it starts, yield to others. Cannot be taken
    /// back.</summary>
    /// <remarks>A refusal is not looked at: the work is the same, only others wait longer.</remarks>
    internal static void YieldToOthers() => _ = Libc.SetPriority(OneThread, 0, Background);
}
