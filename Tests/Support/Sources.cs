using System.Runtime.CompilerServices;

namespace Backupd.Tests.Support;

/// <summary>The checkout that the tests were built from.</summary>
internal static class Sources
{
    public static string Root { get; } = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>Files of the project with an ending, relative to the root, without what builds make.</summary>
    public static IEnumerable<string> Files(string ending) =>
        Directory.EnumerateFiles(Root, "*" + ending, SearchOption.AllDirectories)
            .Select(p => Path.GetRelativePath(Root, p))
            .Where(p => !p.Split('/').Any(part => part is "bin" or "obj" or "out" or ".git" or "TestResults"));

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}
