using System.CommandLine;

namespace Backupd.Cli.Verbs;

/// <summary>How an operation of the daemon is followed.</summary>
/// <param name="Options">Of the verb.</param>
/// <param name="Parsed">The command line.</param>
/// <param name="Context">Where to.</param>
internal sealed record Following(CommonOptions Options, ParseResult Parsed, CliContext Context);
