using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Holds the files of a run against its <c>SHA256SUMS</c>, which has the form of sha256sum: in a line the sum, two
/// spaces and a name.</summary>
internal static class RunSums
{
    private const int SumLength = 64;
    private const string Between = "  ";

    /// <summary>Takes a line apart.</summary>
    /// <returns>Whether it is a sum and the name of a file of the run.</returns>
    private static bool TrySplit(string line, out string sum, out string name)
    {
        int start = SumLength + Between.Length;
        bool isLine = line.Length > start && line.AsSpan(SumLength, Between.Length).SequenceEqual(Between)
            && line.IndexOf('/', start) < 0;
        sum = isLine ? line[..SumLength] : "";
        name = isLine ? line[start..] : "";
        return isLine;
    }

    /// <summary>What is wrong between a run and its sums, as a clause; null when nothing is. Artifacts are known by what the
    /// manifest says of them: whoever reads one holds it against that.</summary>
    /// <param name="sums">The file of the sums.</param>
    /// <param name="manifest">The file of the manifest.</param>
    /// <param name="run">What that says.</param>
    internal static string? ProblemOf(byte[] sums, byte[] manifest, BackupRun run)
    {
        Dictionary<string, string> wanted = new()
        {
            [RunDirectory.ManifestName] = Convert.ToHexStringLower(SHA256.HashData(manifest)),
        };
        foreach (ArtifactResult artifact in run.Participants.SelectMany(p => p.Artifacts))
        {
            wanted[artifact.LogicalName] = artifact.Sha256;
        }
        return Compare(
            Encoding.UTF8.GetString(sums), wanted.Keys,
            (name, sum) => wanted.TryGetValue(name, out string? expected) && sum != expected
                ? $"{name} differs from its sum in {RunDirectory.SumsName}"
                : null).FirstOrDefault();
    }

    /// <summary>What differs from its sum, is missing, or is not listed; a clause each that begins with the file's
    /// name.</summary>
    /// <param name="run">As its manifest tells it.</param>
    /// <param name="directory">Where it is.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal static List<string> Problems(BackupRun run, string directory, bool cold)
    {
        List<string> problems = [];
        HashSet<string> files =
            [.. run.Participants.SelectMany(p => p.Artifacts).Select(a => a.LogicalName), RunDirectory.ManifestName];
        string text = Read(directory, cold, problems);
        problems.AddRange(Compare(text, files, (name, sum) =>
        {
            string path = Path.Combine(directory, name);
            if (!files.Contains(name) && !File.Exists(path))
            {
                return $"{RunDirectory.SumsName}: it lists {name}, which the run does not have";
            }
            return Problem(path, sum, cold) is string problem ? $"{name}: {problem}" : null;
        }));
        return problems;
    }

    // Line by line, then what no line was about. Where nothing else is wrong the last line has to be whole.
    private static IEnumerable<string> Compare(
        string text, IReadOnlyCollection<string> files, Func<string, string, string?> problemOf)
    {
        HashSet<string> covered = [];
        bool isWrong = false;
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string? problem = $"{RunDirectory.SumsName}: a line is not a sum and a name";
            if (TrySplit(line, out string sum, out string name))
            {
                covered.Add(name);
                problem = problemOf(name, sum);
            }
            if (problem is not null)
            {
                isWrong = true;
                yield return problem;
            }
        }
        foreach (string name in files.Where(n => !covered.Contains(n)))
        {
            isWrong = true;
            yield return $"{RunDirectory.SumsName}: {name} is not listed";
        }
        if (!isWrong && !text.EndsWith('\n'))
        {
            yield return $"{RunDirectory.SumsName}: its end is missing";
        }
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
