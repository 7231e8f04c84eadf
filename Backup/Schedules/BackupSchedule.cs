using System.Collections.Immutable;
using Cronos;

namespace Backupd.Backup.Schedules;

/// <summary>When a backup begins by itself.</summary>
/// <param name="Cron">Five fields as crontab(5) has them, in the host's time zone, or a macro such as <c>@daily</c>.</param>
public sealed record BackupSchedule(CronExpression Cron)
{
    /// <summary>Each slot begins up to this much later, by a different amount each time, so that many machines do not
    /// begin at once.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Make up once for the slots that were missed while the daemon was down.</summary>
    public bool CatchUp { get; init; } = true;

    /// <summary>The participants of a scoped run; empty for a full one.</summary>
    public ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Reads a cron expression: five fields, or six with seconds first, or a macro.</summary>
    public static bool TryParseCron(string text, out CronExpression? cron)
    {
        bool hasSeconds = text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Length == 6;
        return CronExpression.TryParse(text, hasSeconds ? CronFormat.IncludeSeconds : CronFormat.Standard, out cron);
    }
}
