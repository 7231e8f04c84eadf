using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Runs that are sent to another backupd over TLS, and what comes back from there.</summary>
[TestClass]
public sealed class PublishTests : IDisposable
{
    private readonly TempDirectory _source = new();

    public void Dispose() => _source.Dispose();

    [TestMethod]
    public async Task A_run_arrives_whole_and_restores_identical_elsewhere()
    {
        new TreeBuilder(1).Fill(_source["tree"], files: 60, maxBytes: 300_000);
        await using TestVault vault = new();
        using Engine sender = new(new DirectoryParticipant("tree", true, _source["tree"]));
        sender.Supervisor.Endpoints.Add(vault.Endpoint());
        BackupRun run = await sender.RunOk();
        RemoteResult result = run.Remotes.Single();
        Assert.AreEqual("", result.Error);
        Assert.IsTrue(result.Ok);
        Assert.AreEqual(2, result.StepsDone);
        CollectionAssert.AreEqual((string[])[run.Id.ToString()], vault.Visible);

        using Engine other = new();
        other.Supervisor.Endpoints.Add(vault.Endpoint());
        BackupRun listed = other.Supervisor.ListRemote("vault", 10, null, CancellationToken.None).Single();
        Assert.AreEqual(run.Id, listed.Id);
        BackupRun imported = other.Supervisor.Import("vault", run.Id, overwrite: false, CancellationToken.None);
        Assert.AreEqual(run.Id, imported.Id);
        other.Validate(imported);
        string back = other.Restore(imported, "back");
        CollectionAssert.AreEqual(Array.Empty<string>(), TreeComparer.Differences(_source["tree"], Path.Combine(back, "tree")).ToArray());
    }
}
