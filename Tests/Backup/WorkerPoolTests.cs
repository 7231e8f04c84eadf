using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Failures of work reach the thread that queues it, and leave nobody waiting.</summary>
[TestClass]
public sealed class WorkerPoolTests
{
    [TestMethod]
    public async Task After_a_failure_while_the_queue_is_full_what_is_open_can_be_waited_for()
    {
        using ManualResetEvent mayFail = new(false);
        using ManualResetEvent mayEnd = new(false);
        using WorkerPool pool = new(2);
        Assert.ThrowsExactly<InvalidDataException>(() =>
        {
            pool.Queue(
                _ =>
                {
                    mayFail.WaitOne();
                    throw new InvalidDataException();
                },
                () => { });
            // More than two threads and their queue take: one of these cannot be queued before the failure is known.
            for (int i = 0; i < 10; i++)
            {
                pool.Queue(_ => mayEnd.WaitOne(), () => mayFail.Set());
            }
        });
        mayEnd.Set();
        await Deadline.Of(Task.Run(pool.Abandon, CancellationToken.None), "the work that had begun");
    }

    [TestMethod]
    public void After_a_failure_nothing_is_queued()
    {
        int later = 0;
        using (WorkerPool pool = new(1))
        {
            pool.Queue(_ => throw new InvalidDataException(), () => { });
            Assert.ThrowsExactly<InvalidDataException>(() => pool.WaitUntilIdle(() => { }));
            Assert.ThrowsExactly<InvalidDataException>(() => pool.Queue(_ => Interlocked.Increment(ref later), () => { }));
        }
        Assert.AreEqual(0, later);
    }
}
