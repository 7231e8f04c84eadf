using System.Collections.Immutable;
using System.Text;

namespace Backupd.Backup.Store;

/// <summary>
/// A pattern over paths below a root, in the syntax of gitignore(5): a name without a slash at any depth, with a slash
/// anchored at the root; <c>*</c>, <c>?</c> and <c>[a-z]</c> within a name, <c>**</c> for any number of directories, a
/// slash at the end for directories only. Names are compared as bytes.
/// </summary>
internal sealed class PathPattern
{
    private readonly ImmutableArray<byte[]> _parts;
    private readonly bool _isDirectoriesOnly;

    // A leading slash: the pattern speaks of places, not of a participant's name.
    private readonly bool _isRooted;

    private PathPattern(string text, ImmutableArray<byte[]> parts, bool isDirectoriesOnly, bool isRooted)
    {
        Text = text;
        _parts = parts;
        _isDirectoriesOnly = isDirectoriesOnly;
        _isRooted = isRooted;
    }

    /// <summary>The pattern as it was given.</summary>
    internal string Text { get; }

    /// <exception cref="BackupException">InputInvalid: it names nothing.</exception>
    internal static PathPattern Parse(string pattern)
    {
        string trimmed = pattern.TrimEnd('/');
        bool isAnchored = trimmed.Contains('/', StringComparison.Ordinal);
        bool isRooted = trimmed.StartsWith('/');
        string names = trimmed.TrimStart('/');
        if (names.Length == 0)
        {
            throw new BackupException(BackupFault.InputInvalid, $"the pattern \"{pattern}\" names nothing");
        }
        ImmutableArray<byte[]> parts = [.. names.Split('/').Select(Encoding.UTF8.GetBytes)];
        return new PathPattern(
            pattern, isAnchored ? parts : parts.Insert(0, "**"u8.ToArray()), pattern.Length > trimmed.Length, isRooted);
    }

    /// <summary>Whether a path below the root matches; the root's own path is empty.</summary>
    internal bool Matches(ReadOnlySpan<byte> path, bool isDirectory) =>
        (isDirectory || !_isDirectoriesOnly) && MatchesFrom(_parts.AsSpan(), path);

    /// <summary>
    /// What the pattern says about paths below a participant's root, when it may also name the participant first, as
    /// <c>show --files</c> does, or begin with the place that the participant was backed up from.
    /// </summary>
    /// <param name="participant">The participant's name.</param>
    /// <param name="place">The absolute path of its source; "" when that is not a path.</param>
    internal ImmutableArray<PathPattern> Below(string participant, string place)
    {
        string[] above = _isRooted ? place.Split('/', StringSplitOptions.RemoveEmptyEntries) : [participant];
        bool isNamed = !_isRooted || place.StartsWith('/');
        IEnumerable<ImmutableArray<byte[]>> rests = isNamed
            ? RestsBelow(_parts, [.. above.Select(Encoding.UTF8.GetBytes)])
            : [];
        return [this, .. rests.Select(rest => new PathPattern(Text, rest, _isDirectoriesOnly, _isRooted))];
    }

    /// <summary>
    /// The path that every match is or lies below: the leading names of the pattern that hold no wildcard.
    /// </summary>
    /// <param name="isWhole">Whether it is the whole pattern, which then matches this one path only.</param>
    internal byte[] LiteralPrefix(out bool isWhole)
    {
        List<byte> prefix = [];
        int literal = 0;
        while (literal < _parts.Length && TryLiteral(_parts[literal], out List<byte> name))
        {
            if (literal > 0)
            {
                prefix.Add((byte)'/');
            }
            prefix.AddRange(name);
            literal++;
        }
        isWhole = literal == _parts.Length;
        return [.. prefix];
    }

    private static bool TryLiteral(byte[] part, out List<byte> name)
    {
        name = [];
        for (int i = 0; i < part.Length; i++)
        {
            if (part[i] is (byte)'*' or (byte)'?' or (byte)'[')
            {
                return false;
            }
            i += part[i] == '\\' && i + 1 < part.Length ? 1 : 0;
            name.Add(part[i]);
        }
        return true;
    }

    // What is left of the parts once they have matched the names above the root, in every way in which they can.
    private static IEnumerable<ImmutableArray<byte[]>> RestsBelow(ImmutableArray<byte[]> parts, ImmutableArray<byte[]> above)
    {
        if (above.IsEmpty)
        {
            return [parts];
        }
        if (parts.IsEmpty)
        {
            return [];
        }
        if (parts[0].AsSpan().SequenceEqual("**"u8))
        {
            if (parts.Length == 1)
            {
                // It has taken the names above, so it matches the root as well as everything inside.
                return [parts, []];
            }
            return RestsBelow(parts, above.RemoveAt(0)).Concat(RestsBelow(parts.RemoveAt(0), above));
        }
        return MatchesName(parts[0], above[0]) ? RestsBelow(parts.RemoveAt(0), above.RemoveAt(0)) : [];
    }

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
                int end = PatternSet.EndOf(pattern, p);
                if (end > 0)
                {
                    bool matched = PatternSet.Matches(pattern[(p + 1)..end], c);
                    p = end + 1;
                    return matched;
                }
                break;
            default:
                break;
        }
        return pattern[p++] == c;
    }
}
