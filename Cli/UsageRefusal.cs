using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Backupd.Cli;

/// <summary>What is wrong with a command line, in sentences.</summary>
internal static class UsageRefusal
{
    /// <summary>The sentences; none when the line is understood.</summary>
    internal static async Task<IReadOnlyList<string>> SentencesAsync(ParseResult parsed)
    {
        if (parsed.Action is ParseErrorAction && parsed.CommandResult.Command is { Action: null } group)
        {
            return [NoVerb(group, parsed.UnmatchedTokens)];
        }
        if (parsed.Action is ParseErrorAction mistake)
        {
            // The sentences alone; a page of help below them would push them off the screen.
            mistake.ShowHelp = false;
            using StringWriter said = new(CultureInfo.InvariantCulture);
            await parsed.InvokeAsync(new InvocationConfiguration { Output = said, Error = said });
            return said.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }
        bool isHelp = parsed.Action != parsed.CommandResult.Command.Action;
        return isHelp ? [] : [.. MistypedOptions(parsed)];
    }

    /// <summary>Where to read more.</summary>
    internal static string See(ParseResult parsed)
    {
        string verb = "";
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: not RootCommand } c; at = at.Parent)
        {
            verb = $"{c.Command.Name} {verb}";
        }
        return $"See: backupd {verb}--help";
    }

    private static string NoVerb(Command group, IReadOnlyList<string> unmatched)
    {
        string[] known = [.. group.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)];
        if (unmatched.Count > 0)
        {
            string hint = Spelling.Nearest(known, unmatched[0]) is string near ? $"; did you mean {near}?" : "";
            return $"there is no verb {unmatched[0]}{hint}";
        }
        return group is RootCommand
            ? "a verb is missing; to begin with: backupd once ~/Documents --to demo"
            : $"a verb is missing after {group.Name}: {string.Join(", ", known)}";
    }

    // The library takes an option that it does not know for an argument, where there is room for one: list --jsn would
    // look for a store of that name, and run --qiet for a participant.
    private static IEnumerable<string> MistypedOptions(ParseResult parsed)
    {
        HashSet<Token> after = new(
            parsed.Tokens.SkipWhile(t => t.Type != TokenType.DoubleDash), ReferenceEqualityComparer.Instance);
        string[] known = [.. parsed.CommandResult.Command.Options.Select(o => o.Name)];
        foreach (Token token in parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens))
        {
            if (token.Value.Length > 1 && token.Value[0] == '-' && !after.Contains(token))
            {
                string hint = Spelling.Nearest(known, token.Value) is string near
                    ? $"; did you mean {near}?"
                    : "; what is no option and begins with a hyphen goes after --";
                yield return $"there is no option {token.Value}{hint}";
            }
        }
    }
}
