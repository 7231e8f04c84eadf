using System.Diagnostics;

namespace Backupd.Tests.Support;

/// <summary>
/// A file system of another user that never answers: its program holds the device and reads nothing from it. Who is not
/// that user is refused at once, or waits for ever where all are allowed. Needs root. What waits goes on when it is
/// disposed of.
/// </summary>
internal sealed class SilentMount : IDisposable
{
    private const string Program =
        """
        import ctypes, os, sys
        device = os.open("/dev/fuse", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={device},rootmode=40000,user_id=65534,group_id=65534{sys.argv[2]}"
        if libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options.encode()) != 0:
            sys.exit(os.strerror(ctypes.get_errno()))
        print("mounted", flush=True)
        sys.stdin.read()
        libc.umount2(sys.argv[1].encode(), 2)
        """;

    private readonly Process _process;

    private SilentMount(Process process) => _process = process;

    /// <param name="path">Where; is made.</param>
    /// <param name="allowOthers">Others are not refused but wait.</param>
    public static async Task<SilentMount> MountAsync(string path, bool allowOthers)
    {
        Directory.CreateDirectory(path);
        SilentMount mount = new(Shell.Start("python3", ["-c", Program, path, allowOthers ? ",allow_other" : ""]));
        string? word = await Deadline.Of(mount._process.StandardOutput.ReadLineAsync(), "the mount");
        Assert.AreEqual("mounted", word);
        return mount;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
