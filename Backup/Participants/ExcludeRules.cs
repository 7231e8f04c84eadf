using System.Collections.Immutable;
using System.Text;

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
            Rule rule = _rules[i];
            if ((isDirectory || !rule.DirectoriesOnly) && Matches(rule, path))
            {
                return !rule.TakesBack;
            }
        }
        return false;
    }

    private static Rule Parse(string pattern)
    {
        string text = pattern;
        bool takesBack = text[0] == '!';
        if (takesBack)
        {
            text = text[1..];
        }
        else if (text.StartsWith("\\!", StringComparison.Ordinal) || text.StartsWith("\\#", StringComparison.Ordinal))
        {
            text = text[1..];
        }
        bool directoriesOnly = text.EndsWith('/');
        text = text.TrimEnd('/');
        bool anchored = text.Contains('/', StringComparison.Ordinal);
        text = text.TrimStart('/');
        if (text.Length == 0)
        {
            throw new BackupException(BackupFault.InputInvalid, $"the exclude pattern \"{pattern}\" names nothing");
        }
        ImmutableArray<byte[]> parts = [.. text.Split('/').Select(Encoding.UTF8.GetBytes)];
        return new Rule(anchored ? parts : parts.Insert(0, "**"u8.ToArray()), takesBack, directoriesOnly);
    }

    private static bool Matches(Rule rule, ReadOnlySpan<byte> path) => MatchesFrom(rule.Parts.AsSpan(), path);

    private static bool MatchesFrom(ReadOnlySpan<byte[]> parts, ReadOnlySpan<byte> path)
    {
        while (parts.Length > 0)
        {
            if (parts[0].AsSpan().SequenceEqual("**"u8))
            {
                return MatchesAnyDepth(parts[1..], path);
            }
            int slash = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = slash < 0 ? path : path[..slash];
            if (name.Length == 0 || !MatchesName(parts[0], name))
            {
                return false;
            }
            path = slash < 0 ? [] : path[(slash + 1)..];
            parts = parts[1..];
        }
        return path.Length == 0;
    }

    private static bool MatchesAnyDepth(ReadOnlySpan<byte[]> rest, ReadOnlySpan<byte> path)
    {
        // A trailing ** means everything inside, so at least one name must be left.
        if (rest.Length == 0)
        {
            return path.Length > 0;
        }
        while (true)
        {
            if (MatchesFrom(rest, path))
            {
                return true;
            }
            int slash = path.IndexOf((byte)'/');
            if (slash < 0)
            {
                return false;
            }
            path = path[(slash + 1)..];
        }
    }

    // Glob of one name, with the usual single point to come back to: linear in practice, never exponential.
    private static bool MatchesName(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> name)
    {
        int p = 0;
        int n = 0;
        int star = -1;
        int starName = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                starName = n;
            }
            else if (p < pattern.Length && MatchesOne(pattern, ref p, name[n]))
            {
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++starName;
            }
            else
            {
                return false;
            }
        }
        return pattern[p..].IndexOfAnyExcept((byte)'*') < 0;
    }

    private static bool MatchesOne(ReadOnlySpan<byte> pattern, ref int p, byte c)
    {
        switch (pattern[p])
        {
            case (byte)'?':
                p++;
                return true;
            case (byte)'\\' when p + 1 < pattern.Length:
                p += 2;
                return pattern[p - 1] == c;
            case (byte)'[':
                int end = EndOfSet(pattern, p);
                if (end > 0)
                {
                    bool matched = MatchesSet(pattern[(p + 1)..end], c);
                    p = end + 1;
                    return matched;
                }
                break;
            default:
                break;
        }
        return pattern[p++] == c;
    }

    private static int EndOfSet(ReadOnlySpan<byte> pattern, int start)
    {
        // A ] right after [ or [! is a member of the set.
        int first = start + 1;
        if (first < pattern.Length && pattern[first] is (byte)'!' or (byte)'^')
        {
            first++;
        }
        int end = first + 1 <= pattern.Length ? pattern[(first + 1)..].IndexOf((byte)']') : -1;
        return end < 0 ? -1 : first + 1 + end;
    }

    private static bool MatchesSet(ReadOnlySpan<byte> set, byte c)
    {
        bool negated = set[0] is (byte)'!' or (byte)'^';
        if (negated)
        {
            set = set[1..];
        }
        bool found = false;
        for (int i = 0; i < set.Length; i++)
        {
            bool range = i + 2 < set.Length && set[i + 1] == '-';
            found |= range ? c >= set[i] && c <= set[i + 2] : c == set[i];
            i += range ? 2 : 0;
        }
        return found != negated;
    }

    private readonly record struct Rule(ImmutableArray<byte[]> Parts, bool TakesBack, bool DirectoriesOnly);
}
