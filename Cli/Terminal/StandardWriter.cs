using System.Text;

namespace Backupd.Cli.Terminal;

/// <summary>
/// The process's own output or error stream. Results that cannot be written are a failure with a sentence; messages that
/// cannot be written are dropped: a log on a full disk, or a stream that is closed, must not end a backup. As safe from
/// several threads as what it writes to.
/// </summary>
public sealed class StandardWriter : TextWriter
{
    private readonly TextWriter _stream;
    private readonly bool _isForResults;

    private StandardWriter(TextWriter stream, bool isForResults)
    {
        _stream = stream;
        _isForResults = isForResults;
    }

    /// <inheritdoc/>
    public override Encoding Encoding => _stream.Encoding;

    /// <summary>Writes results.</summary>
    public static StandardWriter ForResults(TextWriter stream) => new(stream, isForResults: true);

    /// <summary>Writes messages and progress.</summary>
    public static StandardWriter ForMessages(TextWriter stream) => new(stream, isForResults: false);

    /// <inheritdoc/>
    public override void Write(char value) => Guard(() => _stream.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Guard(() => _stream.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Guard(() => _stream.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Guard(() => _stream.WriteLine(value));

    /// <inheritdoc/>
    public override Task WriteLineAsync(string? value)
    {
        WriteLine(value);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void Flush() => Guard(_stream.Flush);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stream.Dispose();
        }
        base.Dispose(disposing);
    }

    private void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_isForResults)
            {
                // A descriptor that is closed, or not open for writing, is reported as a lack of rights.
                string why = e is UnauthorizedAccessException ? "it is not open for writing" : e.Message;
                throw new IOException($"cannot write to standard output: {why}", e);
            }
        }
    }
}
