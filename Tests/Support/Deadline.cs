namespace Backupd.Tests.Support;

/// <summary>Waiting with an end and a sentence of what was waited for.</summary>
internal static class Deadline
{
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    /// <summary>Waits for a task.</summary>
    public static async Task<T> Of<T>(Task<T> task, string what)
    {
        await Of((Task)task, what);
        return await task;
    }

    /// <summary>Waits for a task.</summary>
    public static async Task Of(Task task, string what)
    {
        try
        {
            await task.WaitAsync(Long);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"waited {Long.TotalSeconds} s in vain for {what}");
        }
    }

    /// <summary>Waits until a condition of the outside world holds. The one place that polls.</summary>
    public static async Task Until(Func<bool> condition, string what)
    {
        using CancellationTokenSource end = new(Long);
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            if (end.IsCancellationRequested)
            {
                Assert.Fail($"waited {Long.TotalSeconds} s in vain until {what}");
            }
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }
}
