namespace Backupd.Tests.Support;

/// <summary>
/// Everything that the system's own programs say about a tree, as text: one line an entry with type and mode, owner,
/// time, device, number of links, quoted name and link target; then attributes, then sums of the content. Shares no
/// code with the engine.
/// </summary>
internal sealed class TreeFacts
{
    // The sockets of a tree are left out of backups. Names are quoted by stat and made visible by cat, so that all is ASCII.
    private const string Script =
        """
        cd "$1" || exit 1
        export LC_ALL=C QUOTING_STYLE=c
        list() { find . ! -type s "$@" -print0 | sort -z; }
        list | xargs -0 -r stat -c '%f %u %g %.9Y %t:%T %h %b %i %F %N'
        echo ATTRIBUTES
        list | xargs -0 -r getfattr -h -d -m - -e hex -- | cat -v
        echo CONTENT
        list -type f | xargs -0 -r sha256sum -- | cat -v
        """;

    private readonly List<string> _lines = [];
    private readonly List<long> _blocks = [];

    private TreeFacts()
    {
    }

    /// <summary>Entries without the sockets.</summary>
    public int Entries => _blocks.Count;

    public static async Task<TreeFacts> OfAsync(string root)
    {
        TreeFacts facts = new();
        string[] lines = (await Shell.Ok("bash", "-o", "pipefail", "-c", Script, "bash", root)).Split('\n');
        int attributes = Array.IndexOf(lines, "ATTRIBUTES");
        Dictionary<string, int> first = [];
        foreach (string line in lines.Take(attributes))
        {
            string[] parts = line.Split(' ', 9);
            facts._blocks.Add(parts[8].StartsWith("regular", StringComparison.Ordinal) ? long.Parse(parts[6], null) : 0);
            // Inode numbers differ; which names share one must not.
            first.TryAdd(parts[7], facts._lines.Count);
            string link = first[parts[7]] == facts._lines.Count ? "" : $" is entry {first[parts[7]]}";
            facts._lines.Add($"{string.Join(' ', parts[..6])} {parts[8]}{link}");
        }
        facts._lines.AddRange(lines.Skip(attributes));
        return facts;
    }

    /// <summary>What differs, as pairs of lines; and files that take much more room than the original's, whose holes were
    /// filled.</summary>
    public IReadOnlyList<string> DifferencesTo(TreeFacts copy)
    {
        List<string> differences = [];
        for (int i = 0; i < Math.Max(_lines.Count, copy._lines.Count) && differences.Count < 6; i++)
        {
            string own = i < _lines.Count ? _lines[i] : "";
            string other = i < copy._lines.Count ? copy._lines[i] : "";
            if (own != other)
            {
                differences.Add($"is     {other}\nshould {own}");
            }
            // 64 KiB: a hole shorter than that is not kept.
            else if (i < _blocks.Count && copy._blocks[i] > _blocks[i] + 128)
            {
                differences.Add($"takes {copy._blocks[i]} blocks and not {_blocks[i]}: {own}");
            }
        }
        return differences;
    }
}
