using System.Text;

namespace Backupd.Protocol.Server;

/// <summary>Writes one line an event. Safe from any thread. Never given a token, a password or a raw frame.</summary>
/// <remarks>Under systemd's journal a line begins with its level as <c>&lt;6&gt;</c> (sd-daemon(3)), elsewhere with a
/// word.</remarks>
public sealed class EventLog
{
    private readonly TextWriter _output;
    private readonly bool _journal;
    private readonly Lock _writing = new();

    /// <summary>Makes a log that writes to <paramref name="output"/>.</summary>
    public EventLog(TextWriter output)
    {
        _output = output;
        _journal = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM"));
    }

    /// <summary>Something that an administrator may want to know later.</summary>
    public void Info(string text) => Write(6, "", text);

    /// <summary>Something that may need a look.</summary>
    public void Warning(string text) => Write(4, "warning: ", text);

    /// <summary>Something that needs a person.</summary>
    public void Error(string text) => Write(3, "error: ", text);

    private void Write(int level, string word, string text)
    {
        string line = (_journal ? $"<{level}>" : word) + Escape(text);
        lock (_writing)
        {
            _output.WriteLine(line);
            _output.Flush();
        }
    }

    // A file name or a client's text must not be able to begin a line of its own.
    private static string Escape(string text)
    {
        if (!text.Any(char.IsControl))
        {
            return text;
        }
        StringBuilder escaped = new(text.Length + 16);
        foreach (char c in text)
        {
            escaped.Append(char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString());
        }
        return escaped.ToString();
    }
}
