using System.Diagnostics;
using Backupd.Backup;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Directories whose disk does not answer: whoever opens a certain file there waits in the kernel, as on a network file system
/// whose server is away.</summary>
[TestClass]
public sealed class HangingDiskTests : IDisposable
{
    private const int Day = 86_400;

    private readonly TempDirectory _directory = new();

    public HangingDiskTests()
    {
        _directory.Write("tree/a", "content");
        Sender = new Engine(new DirectoryParticipant("tree", true, _directory["tree"]));
    }

    private Engine Sender { get; }

    public void Dispose()
    {
        Sender.Dispose();
        _directory.Dispose();
    }

    [TestMethod]
    public async Task A_run_ends_beside_a_disk_that_hangs_and_goes_there_when_it_answers_again()
    {
        Add("good", Day);
        Add("usb", timeout: 1);
        BackupRun run = await Sender.RunOk();
        Assert.IsTrue(run.Remotes.All(r => r.Ok));
        using (Hanging disk = new(_directory["usb"]))
        {
            run = await Sender.RunOk();
            Assert.IsTrue(run.Remotes.Single(r => r.ServerName == "good").Ok);
            Assert.Contains("silent for too long", run.Remotes.Single(r => r.ServerName == "usb").Error);
            // Nothing more is asked of it, so that no thread is added to the one that hangs.
            Change("usb", Day);
            run = await Sender.RunOk();
            Assert.Contains("has not answered yet", run.Remotes.Single(r => r.ServerName == "usb").Error);
            BackupException error = Assert.ThrowsExactly<BackupException>(
                () => Sender.Supervisor.DeleteRemote("usb", run.Id, CancellationToken.None));
            Assert.Contains("has not answered yet", error.Message);
        }
        await Deadline.Until(
            () => Sender.Supervisor.Publish(run.Id, "usb", CancellationToken.None).Remotes.Single(r => r.ServerName == "usb").Ok,
            "the disk answers again");
        Assert.AreEqual(2, new StoreExaminer(_directory["usb"]).ValidateAll("it answers again"));
    }

    [TestMethod]
    [DataRow("list")]
    [DataRow("delete")]
    [DataRow("import")]
    public async Task What_is_asked_of_a_disk_that_hangs_ends_in_time_and_with_a_cancel(string what)
    {
        Add("usb", timeout: 1);
        BackupRun run = await Sender.RunOk();
        using Engine other = new();
        Action<CancellationToken> ask = what switch
        {
            "list" => c => other.Supervisor.ListRemote("usb", 10, null, c),
            "delete" => c => other.Supervisor.DeleteRemote("usb", run.Id, c),
            _ => c => other.Supervisor.Import("usb", run.Id, overwrite: false, c),
        };
        other.Supervisor.Endpoints.Add(Endpoint("usb", timeout: 1));
        using (Hanging disk = new(_directory["usb"]))
        {
            BackupException error = await Deadline.Of(
                Task.Run(() => Assert.ThrowsExactly<BackupException>(() => ask(CancellationToken.None))), $"the {what} to end");
            Assert.Contains("silent for too long", error.Message);
        }
        await Deadline.Until(() => Answers(other), "the disk answers again");
        other.Supervisor.Endpoints.Update(new EndpointChange { Name = "usb", TimeoutSeconds = Day });
        using (Hanging disk = new(_directory["usb"]))
        {
            using CancellationTokenSource cancel = new();
            Task asked = Task.Run(() => ask(cancel.Token));
            await disk.Entered(what);
            await cancel.CancelAsync();
            await Deadline.Of(
                Task.Run(async () => await Assert.ThrowsAsync<OperationCanceledException>(() => asked)), $"the cancelled {what} to end");
        }
        await Deadline.Until(() => Answers(other), "the disk answers again");
    }

    [TestMethod]
    public async Task A_cancel_ends_a_publish_that_waits_for_a_disk()
    {
        Add("usb", Day);
        BackupRun run = await Sender.RunOk();
        using Hanging disk = new(_directory["usb"]);
        Task<BackupRun> publish = Task.Run(() => Sender.Supervisor.Publish(run.Id, "usb", CancellationToken.None));
        await disk.Entered("the publish");
        Sender.Supervisor.Cancel();
        RemoteResult result = (await Deadline.Of(publish, "the publish to end")).Remotes.Single();
        Assert.Contains("it was cancelled", result.Error);
    }

    [TestMethod]
    public async Task A_thread_that_hangs_is_left_alone_and_gives_back_what_it_holds_when_it_ends()
    {
        using ManualResetEventSlim answers = new();
        using Owned owned = new();
        using DiskThread disk = new(_directory["disk"], TimeSpan.FromSeconds(1), CancellationToken.None);
        disk.Ask(() => disk.Own(owned));
        bool isStopped = false;
        RemoteException error = Assert.ThrowsExactly<RemoteException>(() => disk.Ask(() =>
        {
            answers.Wait(Deadline.Long);
            try
            {
                disk.Tick();
            }
            catch (OperationCanceledException)
            {
                isStopped = true;
            }
        }));
        Assert.AreEqual(RemoteFault.Unreachable, error.Fault);
        Assert.ThrowsExactly<RemoteException>(() => new DiskThread(_directory["disk"], TimeSpan.FromDays(1), CancellationToken.None));
        using (DiskThread beside = new(_directory["another"], TimeSpan.FromDays(1), CancellationToken.None))
        {
            bool isDone = false;
            beside.Ask(() => isDone = true);
            Assert.IsTrue(isDone);
        }
        Assert.IsFalse(owned.IsDisposed);
        answers.Set();
        await Deadline.Of(owned.Disposed, "the thread to end");
        Assert.IsTrue(isStopped);
    }

    [TestMethod]
    public void What_is_not_about_the_disk_may_take_longer_than_its_timeout()
    {
        using DiskThread disk = new(_directory["disk"], TimeSpan.FromSeconds(1), CancellationToken.None);
        int done = 0;
        disk.Ask(() =>
        {
            disk.GoElsewhere();
            Stopwatch clock = Stopwatch.StartNew();
            SpinWait.SpinUntil(() => clock.ElapsedMilliseconds > 2500);
            disk.ComeBack();
            done++;
        });
        Assert.AreEqual(1, done);
        Assert.ThrowsExactly<IOException>(() => disk.Ask(() => throw new IOException("what went wrong there is thrown here")));
        disk.Ask(() => done++);
        Assert.AreEqual(2, done);
    }

    private static bool Answers(Engine engine)
    {
        try
        {
            return engine.Supervisor.ListRemote("usb", 10, null, CancellationToken.None).Count > 0;
        }
        catch (BackupException)
        {
            return false;
        }
    }

    private void Add(string name, int timeout)
    {
        _directory.MakeDirectory(name);
        Sender.Supervisor.Endpoints.Add(Endpoint(name, timeout));
    }

    private void Change(string name, int timeout) =>
        Sender.Supervisor.Endpoints.Update(new EndpointChange { Name = name, TimeoutSeconds = timeout });

    private EndpointChange Endpoint(string name, int timeout) => new()
    {
        Name = name,
        Host = "file://" + _directory[name],
        TimeoutSeconds = timeout,
        RetryAttempts = 1,
        RetryDelaySeconds = 0,
    };

    private sealed class Owned : IDisposable
    {
        private readonly TaskCompletionSource _disposed = new();

        public Task Disposed => _disposed.Task;

        public bool IsDisposed => _disposed.Task.IsCompleted;

        public void Dispose() => _disposed.TrySetResult();
    }

    /// <summary>Makes a store hang: where its <c>store.json</c> was is a pipe, and who opens it waits for somebody who writes.</summary>
    private sealed class Hanging : IDisposable
    {
        private readonly string _file;
        private int _held = -1;

        public Hanging(string store)
        {
            _file = Path.Combine(store, "store.json");
            File.Move(_file, _file + ".away");
            using Process made = Shell.Start("mkfifo", [_file]);
            made.WaitForExit();
            Assert.AreEqual(0, made.ExitCode);
        }

        /// <summary>Waits until somebody hangs.</summary>
        public Task Entered(string what) => Deadline.Until(
            () =>
            {
                // Refused as long as nobody is there; from then on they wait for what is written, and nothing is.
                _held = Posix.TryOpen(
                    Posix.CurrentDirectory, Posix.Terminated(_file), Posix.WriteOnly | Posix.NonBlock, 0, out _);
                return _held >= 0;
            },
            $"{what} hangs");

        public void Dispose()
        {
            // Who waits gets an end, and finds no store.
            using (File.Open(_file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
                File.Delete(_file);
                if (_held >= 0)
                {
                    _ = Libc.Close(_held);
                }
            }
            File.Move(_file + ".away", _file);
        }
    }
}
