namespace Backupd.Tests.Support;

/// <summary>A directory that removes itself, whatever modes the test left in it.</summary>
internal sealed class TempDirectory : IDisposable
{
    // Where glibc expects a file system in memory for all.
    private const string Memory = "/dev/shm";

    private const long RoomNeeded = 2L << 30;

    public TempDirectory()
        : this(Directory.CreateTempSubdirectory("backupd-test-").FullName)
    {
    }

    private TempDirectory(string path) => Path = path;

    public string Path { get; }

    public string this[string relative] => System.IO.Path.Combine(Path, relative);

    /// <summary>One in memory, where a sync costs nothing: for a test that syncs thousands of times and looks at what the
    /// program does and not at what the file system does. On the disk, where the machine has no such place with room.</summary>
    public static TempDirectory InMemory() =>
        HasMemory() ? new($"{Memory}/{Directory.CreateDirectory($"{Memory}/backupd-test-{Guid.NewGuid():N}").Name}") : new();

    public string MakeDirectory(string relative) => Directory.CreateDirectory(this[relative]).FullName;

    public string Write(string relative, string content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[relative])!);
        File.WriteAllText(this[relative], content);
        return this[relative];
    }

    /// <summary>Removes a directory with all that is in it.</summary>
    public static void Remove(string path)
    {
        // rm and not Directory.Delete: .NET cannot name, and so not remove, what is not UTF-8.
        using System.Diagnostics.Process removed = Shell.Start("rm", ["-rf", path]);
        removed.WaitForExit();
        Assert.AreEqual(0, removed.ExitCode, $"{path} could not be removed");
    }

    public void Dispose() => Remove(Path);

    // Before Linux 6.6 files in memory have no attributes of users.
    private static bool HasMemory() => Environment.OSVersion.Version >= new Version(6, 6) && Directory.Exists(Memory)
        && new DriveInfo(Memory) is { DriveFormat: "tmpfs", AvailableFreeSpace: >= RoomNeeded };
}
