using System.Text;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>In what order a vault deletes a run: it is gone, then that is said, then its files are unlinked.</summary>
[TestClass]
public sealed class VaultDeleteTests
{
    [TestMethod]
    public async Task The_answer_does_not_wait_for_the_unlinking()
    {
        using TempDirectory source = new();
        source.Write("tree/a", "content");
        using Engine engine = new(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await engine.RunOk();
        VaultLogin login = new("backup", "", isAppendOnly: false, quotaBytes: null);
        VaultAccess access = new(new VaultSettings(source.Path, null, [login]), new Dictionary<string, byte[]>());
        VaultStore store = new(engine.Store.Directory, access, login, new VaultUse(TimeProvider.System), TimeProvider.System);
        List<string> seen = [];
        using Line line = new($"{{\"command\":\"delete_run\",\"run_id\":\"{run.Id}\"}}\n", answer =>
        {
            Assert.Contains("\"status\":200", answer);
            seen.Add($"{Entries(engine.Store.CompletedDirectory)} visible, {Entries(engine.Store.TrashDirectory)} in the trash");
        });
        using VaultSession session = new(new PeerStream(line, []), store, s => s, _ => { });
        session.Run();
        CollectionAssert.AreEqual((string[])["0 visible, 1 in the trash"], seen);
        Assert.AreEqual(0, Entries(engine.Store.TrashDirectory));
    }

    private static int Entries(string directory) => Directory.GetFileSystemEntries(directory).Length;

    /// <summary>A connection on which one request comes; what is answered is told when it leaves.</summary>
    private sealed class Line(string request, Action<string> answered) : Stream
    {
        private readonly MemoryStream _request = new(Encoding.UTF8.GetBytes(request));

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => _request.Read(buffer, offset, count);

        public override void Write(byte[] buffer, int offset, int count) => answered(Encoding.UTF8.GetString(buffer, offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _request.Dispose();
            base.Dispose(disposing);
        }
    }
}
