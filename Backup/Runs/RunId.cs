using System.Globalization;

namespace Backupd.Backup.Runs;

/// <summary>
/// The name of a run: <c>YYYYMMDD-HHMMSS-NNNNNN</c>, UTC start time and a counter that never repeats in a store.
/// </summary>
/// <remarks>Run ids become directory names, so only <see cref="TryParse"/> makes one from foreign text: a value of
/// this type can hold no separator, no dot and nothing empty.</remarks>
public readonly record struct RunId : IComparable<RunId>
{
    /// <summary>Characters in every run id.</summary>
    public const int Length = 22;

    private readonly string? _text;

    private RunId(string text) => _text = text;

    /// <summary>Makes the id of a run that starts now.</summary>
    /// <param name="startedAt">When the run starts.</param>
    /// <param name="counter">The store's run counter; only its last six digits are shown.</param>
    public static RunId Create(DateTimeOffset startedAt, long counter) =>
        new(string.Create(
            CultureInfo.InvariantCulture,
            $"{startedAt.UtcDateTime:yyyyMMdd-HHmmss}-{counter % 1_000_000:D6}"));

    /// <summary>Takes exactly the documented shape; everything else, like <c>../x</c>, is refused.</summary>
    public static bool TryParse(string? text, out RunId id)
    {
        id = default;
        if (text is null || text.Length != Length || text[8] != '-' || text[15] != '-')
        {
            return false;
        }
        for (int i = 0; i < Length; i++)
        {
            if (i is not (8 or 15) && !char.IsAsciiDigit(text[i]))
            {
                return false;
            }
        }
        id = new RunId(text);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(RunId other) => string.CompareOrdinal(_text, other._text);

    /// <summary>Orders by start time, then counter.</summary>
    public static bool operator <(RunId left, RunId right) => left.CompareTo(right) < 0;

    /// <summary>Orders by start time, then counter.</summary>
    public static bool operator >(RunId left, RunId right) => left.CompareTo(right) > 0;

    /// <summary>Orders by start time, then counter.</summary>
    public static bool operator <=(RunId left, RunId right) => left.CompareTo(right) <= 0;

    /// <summary>Orders by start time, then counter.</summary>
    public static bool operator >=(RunId left, RunId right) => left.CompareTo(right) >= 0;

    /// <summary>The id as text; "" for the default value.</summary>
    public override string ToString() => _text ?? "";
}
