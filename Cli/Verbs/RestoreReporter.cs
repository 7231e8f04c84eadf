using System.CommandLine;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary>Tells how a restore in place has ended, in the way that was asked for.</summary>
internal static class RestoreReporter
{
    /// <summary>The display of a dry run whose lines come to the same screen, where bars would tear them apart; null for the
    /// one that suits the screen.</summary>
    internal static ProgressMode? Mode(RestoreInPlaceRequest request, CommonOptions options, ParseResult parsed) =>
        request.IsDryRun && !options.Json(parsed) ? ProgressMode.None : null;

    /// <summary>A restore that was refused before it touched anything, as JSON; the sentence is told like any other
    /// refusal.</summary>
    internal static async Task WriteRefusedAsync(string json, CommonOptions options, ParseResult parsed, CliContext context)
    {
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(json);
        }
    }

    /// <summary>A restore that has ended.</summary>
    /// <param name="summary">How it ended.</param>
    /// <param name="json">The same as a line.</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="options">Of the verb.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="context">Where to.</param>
    /// <returns>The exit code.</returns>
    internal static async Task<int> WriteAsync(
        RestoreSummary summary, string json, RestoreInPlaceRequest request, CommonOptions options, ParseResult parsed,
        CliContext context)
    {
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(json);
        }
        else if (request.IsDryRun)
        {
            summary.WriteChanges(context.Output);
        }
        if (!options.Json(parsed) && !options.Quiet(parsed))
        {
            summary.Write(context.Error);
        }
        else if (summary.Error.Length > 0)
        {
            await context.Error.WriteLineAsync($"backupd: {summary.Error}");
        }
        return (int)summary.Code;
    }
}
