using Backupd.Backup.Participants;
using Backupd.Tests.Daemon;

namespace Backupd.Tests;

/// <summary>What all tests need.</summary>
[TestClass]
public static class TestRun
{
    // The engine starts itself once more for some programs, and here that is not this process.
    [AssemblyInitialize]
    public static void Begin(TestContext context) => RunAs.Program = DaemonProcess.Program;
}
