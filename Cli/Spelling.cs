namespace Backupd.Cli;

/// <summary>Finds what somebody probably meant to write.</summary>
internal static class Spelling
{
    /// <summary>The nearest of the known words; null when none is near.</summary>
    internal static string? Nearest(IEnumerable<string> known, string written)
    {
        string? best = known.MinBy(k => Distance(k, written));
        return best is not null && Distance(best, written) <= Math.Max(2, written.Length / 3) ? best : null;
    }

    // Levenshtein's distance, with case ignored: "Store" is one thought away from "store".
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 0; i < a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i + 1;
            for (int j = 0; j < b.Length; j++)
            {
                int cost = char.ToLowerInvariant(a[i]) == char.ToLowerInvariant(b[j]) ? 0 : 1;
                int replaced = diagonal + cost;
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, Math.Min(row[j], diagonal) + 1);
            }
        }
        return row[^1];
    }
}
