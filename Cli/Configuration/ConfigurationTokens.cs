using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Backupd.Cli.Configuration;

/// <summary>
/// The values of a configuration file one after the other, each read as what it must be. Every refusal shows the line
/// and points at the place.
/// </summary>
internal ref struct ConfigurationTokens
{
    // A longer line is shown in part, around the place.
    private const int MaxShown = 160;

    private readonly ReadOnlySpan<byte> _text;
    private readonly string _file;
    private Utf8JsonReader _reader;

    internal ConfigurationTokens(ReadOnlySpan<byte> text, string file)
    {
        _text = text.StartsWith("\ufeff"u8) ? text[3..] : text;
        _file = file;
        _reader = new Utf8JsonReader(
            _text, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
    }

    /// <summary>Where the current token begins, in bytes.</summary>
    internal readonly int Place => (int)_reader.TokenStartIndex;

    /// <summary>Whether the current token begins an object.</summary>
    internal readonly bool IsObject => _reader.TokenType == JsonTokenType.StartObject;

    /// <exception cref="ConfigurationException">A byte is not UTF-8; the reader below would take it inside a text.</exception>
    internal readonly void CheckEncoding()
    {
        if (!Utf8.IsValid(_text))
        {
            int valid = 0;
            while (Rune.DecodeFromUtf8(_text[valid..], out Rune _, out int length) == System.Buffers.OperationStatus.Done)
            {
                valid += length;
            }
            throw Error(valid, "this is not UTF-8");
        }
    }

    /// <summary>Goes to the next token; false at the end of the file.</summary>
    internal bool Next() => _reader.Read();

    /// <summary>Goes to the next token, which must begin an object.</summary>
    internal void BeginObject(string what)
    {
        _reader.Read();
        RequireObject(what);
    }

    /// <summary>The current token must begin an object.</summary>
    internal readonly void RequireObject(string what)
    {
        if (!IsObject)
        {
            throw Error($"{what} must be an object: {{ … }}");
        }
    }

    /// <summary>Goes to the next token, which must begin an array.</summary>
    internal void BeginArray(string what)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error($"this must be an array: {what}");
        }
    }

    /// <summary>Goes to the next element of an array; false at its end.</summary>
    internal bool NextElement() => _reader.Read() && _reader.TokenType != JsonTokenType.EndArray;

    /// <summary>Goes to the next key of an object whose keys are free; null at its end.</summary>
    internal string? NextName()
    {
        _reader.Read();
        return _reader.TokenType == JsonTokenType.PropertyName ? Value() : null;
    }

    /// <summary>Goes to the next key of a section; null at its end. It must exist and stand once.</summary>
    internal string? NextKey(string section, HashSet<string> seen)
    {
        if (NextName() is not string key)
        {
            return null;
        }
        if (!ConfigurationKeys.Exists(section, key))
        {
            string hint = ConfigurationKeys.Nearest(section, key) is string near ? $"; did you mean \"{near}\"?" : "";
            throw Error($"unknown key \"{key}\"{hint}");
        }
        return seen.Add(key) ? key : throw Error($"the key \"{key}\" stands twice");
    }

    /// <summary>Goes to the next token, which must be a text.</summary>
    internal string Text()
    {
        _reader.Read();
        return CurrentText();
    }

    /// <summary>The current token, which must be a text.</summary>
    internal readonly string CurrentText() =>
        _reader.TokenType == JsonTokenType.String ? Value() : throw Error("this must be a text in quotation marks");

    internal string AbsolutePath() => Absolute(Text());

    /// <summary>The path of a file with a secret, or <c>credential:NAME</c>.</summary>
    internal string SecretPath() => Secret(Text());

    /// <summary>The current text as such a path.</summary>
    internal readonly string Secret(string path)
    {
        if (!CredentialFile.IsCredential(path))
        {
            return Absolute(path);
        }
        return CredentialFile.IsName(CredentialFile.NameOf(path))
            ? path
            : throw Error("the name of a credential is one of a file, of letters, digits, dots, underscores and hyphens");
    }

    /// <summary>The current text as a path.</summary>
    internal readonly string Absolute(string path) =>
        path.StartsWith('/') ? path : throw Error("this must be an absolute path, beginning with /");

    internal bool Flag()
    {
        _reader.Read();
        return _reader.TokenType is JsonTokenType.True or JsonTokenType.False
            ? _reader.GetBoolean()
            : throw Error("this must be true or false");
    }

    internal long Number(long least, long most)
    {
        _reader.Read();
        bool fits = _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt64(out long value)
            && value >= least && value <= most;
        string range = most == long.MaxValue ? $", {least} or more" : $" from {least} to {most}";
        return fits ? _reader.GetInt64() : throw Error($"this must be a whole number{range}");
    }

    /// <summary>A number of bytes, or a text with a unit.</summary>
    internal long Size(long least)
    {
        _reader.Read();
        long bytes = 0;
        bool isSize = _reader.TokenType == JsonTokenType.String
            ? Sizes.TryParse(Value(), out bytes)
            : _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt64(out bytes);
        return isSize && bytes >= least
            ? bytes
            : throw Error(
                "this must be a size such as \"500G\" or \"1.5T\" (K, M, G, T and P are powers of 1024), or a whole number of "
                + $"bytes; at least \"{Sizes.TryFormat(least)}\"");
    }

    /// <summary>A duration above zero and up to a year, or to <paramref name="most"/>.</summary>
    internal TimeSpan Duration(TimeSpan? most = null)
    {
        string end = most is TimeSpan limit ? $", at most \"{Durations.Format(limit)}\"" : "";
        return Durations.TryParse(Text(), out TimeSpan duration) && !(duration > most)
            ? duration
            : throw Error($"this must be a duration such as \"90s\", \"30m\", \"6h\" or \"1h30m\"{end}");
    }

    /// <summary>A duration from zero to <paramref name="most"/>.</summary>
    internal TimeSpan DurationUpTo(TimeSpan most) =>
        Durations.TryParseOrZero(Text(), out TimeSpan duration) && duration <= most
            ? duration
            : throw Error(
                $"this must be a duration from \"0s\" to \"{Durations.Format(most)}\", such as \"90s\", \"30m\" or \"1h30m\"");

    /// <summary>Goes to the next token, which must be one of two words; whether it is the second.</summary>
    internal bool IsSecond(string first, string second)
    {
        string text = Text();
        if (text != first && text != second)
        {
            throw Error($"this must be \"{first}\" or \"{second}\"");
        }
        return text == second;
    }

    internal ImmutableArray<string> Texts(string what, int atLeast)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error($"this must be an array of texts: {what}");
        }
        int place = Place;
        ImmutableArray<string>.Builder texts = ImmutableArray.CreateBuilder<string>();
        while (NextElement())
        {
            texts.Add(_reader.TokenType == JsonTokenType.String ? Value() : throw Error($"this must be a text: {what}"));
        }
        return texts.Count >= atLeast && texts.All(t => t.Length > 0)
            ? texts.ToImmutable()
            : throw Error(place, $"this must hold {what}");
    }

    /// <summary>A refusal of the current token.</summary>
    internal readonly ConfigurationException Error(string what) => Error(Place, what);

    /// <summary>A refusal of a place.</summary>
    internal readonly ConfigurationException Error(int offset, string what)
    {
        offset = Math.Min(offset, _text.Length);
        int lineStart = _text[..offset].LastIndexOf((byte)'\n') + 1;
        int lineLength = _text[lineStart..].IndexOf((byte)'\n');
        ReadOnlySpan<byte> bytes = lineLength < 0 ? _text[lineStart..] : _text.Slice(lineStart, lineLength);
        int line = _text[..lineStart].Count((byte)'\n') + 1;
        int before = Encoding.UTF8.GetCharCount(_text[lineStart..offset]);
        string shown = Shown(Encoding.UTF8.GetString(bytes).TrimEnd('\r'), before, out int caret);
        return new ConfigurationException(
            $"{_file}:{line}:{before + 1}: {what}\n    {shown}\n    {new string(' ', caret)}^");
    }

    /// <summary>A refusal of what is not JSON.</summary>
    internal readonly ConfigurationException Error(JsonException e)
    {
        int offset = 0;
        for (long line = 0; line < (e.LineNumber ?? 0); line++)
        {
            int next = _text[offset..].IndexOf((byte)'\n');
            offset = next < 0 ? offset : offset + next + 1;
        }
        // The reader's own message ends with a position from 0; ours comes with one from 1.
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string sentence = end < 0 ? e.Message : e.Message[..end];
        return Error(offset + (int)(e.BytePositionInLine ?? 0), "this is not JSON: " + sentence);
    }

    private readonly string Value()
    {
        string text;
        try
        {
            text = _reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error("this text holds half a character (\\ud800 to \\udfff alone)");
        }
        return text.Contains('\0') ? throw Error("this text holds the character zero, which nothing can be named with") : text;
    }

    private static string Shown(string line, int before, out int caret)
    {
        int first = line.Length <= MaxShown ? 0 : Math.Clamp(before - (MaxShown / 2), 0, line.Length - MaxShown);
        StringBuilder shown = new(line, first, Math.Min(MaxShown, line.Length), MaxShown);
        for (int i = 0; i < shown.Length; i++)
        {
            // A tab would move the caret away, and other control characters the cursor.
            shown[i] = char.IsControl(shown[i]) ? ' ' : shown[i];
        }
        caret = before - first;
        return shown.ToString();
    }
}
