using System.Text;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Runs that are damaged where they are copied from, in a way that their manifest alone does not show. Their sums do, and
/// a copy with new sums must not make them look whole.</summary>
[TestClass]
public sealed class DamagedOriginTests
{
    private const string Server = CutWorld.Server;
    private const string Artifact = "documents.snapshot";

    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    [DataRow("\"error_summary\": \"\"", "\"error_summary\": \"x\"")]
    [DataRow("\"critical\": true", "\"critical\": false")]
    [DataRow("\"host\": \"", "\"host\": \"x")]
    [DataRow("\"run_id\"", " \"run_id\"")]
    public async Task A_manifest_that_differs_from_its_sum_is_not_imported(string honest, string changed)
    {
        LyingWorld world = await Shared.Value;
        await AssertRefusedAsync(world, RunDirectory.ManifestName, content => Replace(content, honest, changed), "differs from its sum");
    }

    [TestMethod]
    [DataRow("without the manifest", "is not listed")]
    [DataRow("without the artifact", "is not listed")]
    [DataRow("empty", "is not listed")]
    [DataRow("another sum of the artifact", "differs from its sum")]
    [DataRow("a space too few", "not a sum and a name")]
    [DataRow("without its end", "its end is missing")]
    [DataRow("no text", "not a sum and a name")]
    public async Task Sums_that_do_not_cover_the_run_import_nothing(string how, string why)
    {
        LyingWorld world = await Shared.Value;
        await AssertRefusedAsync(world, RunDirectory.SumsName, content => Changed(how, Encoding.UTF8.GetString(content)), why);
    }

    [TestMethod]
    public async Task A_run_without_sums_is_no_run_although_its_server_has_it()
    {
        LyingWorld world = await Shared.Value;
        await using FakePeer fake = new(world.Sender, world.Run, (request, call) =>
        {
            bool isAsked = request.Command == PeerCommands.GetFile && request.Name == RunDirectory.SumsName;
            if (isAsked)
            {
                call.Raw("{\"status\":404,\"error\":\"BACKUP_RUN_NOT_FOUND\",\"message\":\"a run has no file of that name\"}\n");
            }
            return isAsked;
        });
        BackupException error = AssertNotImported(world, fake);
        Assert.Contains("SHA256SUMS is missing", error.Message);
    }

    [TestMethod]
    public async Task A_manifest_that_changed_here_is_not_published()
    {
        using LyingWorld world = await LyingWorld.MakeAsync();
        await using TestVault vault = new();
        world.Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        string manifest = Path.Combine(world.Sender.Store.CompletedDirectory, world.Run.Id.ToString(), RunDirectory.ManifestName);
        byte[] honest = await File.ReadAllBytesAsync(manifest, CancellationToken.None);
        await File.WriteAllBytesAsync(manifest, Replace(honest, "\"error_summary\": \"\"", "\"error_summary\": \"x\""), CancellationToken.None);
        RemoteResult refused = world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.Contains("manifest.json differs from its sum in SHA256SUMS", refused.Error);
        Assert.Contains("backupd validate", refused.Error);
        Assert.IsEmpty(vault.Visible);
        await File.WriteAllBytesAsync(manifest, honest, CancellationToken.None);
        RemoteResult sent = world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", sent.Error);
        // What has no sums here has none to be held against.
        File.Delete(Path.Combine(Path.GetDirectoryName(manifest)!, RunDirectory.SumsName));
        refused = world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.Contains("SHA256SUMS is missing", refused.Error);
    }

    [TestMethod]
    public async Task A_manifest_that_changed_in_a_directory_is_not_imported()
    {
        LyingWorld world = await Shared.Value;
        using TempDirectory directory = new();
        EndpointChange endpoint = new() { Name = "usb", Host = "file://" + directory.MakeDirectory("usb"), RetryAttempts = 1 };
        world.Sender.Supervisor.Endpoints.Add(endpoint);
        BackupRun run = world.Sender.Supervisor.Publish(world.Run.Id, "usb", CancellationToken.None);
        Assert.AreEqual("", run.Remotes.Single(r => r.ServerName == "usb").Error);
        string manifest = directory[$"usb/completed/{run.Id}/manifest.json"];
        byte[] honest = await File.ReadAllBytesAsync(manifest, CancellationToken.None);
        await File.WriteAllBytesAsync(manifest, Replace(honest, "\"files\": ", "\"files\": 1"), CancellationToken.None);
        using Engine other = new();
        other.Supervisor.Endpoints.Add(endpoint);
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.Import("usb", run.Id, overwrite: false, CancellationToken.None));
        Assert.Contains("manifest.json differs from its sum in SHA256SUMS", error.Message);
        Assert.IsEmpty(new StoreExaminer(other.Store.Directory).Completed);
        await File.WriteAllBytesAsync(manifest, honest, CancellationToken.None);
        other.Validate(other.Supervisor.Import("usb", run.Id, overwrite: false, CancellationToken.None));
    }

    private static async Task AssertRefusedAsync(LyingWorld world, string name, Func<byte[], byte[]> change, string why)
    {
        await using FakePeer fake = new(world.Sender, world.Run, (request, call) =>
        {
            bool isAsked = request.Command == PeerCommands.GetFile && request.Name == name;
            if (isAsked)
            {
                call.Reply(change(call.Honest(name)));
            }
            return isAsked;
        });
        BackupException error = AssertNotImported(world, fake);
        Assert.Contains(why, error.Message);
    }

    private static BackupException AssertNotImported(LyingWorld world, FakePeer fake)
    {
        using Engine other = new();
        other.Supervisor.Endpoints.Add(new EndpointChange
        {
            Name = Server,
            Host = fake.Address.ToString(),
            Login = "backup",
            Password = "p",
            TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
            RetryAttempts = 1,
        });
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.Import(Server, world.Run.Id, overwrite: false, CancellationToken.None));
        Assert.AreEqual(BackupFault.RemoteImportFailed, error.Fault, error.Message);
        Assert.IsEmpty(new StoreExaminer(other.Store.Directory).Completed);
        CutWorld.AssertNothingArrives(other.Store.Directory, "a damaged run");
        return error;
    }

    private static byte[] Changed(string how, string sums)
    {
        string[] lines = sums.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(2, lines, sums);
        return how == "no text" ? [0xff, 0xfe, 0x00, .. Encoding.UTF8.GetBytes(sums)] : Encoding.UTF8.GetBytes(how switch
        {
            "without the manifest" => lines.Single(l => !l.EndsWith(RunDirectory.ManifestName, StringComparison.Ordinal)) + "\n",
            "without the artifact" => lines.Single(l => !l.EndsWith(Artifact, StringComparison.Ordinal)) + "\n",
            "empty" => "",
            "another sum of the artifact" => string.Concat(lines.Select(
                l => (l.EndsWith(Artifact, StringComparison.Ordinal) ? new string('0', 64) + l[64..] : l) + "\n")),
            "a space too few" => sums.Replace("  ", " ", StringComparison.Ordinal),
            _ => sums.TrimEnd('\n'),
        });
    }

    private static byte[] Replace(byte[] content, string what, string with)
    {
        string text = Encoding.UTF8.GetString(content);
        Assert.Contains(what, text);
        return Encoding.UTF8.GetBytes(text.Replace(what, with, StringComparison.Ordinal));
    }
}
