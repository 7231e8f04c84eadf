using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Backupd.Cli;

/// <summary>Makes JSON objects that are printed one a line.</summary>
internal sealed class JsonLines : IDisposable
{
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _json;

    internal JsonLines() => _json = new Utf8JsonWriter(_line);

    /// <summary>Writes one object.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="members">Writes its members.</param>
    internal void Write(TextWriter output, Action<Utf8JsonWriter> members)
    {
        _line.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        members(_json);
        _json.WriteEndObject();
        _json.Flush();
        output.WriteLine(Encoding.UTF8.GetString(_line.WrittenSpan));
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();
}
