using System.Globalization;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>How old the last good full run may be.</summary>
/// <param name="Warn">Older is WARNING.</param>
/// <param name="Critical">Older is CRITICAL.</param>
internal sealed record HealthLimits(TimeSpan Warn, TimeSpan Critical);

/// <summary>The verdict of a check as monitoring plugins say it.</summary>
/// <param name="Code">0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.</param>
/// <param name="Line">One line, with performance data after a bar.</param>
internal sealed record HealthState(int Code, string Line)
{
    private static readonly string[] Words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

    internal static HealthState Critical(string text) => Make(2, text);

    internal static HealthState NotKnown(string text) => Make(HealthVerb.Unknown, text);

    /// <summary>Judges what a daemon told.</summary>
    /// <param name="limits">How old is too old.</param>
    /// <param name="now">Unix seconds.</param>
    /// <param name="last">The last run, whatever it was; null for none.</param>
    /// <param name="good">The last full run that is completed; null for none.</param>
    /// <param name="info">The daemon.</param>
    internal static HealthState Of(
        HealthLimits limits, long now, RunObject? last, RunObject? good, GetServerInfoReply info)
    {
        List<string> facts = [];
        int code;
        long age = good is null ? 0 : Math.Max(0, now - good.StartedAt);
        if (good is null)
        {
            code = 2;
            facts.Add("no full run has completed yet");
        }
        else
        {
            code = age > limits.Critical.TotalSeconds ? 2 : age > limits.Warn.TotalSeconds ? 1 : 0;
            facts.Add($"last good full run {Units.Seconds(age)} ago");
        }
        if (last is not null && last.Status != RunStatus.Completed)
        {
            code = Math.Max(code, 1);
            string why = last.ErrorSummary.Length > 0 ? $": {last.ErrorSummary}" : "";
            facts.Add($"last run {last.RunId} is {RunNames.Of(last.Status)}{why}");
        }
        if (info.Maintenance)
        {
            facts.Add("maintenance mode is on");
        }
        HealthState state = Make(code, string.Join(", ", facts));
        return good is null ? state : state with { Line = $"{state.Line} | {Figures(limits, age, good)}" };
    }

    // label=value[unit];warning;critical;least
    private static string Figures(HealthLimits limits, long age, RunObject good)
    {
        IReadOnlyList<ArtifactObject> artifacts = [.. good.Participants.SelectMany(p => p.Artifacts)];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"age={age}s;{(long)limits.Warn.TotalSeconds};{(long)limits.Critical.TotalSeconds};0 "
            + $"duration={good.FinishedAt - good.StartedAt}s size={artifacts.SumCapped(a => a.SizeBytes)}B "
            + $"stored={artifacts.SumCapped(a => a.BytesStored)}B");
    }

    // A bar would begin the performance data, and a line end further text.
    private static HealthState Make(int code, string text) =>
        new(code, $"BACKUPD {Words[code]} - {Units.Printable(text).Replace('|', '/')}");
}
