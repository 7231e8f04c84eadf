using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Cli.Verbs;

namespace Backupd.Cli.Notifications;

/// <summary>What is told: what has happened, in words and in figures. Immutable.</summary>
internal sealed class Notice
{
    private readonly BackupRun? _run;
    private readonly long _lastGoodAt;

    private Notice(NotifyEvents what, string host, string text, ExitCode code, BackupRun? run, long lastGoodAt = 0)
    {
        What = what;
        Host = host;
        Text = text;
        Code = code;
        _run = run;
        _lastGoodAt = lastGoodAt;
    }

    /// <summary>The event; <see cref="NotifyEvents.None"/> for a test.</summary>
    internal NotifyEvents What { get; }

    /// <summary>This host's name.</summary>
    internal string Host { get; }

    /// <summary>One line for people.</summary>
    internal string Text { get; }

    /// <summary>What <c>backupd run</c> would end with.</summary>
    internal ExitCode Code { get; }

    /// <summary>The event's word; <c>test</c> for a test.</summary>
    internal string Word => What == NotifyEvents.None ? "test" : NotifyWords.Of(What);

    /// <summary>The run; "" when it is about none.</summary>
    internal string RunId => _run?.Id.ToString() ?? "";

    /// <summary>The run's status as the wire says it; "" when it is about none.</summary>
    internal string Status => _run is null ? "" : RunNames.Of(_run.Status);

    /// <summary>A run has ended.</summary>
    internal static Notice Of(BackupRun run)
    {
        string[] missing = [.. run.Remotes.Where(r => !r.Ok).Select(r => r.ServerName)];
        NotifyEvents what = run.Status switch
        {
            RunStatus.Completed when missing.Length > 0 => NotifyEvents.Unpublished,
            RunStatus.Completed => NotifyEvents.Finished,
            RunStatus.Partial => NotifyEvents.Partial,
            RunStatus.Failed or RunStatus.Timeout or RunStatus.Cancelled => NotifyEvents.Failed,
            RunStatus.Running => throw new ArgumentException($"run {run.Id} has not ended", nameof(run)),
            _ => throw new ArgumentOutOfRangeException(nameof(run)),
        };
        ExitCode code = what == NotifyEvents.Unpublished ? ExitCode.NotPublished : ExitCodes.Of(run.Status);
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"backupd on {run.Host}: run {run.Id} is {RunNames.Of(run.Status)}");
        text.Append(CultureInfo.InvariantCulture, $" after {Units.Seconds(run.FinishedAtUnix - run.StartedAtUnix)}");
        if (run.Status == RunStatus.Completed)
        {
            text.Append(CultureInfo.InvariantCulture, $", {Units.Bytes(run.Totals.BytesNew)} new");
        }
        if (missing.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $", not on {string.Join(" and ", missing)}");
        }
        if (run.ErrorSummary.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $": {run.ErrorSummary}");
        }
        return new Notice(what, run.Host, Units.Printable(text.ToString()), code, run);
    }

    /// <summary>A backup has not come in time.</summary>
    /// <param name="host">This host.</param>
    /// <param name="lastGoodAt">When the last good full run began, Unix seconds; 0 for never.</param>
    /// <param name="now">Unix seconds.</param>
    internal static Notice Overdue(string host, long lastGoodAt, long now)
    {
        string last = lastGoodAt == 0
            ? "no full run has completed yet"
            : $"the last good full run began {Units.Seconds(now - lastGoodAt)} ago";
        return new Notice(
            NotifyEvents.Overdue, host, $"backupd on {host}: a backup is overdue; {last}", ExitCode.Failed,
            run: null, lastGoodAt);
    }

    /// <summary>Somebody wants to see whether it arrives.</summary>
    internal static Notice Test(string host) => new(
        NotifyEvents.None, host, $"backupd on {host}: this is a test, nothing has happened", ExitCode.Ok, run: null);

    /// <summary>Everything as one JSON object. The member <c>text</c> is what chat servers show.</summary>
    internal byte[] ToJson()
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("event", Word);
            json.WriteString("host", Host);
            json.WriteString("text", Text);
            if (_run is not null)
            {
                WriteRun(json, _run);
            }
            else if (What == NotifyEvents.Overdue)
            {
                json.WriteNumber("last_good_at", _lastGoodAt);
            }
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private void WriteRun(Utf8JsonWriter json, BackupRun run)
    {
        json.WriteString("run_id", RunId);
        json.WriteString("status", Status);
        json.WriteNumber("exit_code", (int)Code);
        json.WriteString("type", RunNames.Of(run.Type));
        json.WriteString("trigger", RunNames.Of(run.Trigger));
        json.WriteNumber("started_at", run.StartedAtUnix);
        json.WriteNumber("finished_at", run.FinishedAtUnix);
        json.WriteNumber("size_bytes", run.Totals.SizeBytes);
        json.WriteNumber("bytes_new", run.Totals.BytesNew);
        json.WriteNumber("bytes_stored", run.Totals.BytesStored);
        json.WriteString("error_summary", run.ErrorSummary);
        json.WriteStartArray("failed_participants");
        foreach (ParticipantResult participant in run.Participants.Where(p => !p.Ok))
        {
            json.WriteStringValue(participant.Name);
        }
        json.WriteEndArray();
        json.WriteStartArray("failed_servers");
        foreach (RemoteResult remote in run.Remotes.Where(r => !r.Ok))
        {
            json.WriteStringValue(remote.ServerName);
        }
        json.WriteEndArray();
    }
}
