using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>System calls of the published binary fail, one after the other: a run that met an error is never kept.</summary>
[TestClass]
public sealed class FailingCallTests
{
    // More than a small backup makes of any call on one thread; reaching it means that the run never got through.
    private const int MaxCalls = 150;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("syncfs", "EIO", 2)]
    [DataRow("fsync", "EIO", 10)]
    [DataRow("fsync", "ENOSPC", 10)]
    [DataRow("renameat", "EIO", 8)]
    [DataRow("write", "EIO", 5)]
    [DataRow("write", "ENOSPC", 5)]
    [DataRow("mkdir", "ENOSPC", 5)]
    public async Task A_run_whose_call_fails_is_failed_and_leaves_nothing(string call, string error, int atLeast)
    {
        using FaultedStore store = await FaultedStore.MakeAsync();
        int failed = 0;
        for (int when = 1; ; when++)
        {
            Assert.IsLessThan(MaxCalls, when, $"{call}: the run never got through");
            string name = $"{error} of {call} number {when}";
            TracedOutcome traced = await store.RunAsync(() => Strace.Fail(call, error, $"{when}", store.Once), name);
            if (traced.Fired == 0)
            {
                Assert.AreEqual(0, traced.Outcome.Code, $"{name}: {traced.Outcome}");
                break;
            }
            failed++;
            store.AssertFailed(traced, name);
            AssertNoSecondSync(traced, name);
        }
        TestContext.WriteLine($"{error} of {call}: {failed} runs failed");
        Assert.IsGreaterThanOrEqualTo(atLeast, failed);
        await store.AssertHealthyAsync();
    }

    [TestMethod]
    public async Task A_file_of_the_store_that_cannot_be_closed_or_read_back_fails_the_run()
    {
        using FaultedStore store = await FaultedStore.MakeAsync();
        int failed = 0;
        foreach (string call in (string[])["close", "pread64"])
        {
            store.Change();
            foreach (int number in await Strace.NumbersOf(call, $"{store.Store}/.running/", store.Once))
            {
                string name = $"EIO of {call} number {number}";
                TracedOutcome traced = await store.RunAsync(() => Strace.Fail(call, "EIO", $"{number}", store.Once), name);
                // Threads share the work as it comes, so the number may be that of another file this time; and what was
                // only read, or is a directory, may fail to close without loss.
                if (traced.Outcome.Code != 0 && traced.Injected.Any(l => l.Contains(store.Store, StringComparison.Ordinal)))
                {
                    failed++;
                    store.AssertFailed(traced, name);
                }
            }
        }
        TestContext.WriteLine($"{failed} runs failed");
        Assert.IsGreaterThanOrEqualTo(8, failed);
        await store.AssertHealthyAsync();
    }

    [TestMethod]
    public async Task A_source_file_that_cannot_be_read_is_named_and_the_rest_is_kept()
    {
        using FaultedStore store = await FaultedStore.MakeAsync();
        store.Change();
        int partial = 0;
        foreach (int number in await Strace.NumbersOf("pread64", store.Source + "/", store.Once))
        {
            string name = $"EIO of pread64 number {number}";
            TracedOutcome traced = await store.RunAsync(() => Strace.Fail("pread64", "EIO", $"{number}", store.Once), name);
            if (traced.Injected.Any(l => l.Contains(store.Source, StringComparison.Ordinal)))
            {
                partial++;
                Assert.AreEqual(3, traced.Outcome.Code, $"{name}: {traced.Outcome}");
                Assert.Contains("1 of 3 entries could not be read", traced.Outcome.Output, name);
                Assert.Contains($"{store.Source}/", traced.Outcome.Output, name);
                Assert.Contains("Input/output error", traced.Outcome.Output, name);
            }
        }
        TestContext.WriteLine($"{partial} runs were partial");
        Assert.IsGreaterThan(2, partial);
        await store.AssertHealthyAsync();
    }

    [TestMethod]
    [DataRow("fsync", "EIO", 3)]
    [DataRow("fsync", "EIO", 7)]
    [DataRow("syncfs", "EIO", 1)]
    [DataRow("renameat", "EIO", 3)]
    public async Task When_every_call_fails_from_one_on_not_even_the_record_can_be_written_and_the_next_run_is_whole(
        string call, string error, int from)
    {
        using FaultedStore store = await FaultedStore.MakeAsync();
        string name = $"{error} of {call} number {from} and all that follow";
        TracedOutcome traced = await store.RunAsync(() => Strace.Fail(call, error, $"{from}+", store.Once), name);
        Assert.IsGreaterThan(0, traced.Fired, name);
        store.AssertFailed(traced, name);
        await store.AssertHealthyAsync();
    }

    // After an error of a sync the kernel may call the next one on the same descriptor a success.
    private static void AssertNoSecondSync(TracedOutcome traced, string name)
    {
        foreach (string injected in traced.Injected)
        {
            Match sync = Regex.Match(injected, @"(?:fsync|syncfs)\((\d+)");
            if (!sync.Success)
            {
                continue;
            }
            string number = sync.Groups[1].Value;
            string? next = traced.Log.SkipWhile(l => l != injected).Skip(1)
                .FirstOrDefault(l => Regex.IsMatch(l, $@"(?:fsync|syncfs|close)\({number}\b"));
            Assert.IsFalse(next is not null && next.Contains("sync(", StringComparison.Ordinal), $"{name}: {next}");
        }
    }
}
