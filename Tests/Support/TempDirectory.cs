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

    /// <summary>Removes a directory with all that is in it.</summary>
    public static void Remove(string path)
    {
        // rm and not Directory.Delete: .NET cannot name, and so not remove, what is not UTF-8.
        using System.Diagnostics.Process removed = Shell.Start("rm", ["-rf", path]);
        removed.WaitForExit();
        Assert.AreEqual(0, removed.ExitCode, $"{path} could not be removed");
    }

    public void Dispose() => Remove(Path);
}
