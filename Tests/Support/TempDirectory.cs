namespace Backupd.Tests.Support;

/// <summary>A directory that removes itself, whatever modes the test left in it.</summary>
internal sealed class TempDirectory : IDisposable
{
    public TempDirectory() => Path = Directory.CreateTempSubdirectory("backupd-test-").FullName;

    public string Path { get; }

    public string this[string relative] => System.IO.Path.Combine(Path, relative);

    public string MakeDirectory(string relative) => Directory.CreateDirectory(this[relative]).FullName;

    public string Write(string relative, string content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[relative])!);
        File.WriteAllText(this[relative], content);
        return this[relative];
    }

    public void Dispose()
    {
        // rm and not Directory.Delete: .NET cannot name, and so not remove, what is not UTF-8.
        using System.Diagnostics.Process removed = Shell.Start("rm", ["-rf", Path]);
        removed.WaitForExit();
        Assert.AreEqual(0, removed.ExitCode, $"{Path} could not be removed");
    }
}
