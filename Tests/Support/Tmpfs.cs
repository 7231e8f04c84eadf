using System.Globalization;

namespace Backupd.Tests.Support;

/// <summary>A file system in memory, as small as the test wants it. Needs root.</summary>
internal sealed class Tmpfs : IDisposable
{
    /// <summary>Room for everything that these tests do.</summary>
    public const string Roomy = "size=64m,nr_inodes=10000";

    private Tmpfs(string path) => Path = path;

    public string Path { get; }

    public static async Task<Tmpfs> MountAsync(string path, string options)
    {
        Directory.CreateDirectory(path);
        await Shell.Ok("mount", "-t", "tmpfs", "-o", options, "tmpfs", path);
        return new Tmpfs(path);
    }

    /// <summary>Sets limits anew; none may be below what is in use.</summary>
    public async Task LimitAsync(string options) => await Shell.Ok("mount", "-o", $"remount,{options}", Path);

    /// <summary>Bytes and inodes in use.</summary>
    public async Task<(long Bytes, long Inodes)> UsedAsync()
    {
        string[] words = (await Shell.Ok("stat", "-f", "-c", "%S %b %f %c %d", Path)).Split(' ');
        long[] numbers = [.. words.Select(w => long.Parse(w, CultureInfo.InvariantCulture))];
        return (numbers[0] * (numbers[1] - numbers[2]), numbers[3] - numbers[4]);
    }

    public void Dispose()
    {
        using System.Diagnostics.Process unmounted = Shell.Start("umount", [Path]);
        unmounted.WaitForExit();
        Assert.AreEqual(0, unmounted.ExitCode, $"{Path} could not be unmounted");
    }
}
