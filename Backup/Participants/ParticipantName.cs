namespace Backupd.Backup.Participants;

/// <summary>The rule for participant names: <c>[A-Za-z0-9][A-Za-z0-9._-]{0,63}</c>.</summary>
/// <remarks>Names become file names in run directories, so the rule leaves no room for a separator or a leading dot.</remarks>
public static class ParticipantName
{
    /// <summary>The longest name.</summary>
    public const int MaxLength = 64;

    /// <summary>Whether a name may be used.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= MaxLength }
        && char.IsAsciiLetterOrDigit(name[0])
        && name.All(IsAllowed);

    /// <summary>
    /// Makes a valid name of a path's base name: other characters become <c>_</c>, and <c>-2</c>, <c>-3</c>, … is
    /// added to a name that is taken.
    /// </summary>
    public static string FromBaseName(string baseName, IReadOnlySet<string> taken)
    {
        char[] letters = [.. baseName.Select(c => IsAllowed(c) ? c : '_').Take(MaxLength)];
        string name = new(letters);
        if (name.Length == 0 || !char.IsAsciiLetterOrDigit(name[0]))
        {
            name = "p" + (name.Length < MaxLength ? name : name[..(MaxLength - 1)]);
        }
        string candidate = name;
        for (int n = 2; taken.Contains(candidate); n++)
        {
            string suffix = $"-{n}";
            candidate = string.Concat(name.AsSpan(0, Math.Min(name.Length, MaxLength - suffix.Length)), suffix);
        }
        return candidate;
    }

    private static bool IsAllowed(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';
}
