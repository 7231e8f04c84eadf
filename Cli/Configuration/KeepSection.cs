using Backupd.Backup.Runs;

namespace Backupd.Cli.Configuration;

/// <summary>Reads the key <c>keep</c>, of the file or of its vault.</summary>
internal static class KeepSection
{
    private const int Most = 100_000;

    private static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    /// <param name="tokens">Before the object.</param>
    /// <param name="section">Whose keys they are.</param>
    internal static RetentionPolicy Read(ref ConfigurationTokens tokens, string section)
    {
        RetentionPolicy policy = new();
        HashSet<string> seen = [];
        tokens.BeginObject("keep");
        int place = tokens.Place;
        while (tokens.NextKey(section, seen) is string key)
        {
            policy = key switch
            {
                "last" => policy with { Last = Count(ref tokens) },
                "hourly" => policy with { Hourly = Count(ref tokens) },
                "daily" => policy with { Daily = Count(ref tokens) },
                "weekly" => policy with { Weekly = Count(ref tokens) },
                "monthly" => policy with { Monthly = Count(ref tokens) },
                "yearly" => policy with { Yearly = Count(ref tokens) },
                "within" => policy with { Within = tokens.DurationUpTo(Longest) },
                _ => throw new InvalidOperationException($"the key {key} is in the table and not read"),
            };
        }
        return policy.KeepsSomething
            ? policy
            : throw tokens.Error(
                place, "this would keep nothing: say how many to keep, such as \"daily\": 7, or leave the key out to keep all");
    }

    private static int Count(ref ConfigurationTokens tokens) => (int)tokens.Number(0, Most);
}
