using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A run that is fetched where another one of its id is.</summary>
[TestClass]
public sealed class ImportOverwriteTests
{
    [TestMethod]
    [DataRow("another manifest")]
    [DataRow("a manifest that cannot be read")]
    public async Task What_was_there_goes_with_all_that_is_known_of_it(string there)
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 92);
        world.PublishOk("at first");
        Engine other = world.Other();
        BackupRun first = other.Supervisor.Import(CutWorld.Server, world.Run.Id, overwrite: false, CancellationToken.None);
        // It came from there, so it is there.
        Assert.IsTrue(other.Supervisor.Publish(first.Id, CutWorld.Server, CancellationToken.None).Remotes.Single().Ok);
        string manifest = Path.Combine(other.Store.CompletedDirectory, first.Id.ToString(), RunDirectory.ManifestName);
        Spoil(manifest, there);
        BackupException refused = world.TryImport(other, out _)!;
        Assert.AreEqual(BackupFault.RemoteImportFailed, refused.Fault);
        long up = world.Proxy.Up;
        BackupRun second = other.Supervisor.Import(CutWorld.Server, first.Id, overwrite: true, CancellationToken.None);
        Assert.IsGreaterThan(up, world.Proxy.Up);
        Assert.IsEmpty(second.Remotes);
        Assert.IsEmpty(other.Supervisor.Catalog.Get(first.Id).Remotes);
        await world.AssertSameAsync(other, second, there);
    }

    [TestMethod]
    public async Task The_same_run_stays_what_it_was()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 93);
        world.PublishOk("at first");
        Engine other = world.Other();
        BackupRun first = other.Supervisor.Import(CutWorld.Server, world.Run.Id, overwrite: false, CancellationToken.None);
        other.Supervisor.Publish(first.Id, CutWorld.Server, CancellationToken.None);
        BackupRun second = other.Supervisor.Import(CutWorld.Server, first.Id, overwrite: true, CancellationToken.None);
        Assert.IsTrue(second.Remotes.Single().Ok);
    }

    private static void Spoil(string manifest, string how)
    {
        if (how == "another manifest")
        {
            File.AppendAllText(manifest, "\n");
            return;
        }
        // Far longer than any manifest: it is refused before it is read.
        using FileStream file = File.OpenWrite(manifest);
        file.SetLength(1L << 30);
    }
}
