using System.Globalization;
using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>Writes metrics in the text format of Prometheus, version 0.0.4. Used by one thread.</summary>
internal sealed class MetricsText
{
    /// <summary>The Content-Type of the format.</summary>
    internal const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new(4096);
    private string _name = "";

    /// <summary>Begins a gauge; its samples follow.</summary>
    /// <param name="name">With its unit last.</param>
    /// <param name="help">What it tells, one line.</param>
    internal MetricsText Gauge(string name, string help) => Begin(name, "gauge", help);

    /// <summary>Begins a counter, which only grows until the daemon starts anew.</summary>
    internal MetricsText Counter(string name, string help) => Begin(name, "counter", help);

    /// <summary>A sample without labels.</summary>
    internal MetricsText Is(long value)
    {
        _text.Append(CultureInfo.InvariantCulture, $"{_name} {value}\n");
        return this;
    }

    /// <summary>The same with a fraction, to milliseconds.</summary>
    internal MetricsText IsFraction(double value)
    {
        _text.Append(CultureInfo.InvariantCulture, $"{_name} {value:0.###}\n");
        return this;
    }

    /// <summary>1 for true, 0 for false.</summary>
    internal MetricsText Is(bool value) => Is(value ? 1 : 0);

    /// <summary>A sample with a label.</summary>
    /// <param name="label">The label's name.</param>
    /// <param name="text">Its value, whatever that holds.</param>
    /// <param name="value">The sample.</param>
    internal MetricsText Is(string label, string text, long value)
    {
        _text.Append(CultureInfo.InvariantCulture, $"{_name}{{{label}=\"{Escaped(text)}\"}} {value}\n");
        return this;
    }

    /// <summary>All of it.</summary>
    internal byte[] ToBytes() => Encoding.UTF8.GetBytes(_text.ToString());

    private static string Escaped(string text) => text
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal);

    private MetricsText Begin(string name, string type, string help)
    {
        _name = name;
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
        return this;
    }
}
