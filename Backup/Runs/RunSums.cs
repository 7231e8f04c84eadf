using System.Security.Cryptography;
using System.Text;

namespace Backupd.Backup.Runs;

/// <summary>What <c>SHA256SUMS</c> of a run says, in the form of sha256sum: a line has the sum, two spaces and a name.</summary>
internal static class RunSums
{
    private const int SumLength = 64;
    private const string Between = "  ";

    /// <summary>Takes a line apart.</summary>
    /// <returns>Whether it is a sum and the name of a file of the run.</returns>
    internal static bool TrySplit(string line, out string sum, out string name)
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
        HashSet<string> covered = [];
        string text = Encoding.UTF8.GetString(sums);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!TrySplit(line, out string sum, out string name))
            {
                return $"{RunDirectory.SumsName}: a line is not a sum and a name";
            }
            if (wanted.TryGetValue(name, out string? expected) && sum != expected)
            {
                return $"{name} differs from its sum in {RunDirectory.SumsName}";
            }
            covered.Add(name);
        }
        string? missing = wanted.Keys.FirstOrDefault(n => !covered.Contains(n));
        return missing is not null ? $"{RunDirectory.SumsName}: {missing} is not listed"
            : text.EndsWith('\n') ? null
            : $"{RunDirectory.SumsName}: its end is missing";
    }
}
