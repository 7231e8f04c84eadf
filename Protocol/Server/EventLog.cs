using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Backupd.Protocol.Server;

/// <summary>How a line of the log looks.</summary>
public enum LogFormat
{
    /// <summary>The journal's where <c>JOURNAL_STREAM</c> says that it listens, words elsewhere.</summary>
    Auto,

    /// <summary>A word where it is a warning or an error, and the message.</summary>
    Text,

    /// <summary>A JSON object: <c>time</c> (RFC 3339, UTC), <c>level</c>, <c>message</c>, and what else is known.</summary>
    Json,
}

/// <summary>Writes one line an event. Safe from any thread. Never given a token, a password or a raw frame.</summary>
/// <remarks>Under systemd's journal a line begins with its level as <c>&lt;6&gt;</c> (sd-daemon(3)), elsewhere with a
/// word. Whatever a message holds, it cannot begin a line of its own nor move a terminal's cursor.</remarks>
public sealed class EventLog
{
    private readonly TextWriter _output;
    private readonly TimeProvider _time;
    private readonly bool _json;
    private readonly bool _journal;
    private readonly Lock _writing = new();

    /// <summary>Makes a log that writes to <paramref name="output"/> in the format that suits it.</summary>
    public EventLog(TextWriter output)
        : this(output, LogFormat.Auto, TimeProvider.System)
    {
    }

    /// <summary>Makes a log.</summary>
    public EventLog(TextWriter output, LogFormat format, TimeProvider time)
    {
        _output = output;
        _time = time;
        _json = format == LogFormat.Json;
        _journal = format == LogFormat.Auto
            && !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM"));
    }

    /// <summary>Something that an administrator may want to know later.</summary>
    /// <param name="text">A sentence.</param>
    /// <param name="runId">The run that it is about; "" for none. A member of its own in JSON.</param>
    public void Info(string text, string runId = "") => Write(6, "info", text, runId);

    /// <summary>Something that may need a look.</summary>
    public void Warning(string text, string runId = "") => Write(4, "warning", text, runId);

    /// <summary>Something that needs a person.</summary>
    public void Error(string text, string runId = "") => Write(3, "error", text, runId);

    /// <summary>The same for a text whose line breaks are the program's own, such as a line of a file with a caret below
    /// it: one event in JSON, one a line elsewhere.</summary>
    public void ErrorLines(string text)
    {
        foreach (string line in _json ? [text] : text.Split('\n'))
        {
            Error(line);
        }
    }

    private void Write(int level, string word, string text, string runId)
    {
        string line = _json ? Object(word, text, runId)
            : _journal ? $"<{level}>{Escape(text)}"
            : level == 6 ? Escape(text)
            : $"{word}: {Escape(text)}";
        lock (_writing)
        {
            _output.WriteLine(line);
            _output.Flush();
        }
    }

    // The writer's own encoder escapes every control character and everything that is not ASCII.
    private string Object(string level, string text, string runId)
    {
        ArrayBufferWriter<byte> buffer = new(256);
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString(
                "time", _time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", level);
            json.WriteString("message", text);
            if (runId.Length > 0)
            {
                json.WriteString("run_id", runId);
            }
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static string Escape(string text)
    {
        if (!text.Any(IsUnsafe))
        {
            return text;
        }
        StringBuilder escaped = new(text.Length + 16);
        foreach (char c in text)
        {
            escaped.Append(!IsUnsafe(c) ? c.ToString() : c < 256 ? $"\\x{(int)c:x2}" : $"\\u{(int)c:x4}");
        }
        return escaped.ToString();
    }

    // Besides control characters those that break a line or turn the direction of writing.
    private static bool IsUnsafe(char c) =>
        char.IsControl(c)
        || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator;
}
