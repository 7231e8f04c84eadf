using Backupd.Backup.Remote;

namespace Backupd.Tests.Remote;

/// <summary>How often something is tried with a server, and how long is waited in between.</summary>
[TestClass]
public sealed class RemoteAttemptsTests
{
    [TestMethod]
    [DataRow(5, 10, "5 10 20 40 80 160 320 600 600")]
    [DataRow(1, 4, "1 2 4")]
    [DataRow(0, 4, "0 0 0")]
    [DataRow(300, 4, "300 600 600")]
    [DataRow(599, 3, "599 600")]
    [DataRow(601, 3, "601 601", DisplayName = "One that is configured to be longer than the bound stays as it is")]
    [DataRow(86_400, 3, "86400 86400")]
    [DataRow(5, 1, "")]
    public void Each_wait_is_twice_the_one_before_up_to_ten_minutes(int delay, int attempts, string waits)
    {
        List<TimeSpan> waited = [];
        int made = 0;
        RemoteException error = Assert.ThrowsExactly<RemoteException>(() => RemoteAttempts.Make<string>(
            Endpoint(delay, attempts),
            () =>
            {
                Assert.HasCount(made, waited, "it waits after each attempt, and not before the first");
                made++;
                throw new RemoteException(RemoteFault.Unreachable, $"no answer to {made}");
            },
            time => Wait(time, waited),
            CancellationToken.None));
        Assert.AreEqual(attempts, made);
        Assert.AreEqual(waits, string.Join(' ', waited.Select(w => w.TotalSeconds)));
        Assert.AreEqual(attempts > 1 ? $"no answer to {made} ({attempts} attempts)" : "no answer to 1", error.Message);
    }

    [TestMethod]
    public void The_first_attempt_that_works_ends_it()
    {
        List<TimeSpan> waited = [];
        int made = 0;
        string done = RemoteAttempts.Make(
            Endpoint(5, 10),
            () => ++made < 3 ? throw new RemoteException(RemoteFault.Busy, "later") : $"by {made}",
            time => Wait(time, waited),
            CancellationToken.None);
        Assert.AreEqual("by 3", done);
        Assert.AreEqual("5 10", string.Join(' ', waited.Select(w => w.TotalSeconds)));
    }

    [TestMethod]
    [DataRow("Unreachable Busy StorageFailed Damaged ProtocolBroken", 2)]
    [DataRow("NotTrusted LoginRefused RunNotFound RunExists AppendOnly QuotaExceeded OwnStorageFailed Unsupported NotConfigured", 1)]
    public void What_nothing_but_somebody_can_help_is_tried_once(string faults, int attempts)
    {
        foreach (string name in faults.Split(' '))
        {
            List<TimeSpan> waited = [];
            RemoteFault fault = Enum.Parse<RemoteFault>(name);
            RemoteException error = Assert.ThrowsExactly<RemoteException>(() => RemoteAttempts.Make<string>(
                Endpoint(5, 2), () => throw new RemoteException(fault, "no"), time => Wait(time, waited), CancellationToken.None));
            Assert.AreEqual(fault, error.Fault);
            Assert.HasCount(attempts - 1, waited, name);
        }
    }

    [TestMethod]
    public void A_stop_ends_a_wait_and_no_further_attempt_is_made()
    {
        using CancellationTokenSource stop = new();
        int made = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => RemoteAttempts.Make<string>(
            Endpoint(5, 10),
            () =>
            {
                made++;
                throw new RemoteException(RemoteFault.Unreachable, "no answer");
            },
            _ =>
            {
                stop.Cancel();
                return true;
            },
            stop.Token));
        Assert.AreEqual(1, made);
    }

    // Waits for nothing, and is not stopped.
    private static bool Wait(TimeSpan time, List<TimeSpan> waited)
    {
        waited.Add(time);
        return false;
    }

    private static Endpoint Endpoint(int delay, int attempts) => new()
    {
        Name = "vault",
        RetryDelaySeconds = delay,
        RetryAttempts = attempts,
    };
}
