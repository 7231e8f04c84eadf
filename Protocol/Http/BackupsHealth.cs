using System.Buffers;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;

namespace Backupd.Protocol.Http;

/// <summary><c>GET /health/backups</c>: whether the backups are as young as they should be.</summary>
internal static class BackupsHealth
{
    /// <summary>The body, one line of JSON.</summary>
    /// <param name="figures">What is known.</param>
    /// <param name="status">200 when all is well; 503 when the next good full run is late, or when nothing is known yet.</param>
    internal static byte[] Make(DaemonFigures figures, out int status)
    {
        HistoryState history = figures.History;
        OverdueState lateness = figures.Lateness;
        bool isOk = lateness is { IsKnown: true, IsOverdue: false };
        status = isOk ? 200 : 503;
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
        return line.WrittenSpan.ToArray();
    }
}
