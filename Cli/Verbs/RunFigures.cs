using System.Globalization;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary>The numbers behind a run, one line a subject.</summary>
internal static class RunFigures
{
    /// <summary>Writes them; nothing for a run that recorded none, because it is still on or older than this record.</summary>
    internal static void Write(BackupRun run, TextWriter output)
    {
        if (run.Durations is not RunDurations took)
        {
            return;
        }
        RunTotals totals = run.Totals;
        Line(
            "entries",
            $"{Number(totals.EntriesSeen)} seen, {Number(totals.EntriesStored)} stored, "
            + $"{Number(totals.EntriesExcluded)} excluded, {Number(totals.EntriesFailed)} failed; "
            + $"{Number(totals.EntriesVanished)} vanished");
        Line("files", $"{Number(totals.Files)}; directories: {Number(totals.Directories)}");
        Line("read", $"{Units.Bytes(totals.BytesRead)} of {Units.Bytes(totals.SizeBytes)}");
        Line(
            "new",
            $"{Units.Bytes(totals.BytesNew)} in {Units.Count(totals.ChunksNew, "chunk")}, "
            + $"{Units.Bytes(totals.BytesStored)} on disk");
        Line("reused", Units.Count(totals.ChunksReused, "chunk use"));
        if (totals.WarningCount > 0)
        {
            Line("warnings", Number(totals.WarningCount));
        }
        Line(
            "time",
            $"backup {Seconds(took.BackupMs)}, validate {Seconds(took.ValidateMs)}, finalize {Seconds(took.FinalizeMs)}; "
            + $"total {Seconds(took.TotalMs)}");

        void Line(string subject, string text) => output.WriteLine($"  {subject,-9} {text}");
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Seconds(long milliseconds) =>
        (milliseconds / 1000.0).ToString("F2", CultureInfo.InvariantCulture) + "s";
}
