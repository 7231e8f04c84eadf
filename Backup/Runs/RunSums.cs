using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Holds the files of a run's directory against its <c>SHA256SUMS</c>.</summary>
internal static class RunSums
{
    /// <summary>What differs from its sum, is missing, or is not listed; a clause each that begins with the file's
    /// name.</summary>
    /// <param name="run">As its manifest tells it.</param>
    /// <param name="directory">Where it is.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal static List<string> Problems(BackupRun run, string directory, bool cold)
    {
        List<string> problems = [];
        HashSet<string> covered = [];
        HashSet<string> files =
            [.. run.Participants.SelectMany(p => p.Artifacts).Select(a => a.LogicalName), RunDirectory.ManifestName];
        string text = Read(directory, cold, problems);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // The form of sha256sum: the sum, two spaces, the name.
            string name = line.Length > 66 ? line[66..] : "";
            if (name.Length == 0 || line[64..66] != "  " || name.Contains('/', StringComparison.Ordinal))
            {
                problems.Add($"{RunDirectory.SumsName}: a line is not a sum and a name");
                continue;
            }
            covered.Add(name);
            if (!File.Exists(Path.Combine(directory, name)) && !files.Contains(name))
            {
                problems.Add($"{RunDirectory.SumsName}: it lists {name}, which the run does not have");
            }
            else if (Problem(Path.Combine(directory, name), line[..64], cold) is string problem)
            {
                problems.Add($"{name}: {problem}");
            }
        }
        foreach (string name in files)
        {
            if (!covered.Contains(name))
            {
                problems.Add($"{RunDirectory.SumsName}: {name} is not listed");
            }
        }
        if (problems.Count == 0 && !text.EndsWith('\n'))
        {
            problems.Add($"{RunDirectory.SumsName}: its end is missing");
        }
        return problems;
    }

    private static string Read(string directory, bool cold, List<string> problems)
    {
        try
        {
            return Encoding.UTF8.GetString(StoreFile.Read(Path.Combine(directory, RunDirectory.SumsName), cold));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{RunDirectory.SumsName}: {e.Message}");
            return "";
        }
    }

    private static string? Problem(string path, string expected, bool cold)
    {
        try
        {
            string found = Convert.ToHexStringLower(SHA256.HashData(StoreFile.Read(path, cold)));
            return found == expected ? null : $"its SHA-256 is {found} where {RunDirectory.SumsName} says {expected}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
