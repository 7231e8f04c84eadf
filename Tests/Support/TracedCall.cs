using System.Text.RegularExpressions;

namespace Backupd.Tests.Support;

/// <summary>A system call of a program that strace watched.</summary>
/// <param name="Entered">When it began: a line of the log.</param>
/// <param name="Ended">When it had ended; the same line unless another thread called something meanwhile.</param>
/// <param name="Name">The call.</param>
/// <param name="Arguments">What it was called with, as strace shows it.</param>
/// <param name="Returned">What it gave back, with the path of a descriptor.</param>
internal sealed partial record TracedCall(int Entered, int Ended, string Name, string Arguments, string Returned)
{
    /// <summary>The number that it gave back; negative after a failure.</summary>
    public long Number => long.TryParse(LeadingNumber().Match(Returned).Value, out long number) ? number : -1;

    /// <summary>The path of the descriptor that it gave back; "" when that is none.</summary>
    public string Opened => PathOfDescriptor().Match(Returned) is { Success: true } match ? match.Groups["path"].Value : "";

    /// <summary>The path of the descriptor that it was called with first; "" when there is none.</summary>
    public string Path => PathOfDescriptor().Match(Arguments) is { Success: true } match ? match.Groups["path"].Value : "";

    /// <summary>Whether all of it was over when another one began.</summary>
    public bool IsBefore(TracedCall other) => Ended < other.Entered;

    /// <summary>Whether it was called with a text.</summary>
    public bool Has(string text) => Arguments.Contains(text, StringComparison.Ordinal);

    /// <summary>The calls of a log that have ended, in the order in which they began.</summary>
    public static TracedCall[] Read(string[] log)
    {
        List<TracedCall> calls = [];
        Dictionary<string, (int Line, string Text)> unfinished = [];
        for (int i = 0; i < log.Length; i++)
        {
            Match line = Line().Match(log[i]);
            string thread = line.Groups["thread"].Value;
            string text = line.Groups["text"].Value;
            if (text.EndsWith("<unfinished ...>", StringComparison.Ordinal))
            {
                unfinished[thread] = (i, text[..^"<unfinished ...>".Length].TrimEnd());
                continue;
            }
            int entered = i;
            if (Resumed().Match(text) is { Success: true } resumed && unfinished.Remove(thread, out (int Line, string Text) begun))
            {
                entered = begun.Line;
                text = begun.Text + text[resumed.Length..];
            }
            if (Call().Match(text) is { Success: true } call)
            {
                calls.Add(new TracedCall(
                    entered, i, call.Groups["name"].Value, call.Groups["arguments"].Value, call.Groups["result"].Value));
            }
        }
        return [.. calls.OrderBy(c => c.Entered)];
    }

    public override string ToString() => $"line {Entered}: {Name}({Arguments}) = {Returned}";

    [GeneratedRegex(@"^(?<thread>\d+) +(?<text>.*)$")]
    private static partial Regex Line();

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>")]
    private static partial Regex Resumed();

    [GeneratedRegex(@"^(?<name>\w+)\((?<arguments>.*)\) += (?<result>.*)$")]
    private static partial Regex Call();

    [GeneratedRegex(@"^-?\d+")]
    private static partial Regex LeadingNumber();

    [GeneratedRegex(@"^\d+<(?<path>[^>]+)>")]
    private static partial Regex PathOfDescriptor();
}
