namespace Backupd.Cli.Configuration;

/// <summary>A key of the configuration file.</summary>
/// <param name="Section">"" for the top, <c>listen</c>, or <c>participant</c> for what is below a participant's name.</param>
/// <param name="Name">As written.</param>
/// <param name="Default">What holds without it.</param>
/// <param name="Meaning">One line.</param>
public sealed record ConfigurationKey(string Section, string Name, string Default, string Meaning);

/// <summary>Every key there is. What is not in this table is refused, and docs/configuration.md is held against it.</summary>
public static class ConfigurationKeys
{
    /// <summary>The section of what is below a participant's name.</summary>
    public const string Participant = "participant";

    /// <summary>The table.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new("", "store", "required", "the directory that holds the backups"),
        new("", "listen", "", "where the daemon listens"),
        new("", "participants", "", "what is backed up, by name"),
        new("", "timeout", "6h", "the longest that a run may take"),
        new("", "validate", "new", "\"new\" reads new chunks back; \"cold\" from the disk and not the page cache"),
        new("listen", "socket", "the default place", "path of the Unix socket; \"\" for none"),
        new("listen", "group", "none", "members may use the Unix socket without a token"),
        new("listen", "tcp", "127.0.0.1:8620", "loopback address and port; \"\" for none"),
        new("listen", "tokenSecretFile", "the default place", "file with the key of access tokens, made when missing"),
        new(Participant, "directory", "", "back up this directory tree"),
        new(Participant, "file", "", "back up this file"),
        new(Participant, "sqlite", "", "back up this live SQLite database"),
        new(Participant, "command", "", "program and arguments; its standard output is backed up"),
        new(Participant, "critical", "true", "whether its failure fails the run"),
        new(Participant, "exclude", "[]", "directory: patterns in gitignore syntax"),
        new(Participant, "oneFileSystem", "true", "directory: do not enter mount points"),
        new(Participant, "unreadable", "fail", "directory: \"fail\" or \"warn\" about entries that cannot be read"),
        new(Participant, "user", "the daemon's", "command: the account that it runs as"),
        new(Participant, "timeout", "1h", "command: the longest that it may take"),
        new(Participant, "minBytes", "1", "command: less output is a failure"),
    ];

    /// <summary>Whether a section has a key.</summary>
    public static bool Exists(string section, string name) => All.Any(k => k.Section == section && k.Name == name);

    /// <summary>The key of a section that a misspelled name most likely means; null when none is near.</summary>
    public static string? Nearest(string section, string name)
    {
        ConfigurationKey? best = All.Where(k => k.Section == section).MinBy(k => Distance(k.Name, name));
        return best is not null && Distance(best.Name, name) <= Math.Max(2, name.Length / 3) ? best.Name : null;
    }

    // Levenshtein's distance, with case ignored: "Store" is one thought away from "store".
    private static int Distance(string a, string b)
    {
        int[] previous = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int[] current = new int[b.Length + 1];
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                current[j] = Math.Min(Math.Min(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + change);
            }
            previous = current;
        }
        return previous[b.Length];
    }
}
