using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class WorkerPoolTests
{
    [TestMethod]
    public async Task Abandoning_ends_after_work_could_not_be_queued()
    {
        using ManualResetEventSlim gate = new();
        using WorkerPool workers = new(1);
        void Fill()
        {
            while (true)
            {
                workers.Queue(_ => gate.Wait(CancellationToken.None), () => throw new OperationCanceledException());
            }
        }
        Assert.ThrowsExactly<OperationCanceledException>(Fill);
        gate.Set();
        await Deadline.Of(Task.Run(workers.Abandon), "the workers to be abandoned");
    }
}
