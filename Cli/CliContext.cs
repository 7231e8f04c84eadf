namespace Backupd.Cli;

/// <summary>What every verb works with.</summary>
/// <param name="Version">The program's version.</param>
/// <param name="Places">Where things are by default.</param>
/// <param name="Output">Results.</param>
/// <param name="Error">Progress, messages and errors.</param>
/// <param name="Time">The clock.</param>
public sealed record CliContext(
    string Version, Places Places, TextWriter Output, TextWriter Error, TimeProvider Time)
{
    /// <summary>Where a person answers questions, which are put to <see cref="Error"/>; null when nobody is there.</summary>
    public TextReader? Answers { get; init; }
}
