using System.Text;

namespace Backupd.Backup.Store;

/// <summary>The sets of a pattern: <c>[a-z]</c>, <c>[!0-9]</c>, <c>[[:upper:]_]</c>; a backslash takes the meaning from what
/// follows it, as gitignore(5) and fnmatch(3) have it.</summary>
internal static class PatternSet
{
    /// <summary>Where the bracket is that ends a set; -1 when none does, and the opening one stands for itself.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="start">Where the set begins, with <c>[</c>.</param>
    internal static int EndOf(ReadOnlySpan<byte> pattern, int start)
    {
        int first = start + 1;
        if (first < pattern.Length && pattern[first] is (byte)'!' or (byte)'^')
        {
            first++;
        }
        for (int i = first; i < pattern.Length; i++)
        {
            // A ] right after [ or [! is a member of the set.
            if (pattern[i] == ']' && i > first)
            {
                return i;
            }
            int skipped = pattern[i] == '\\' ? 1 : ClassLength(pattern[i..]) - 1;
            i += Math.Max(skipped, 0);
        }
        return -1;
    }

    /// <summary>Whether a byte is of a set.</summary>
    /// <param name="set">What is between the brackets.</param>
    /// <param name="c">The byte.</param>
    internal static bool Matches(ReadOnlySpan<byte> set, byte c)
    {
        bool negated = set[0] is (byte)'!' or (byte)'^';
        if (negated)
        {
            set = set[1..];
        }
        bool found = false;
        for (int i = 0; i < set.Length; i++)
        {
            int length = ClassLength(set[i..]);
            if (length > 0)
            {
                found |= IsOfClass(set.Slice(i + 2, length - 4), c);
                i += length - 1;
                continue;
            }
            byte low = Member(set, ref i);
            byte high = low;
            if (i + 2 < set.Length && set[i + 1] == '-')
            {
                i += 2;
                high = Member(set, ref i);
            }
            found |= c >= low && c <= high;
        }
        return found != negated;
    }

    private static byte Member(ReadOnlySpan<byte> set, ref int i)
    {
        if (set[i] == '\\' && i + 1 < set.Length)
        {
            i++;
        }
        return set[i];
    }

    // Of a class like [:digit:] at the start; 0 when there is none.
    private static int ClassLength(ReadOnlySpan<byte> text)
    {
        int end = text.StartsWith("[:"u8) ? text[2..].IndexOf(":]"u8) : -1;
        return end > 0 ? end + 4 : 0;
    }

    // As in the locale C, whose letters are bytes. A class that does not exist has no members.
    private static bool IsOfClass(ReadOnlySpan<byte> name, byte c) => Encoding.ASCII.GetString(name) switch
    {
        "alnum" => char.IsAsciiLetterOrDigit((char)c),
        "alpha" => char.IsAsciiLetter((char)c),
        "blank" => c is (byte)' ' or (byte)'\t',
        "cntrl" => c is < 32 or 127,
        "digit" => char.IsAsciiDigit((char)c),
        "graph" => c is > 32 and < 127,
        "lower" => char.IsAsciiLetterLower((char)c),
        "print" => c is >= 32 and < 127,
        "punct" => c is > 32 and < 127 && !char.IsAsciiLetterOrDigit((char)c),
        "space" => c is (byte)' ' or (>= 9 and <= 13),
        "upper" => char.IsAsciiLetterUpper((char)c),
        "xdigit" => char.IsAsciiHexDigit((char)c),
        _ => false,
    };
}
