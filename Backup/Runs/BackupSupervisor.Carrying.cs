namespace Backupd.Backup.Runs;

/// <content>Operations that are no runs, on the thread of their caller.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Carries an operation to its end and publishes that, whatever it is.</summary>
    /// <param name="active">The operation, which has begun.</param>
    /// <param name="doing">What it does, for people.</param>
    /// <param name="prepare">Given what stops it; progress is published from here on, and the work may touch the disk.</param>
    /// <param name="cancellation">Stops it, as <see cref="TryCancel"/> does.</param>
    private T Carry<T>(
        ActiveOperation active, string doing, Func<CancellationToken, (ReadProgress Reading, Func<T> Work)> prepare,
        CancellationToken cancellation)
    {
        // Nothing has been published, and no end is, when it cannot even be prepared.
        ReadProgress? reading = null;
        Action<ReadProgress> publishEnd = r => r.Fail(RunStatus.Failed, $"{doing} failed");
        try
        {
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, active.Stop);
            (reading, Func<T> work) = prepare(stop.Token);
            T outcome = OnDisk(work);
            publishEnd = r => r.End();
            return outcome;
        }
        catch (OperationCanceledException)
        {
            publishEnd = r => r.Fail(RunStatus.Cancelled, $"{doing} was cancelled");
            throw;
        }
        catch (BackupException e)
        {
            publishEnd = r => r.Fail(RunStatus.Failed, e.Message);
            throw;
        }
        finally
        {
            lock (_turn)
            {
                Release(active);
                if (reading is not null)
                {
                    publishEnd(reading);
                }
            }
            active.End();
        }
    }
}
