using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Several runs that arrive in one store at the same time.</summary>
[TestClass]
public sealed partial class SharedIntakeTests : IDisposable
{
    private const string Artifact = "documents.snapshot";

    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    public async Task An_arrival_whose_disk_fails_takes_no_chunk_from_a_run_that_came_beside_it()
    {
        LyingWorld world = await Shared.Value;
        BackupStore store = BackupStore.OpenOrCreate(_directory["store"]);
        HashSet<string> before = DescriptorsOf(store);
        RunIntake first = Begin(store, RunId.Create(DateTimeOffset.UtcNow, 77));
        string descriptor = DescriptorsOf(store).Except(before).Single();
        AddAll(world, first);
        // At the artifact what has come gets its names, and the second one finds them.
        Assert.IsEmpty(first.AddArtifact(Artifact, world.FileOf(Artifact)));
        using (RunIntake second = Begin(store, world.Run.Id))
        {
            Assert.IsEmpty(second.Missing(Chunks(world)));
            Assert.IsEmpty(second.AddArtifact(Artifact, world.FileOf(Artifact)));
            second.Commit(world.FileOf(RunDirectory.ManifestName));
        }
        Break(descriptor, store.Directory);
        Assert.IsTrue(ChunkId.TryParse(world.Secret, out ChunkId secret));
        Add(first, secret, world.Chunk(world.Secret));
        RemoteException error = Assert.ThrowsExactly<RemoteException>(() => first.AddArtifact(Artifact, world.FileOf(Artifact)));
        Assert.AreEqual(RemoteFault.StorageFailed, error.Fault);
        first.Dispose();
        Assert.AreEqual(1, new StoreExaminer(store.Directory).ValidateAll("the second run"));
        CutWorld.AssertNothingArrives(store.Directory, "the first run");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Two_that_bring_one_run_both_have_brought_it_and_another_of_its_id_is_refused(bool isSame)
    {
        LyingWorld world = await Shared.Value;
        BackupStore store = BackupStore.OpenOrCreate(_directory["store"]);
        byte[] manifest = world.FileOf(RunDirectory.ManifestName);
        RunIntake first = Begin(store, world.Run.Id);
        RunIntake second = Begin(store, world.Run.Id, run =>
        {
            first.Commit(isSame ? manifest : [.. manifest, (byte)'\n']);
            Assert.AreEqual(world.Run.Id, run);
        });
        AddAll(world, first);
        Assert.IsEmpty(first.AddArtifact(Artifact, world.FileOf(Artifact)));
        AddAll(world, second);
        Assert.IsEmpty(second.AddArtifact(Artifact, world.FileOf(Artifact)));
        if (isSame)
        {
            second.Commit(manifest);
        }
        else
        {
            Assert.AreEqual(RemoteFault.RunExists, Assert.ThrowsExactly<RemoteException>(() => second.Commit(manifest)).Fault);
        }
        first.Dispose();
        second.Dispose();
        Assert.AreEqual(1, new StoreExaminer(store.Directory).ValidateAll("both"));
        CutWorld.AssertNothingArrives(store.Directory, "both");
    }

    private static RunIntake Begin(BackupStore store, RunId id, Action<RunId>? beforeCommit = null) => new(
        store, id, new IntakeOptions { Held = StoreLock.TryShared(store), BeforeCommit = beforeCommit ?? (_ => { }) }, TimeProvider.System);

    private static ChunkId[] Chunks(LyingWorld world) =>
        [.. world.Chunks().Select(c => ChunkId.TryParse(c, out ChunkId id) ? id : throw new FormatException(c))];

    private static void AddAll(LyingWorld world, RunIntake intake)
    {
        foreach (ChunkId id in Chunks(world))
        {
            Add(intake, id, world.Chunk(id.ToString()));
        }
    }

    private static void Add(RunIntake intake, ChunkId id, byte[] stored)
    {
        NativeBuffer buffer = intake.Rent();
        stored.CopyTo(buffer.Span);
        intake.Add(id, null, buffer, stored.Length);
    }

    // Numbers under which this process has a store's directory open.
    private static HashSet<string> DescriptorsOf(BackupStore store)
    {
        HashSet<string> found = [];
        foreach (string path in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            try
            {
                if (new FileInfo(path).LinkTarget == store.Directory)
                {
                    found.Add(Path.GetFileName(path));
                }
            }
            catch (IOException)
            {
                // Closed by now.
            }
        }
        return found;
    }

    // Puts something in its place of which syncfs says that it is no file.
    private static void Break(string descriptor, string path)
    {
        const int pathOnly = 0x200000;
        int nothing = Open([.. System.Text.Encoding.UTF8.GetBytes(path), 0], pathOnly);
        Assert.IsGreaterThan(0, nothing);
        int number = int.Parse(descriptor, System.Globalization.CultureInfo.InvariantCulture);
        Assert.AreEqual(number, Duplicate(nothing, number));
        Assert.AreEqual(0, Close(nothing));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    private static partial int Open(byte[] path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int file);
}
