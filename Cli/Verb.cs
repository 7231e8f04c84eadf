using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Backupd.Cli;

/// <summary>A command whose description is one sentence in lists and, with its examples, a page in its own help.</summary>
internal sealed class Verb : Command
{
    /// <param name="name">What is typed.</param>
    /// <param name="text">A sentence, an empty line, and whatever more there is to say.</param>
    internal Verb(string name, string text)
        : base(name, text.Split("\n\n")[0].ReplaceLineEndings(" "))
    {
        int more = text.IndexOf("\n\n", StringComparison.Ordinal);
        More = more < 0 ? "" : text[(more + 2)..];
    }

    /// <summary>What only the verb's own help shows.</summary>
    internal string More { get; }

    /// <summary>The exit code when its command line cannot be understood.</summary>
    internal int UsageCode { get; set; } = (int)ExitCode.Usage;

    /// <summary>Makes the help of a command line show <see cref="More"/> after its usual page.</summary>
    internal static void ExtendHelp(RootCommand root)
    {
        HelpOption option = root.Options.OfType<HelpOption>().Single();
        option.Action = new PageWithExamples((SynchronousCommandLineAction)option.Action!);
    }

    private sealed class PageWithExamples(SynchronousCommandLineAction page) : SynchronousCommandLineAction
    {
        // As the page itself: help is shown whatever else is wrong with the line.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = page.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb { More.Length: > 0 } verb)
            {
                parseResult.InvocationConfiguration.Output.WriteLine(verb.More);
                parseResult.InvocationConfiguration.Output.WriteLine();
            }
            return code;
        }
    }
}
