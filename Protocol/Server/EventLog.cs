namespace Backupd.Protocol.Server;

/// <summary>Writes one line an event. Safe from any thread. Never given a token, a password or a raw frame.</summary>
public sealed class EventLog
{
    private readonly TextWriter _output;
    private readonly Lock _writing = new();

    /// <summary>Makes a log that writes to <paramref name="output"/>.</summary>
    public EventLog(TextWriter output) => _output = output;

    /// <summary>Something that an administrator may want to know later.</summary>
    public void Info(string text) => Write("info", text);

    /// <summary>Something that may need a look.</summary>
    public void Warning(string text) => Write("warning", text);

    /// <summary>Something that needs a person.</summary>
    public void Error(string text) => Write("error", text);

    private void Write(string level, string text)
    {
        lock (_writing)
        {
            _output.WriteLine($"{level}: {text}");
        }
    }
}
