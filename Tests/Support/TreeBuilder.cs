using System.Text;

namespace Backupd.Tests.Support;

/// <summary>Makes trees from a seed: nested directories, odd names, links, modes and times.</summary>
internal sealed class TreeBuilder(int seed)
{
    private static readonly string[] OddNames =
        [" leading", "trailing ", "new\nline", "tab\tname", "ünïcödé", "日本語", "-rf", "quote'\"", "back\\slash", "%41", "~"];

    private readonly Random _random = new(seed);
    private int _made;

    /// <summary>Fills a directory with so many files and the directories that hold them.</summary>
    public void Fill(string root, int files, int maxBytes)
    {
        Directory.CreateDirectory(root);
        List<string> directories = [root];
        while (_made < files)
        {
            if (_random.Next(12) == 0)
            {
                string parent = directories[_random.Next(directories.Count)];
                directories.Add(Directory.CreateDirectory(Path.Combine(parent, Name())).FullName);
            }
            MakeFile(Path.Combine(directories[_random.Next(directories.Count)], Name()), maxBytes);
        }
        for (int i = 0; i < 10; i++)
        {
            string target = i % 2 == 0 ? "../nowhere" : "/etc/hostname";
            File.CreateSymbolicLink(Path.Combine(directories[_random.Next(directories.Count)], Name()), target);
        }
        // From the deepest up: a directory's time changes with what is made in it.
        foreach (string directory in directories.OrderByDescending(d => d.Length))
        {
            File.SetUnixFileMode(directory, (UnixFileMode)(_random.Next(2) == 0 ? 0b111_101_101 : 0b111_000_000));
            Directory.SetLastWriteTimeUtc(directory, Time());
        }
    }

    private void MakeFile(string path, int maxBytes)
    {
        int size = _random.Next(5) == 0 ? 0 : (int)Math.Exp(_random.NextDouble() * Math.Log(maxBytes + 1));
        byte[] content = new byte[size];
        if (_random.Next(2) == 0)
        {
            _random.NextBytes(content);
        }
        else
        {
            byte[] line = Encoding.UTF8.GetBytes($"line {_random.Next(50)} of a file that compresses well\n");
            for (int i = 0; i < size; i++)
            {
                content[i] = line[i % line.Length];
            }
        }
        File.WriteAllBytes(path, content);
        File.SetUnixFileMode(path, (UnixFileMode)(_random.Next(0b111_111_111) | 0b100_000_000));
        File.SetLastWriteTimeUtc(path, Time());
    }

    private string Name()
    {
        _made++;
        string odd = _random.Next(20) == 0 ? OddNames[_random.Next(OddNames.Length)] : "f";
        return $"{odd}{_made}";
    }

    private DateTime Time() =>
        DateTime.UnixEpoch.AddSeconds(_random.Next(1_000_000_000)).AddTicks(_random.Next(10_000_000));
}

/// <summary>Compares two trees.</summary>
internal static class TreeComparer
{
    /// <summary>Every difference in names, kinds, content, mode, time and link targets; empty when there is none.</summary>
    public static IReadOnlyList<string> Differences(string expected, string actual)
    {
        List<string> differences = [];
        Compare(new DirectoryInfo(expected), new DirectoryInfo(actual), differences);
        return differences;
    }

    private static void Compare(DirectoryInfo expected, DirectoryInfo actual, List<string> differences)
    {
        CompareFacts(expected, actual, differences);
        if (!actual.Exists)
        {
            return;
        }
        Dictionary<string, FileSystemInfo> found = actual.GetFileSystemInfos().ToDictionary(i => i.Name);
        foreach (FileSystemInfo info in expected.GetFileSystemInfos())
        {
            if (!found.Remove(info.Name, out FileSystemInfo? other))
            {
                differences.Add($"{info.FullName} is missing");
            }
            else if (info.LinkTarget is not null || other.LinkTarget is not null)
            {
                Add(differences, info.LinkTarget == other.LinkTarget, info, $"link {info.LinkTarget} is {other.LinkTarget}");
            }
            else if (info is DirectoryInfo directory)
            {
                Compare(directory, new DirectoryInfo(other.FullName), differences);
            }
            else
            {
                CompareFacts(info, other, differences);
                Add(
                    differences,
                    File.ReadAllBytes(info.FullName).AsSpan().SequenceEqual(File.ReadAllBytes(other.FullName)),
                    info, "content differs");
            }
        }
        differences.AddRange(found.Keys.Select(name => $"{actual.FullName}/{name} is too much"));
    }

    private static void CompareFacts(FileSystemInfo expected, FileSystemInfo actual, List<string> differences)
    {
        Add(differences, actual.Exists, expected, "is missing");
        Add(
            differences, expected.UnixFileMode == actual.UnixFileMode, expected,
            $"mode {expected.UnixFileMode} is {actual.UnixFileMode}");
        Add(
            differences, expected.LastWriteTimeUtc == actual.LastWriteTimeUtc, expected,
            $"time {expected.LastWriteTimeUtc:O} is {actual.LastWriteTimeUtc:O}");
    }

    private static void Add(List<string> differences, bool same, FileSystemInfo info, string what)
    {
        if (!same)
        {
            differences.Add($"{info.FullName}: {what}");
        }
    }
}
