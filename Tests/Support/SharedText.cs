using System.Text;

namespace Backupd.Tests.Support;

/// <summary>A text that one thread writes while another reads what is there so far.</summary>
/// <remarks>Not a <see cref="StringWriter"/> behind <see cref="TextWriter.Synchronized"/>: that keeps writers apart from each other,
/// and who reads the text goes past it, into a builder that is being written to.</remarks>
internal sealed class SharedText : TextWriter
{
    private readonly StringBuilder _text = new();
    private readonly Lock _gate = new();

    public override Encoding Encoding => Encoding.Unicode;

    public override void Write(char value)
    {
        lock (_gate)
        {
            _text.Append(value);
        }
    }

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_gate)
        {
            _text.Append(buffer);
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    // In one piece: the lines of two writers never share one.
    public override void WriteLine(string? value) => Write(value + "\n");

    public override string ToString()
    {
        lock (_gate)
        {
            return _text.ToString();
        }
    }
}
