using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// Exclude patterns in gitignore syntax (gitignore(5)): <c>*.bak</c> at any depth, <c>/cache</c> at the root,
/// <c>cache/</c> directories only, <c>**</c> for any number of directories, <c>!keep.bak</c> to take back. The last
/// pattern that matches decides. Names are compared as bytes.
/// </summary>
internal sealed class ExcludeRules
{
    private readonly ImmutableArray<Rule> _rules;

    /// <exception cref="BackupException">InputInvalid: a pattern that can match nothing.</exception>
    internal ExcludeRules(IEnumerable<string> patterns) =>
        _rules = [.. patterns.Where(p => p.Length > 0 && p[0] != '#').Select(Parse)];

    /// <summary>Whether a path below the root is excluded. Its parents are known not to be.</summary>
    internal bool IsExcluded(ReadOnlySpan<byte> path, bool isDirectory)
    {
        for (int i = _rules.Length - 1; i >= 0; i--)
        {
            if (_rules[i].Pattern.Matches(path, isDirectory))
            {
                return !_rules[i].TakesBack;
            }
        }
        return false;
    }

    private static Rule Parse(string pattern)
    {
        bool takesBack = pattern[0] == '!';
        // A backslash before a leading ! or # is an escape like any other.
        return new Rule(PathPattern.Parse(takesBack ? pattern[1..] : pattern), takesBack);
    }

    private readonly record struct Rule(PathPattern Pattern, bool TakesBack);
}
