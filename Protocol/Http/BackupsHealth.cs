using System.Buffers;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;

namespace Backupd.Protocol.Http;

/// <summary><c>GET /health/backups</c>: whether the backups are as young as they should be.</summary>
internal static class BackupsHealth
{
    /// <summary>A line of JSON; with 200 when all is well, and 503 when the next good full run is late or nothing is known
    /// yet.</summary>
    internal static HttpAnswer Answer(DaemonFigures figures)
    {
        HistoryState history = figures.History;
        OverdueState lateness = figures.Lateness;
        bool isOk = lateness is { IsKnown: true, IsOverdue: false };
        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteBoolean("ok", isOk);
            json.WriteBoolean("overdue", lateness.IsOverdue);
            json.WriteNumber("last_good_at", history.LastGood?.StartedAtUnix ?? 0);
            json.WriteNumber("next_run_at", figures.NextRunAtUnix());
            json.WriteString("reason", lateness.Reason);
            json.WriteEndObject();
        }
        line.Write("\n"u8);
        return new HttpAnswer(isOk ? 200 : 503, "application/json", line.WrittenSpan.ToArray());
    }
}
