using Backupd.Backup.Participants;
using Backupd.Tests.Daemon;

namespace Backupd.Tests;

/// <summary>What all tests need.</summary>
[TestClass]
public static class TestRun
{
    [AssemblyInitialize]
    public static void Begin(TestContext context)
    {
        // The engine starts itself once more for some programs, and here that is not this process.
        RunAs.Program = DaemonProcess.Program;
        // Many tests hold a thread of the pool while they wait; on two processors servers and proxies of the others would
        // wait up to a second for another one, which some of them take for silence.
        ThreadPool.SetMinThreads(16, 16);
    }
}
