using System.Collections.Immutable;
using System.Net;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Participants;

namespace Backupd.Cli.Configuration;

/// <summary>
/// Reads a configuration file: JSON with comments and trailing commas, and nothing that is not in
/// <see cref="ConfigurationKeys"/>. Every refusal shows the line and points at the place.
/// </summary>
public ref struct ConfigurationReader
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly string _file;
    private readonly Places _places;
    private Utf8JsonReader _reader;

    private ConfigurationReader(ReadOnlySpan<byte> text, string file, Places places)
    {
        _text = text;
        _file = file;
        _places = places;
        _reader = new Utf8JsonReader(
            text, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
    }

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="ConfigurationException">With file, line, column, the line and what to do.</exception>
    public static DaemonConfiguration Read(ReadOnlySpan<byte> text, string file, Places places)
    {
        ConfigurationReader reader = new(text, file, places);
        try
        {
            return reader.ReadFile();
        }
        catch (JsonException e)
        {
            throw reader.Error(reader.Offset(e), "this is not JSON: " + Sentence(e));
        }
    }

    private DaemonConfiguration ReadFile()
    {
        DaemonConfiguration configuration = DaemonConfiguration.Default(_places) with { File = _file };
        string? store = null;
        HashSet<string> seen = [];
        BeginObject("the file");
        while (NextKey("", seen) is string key)
        {
            switch (key)
            {
                case "store":
                    store = AbsolutePath();
                    break;
                case "listen":
                    configuration = ReadListen(configuration);
                    break;
                case "participants":
                    configuration = configuration with { Participants = ReadParticipants() };
                    break;
                case "timeout":
                    configuration = configuration with { Timeout = Duration() };
                    break;
                case "validate":
                    configuration = configuration with { ValidateCold = OneOf("new", "cold") == "cold" };
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        if (_reader.Read())
        {
            throw Error((int)_reader.TokenStartIndex, "nothing may follow the object");
        }
        return store is null
            ? throw Error(0, "the key \"store\" is missing: the directory that holds the backups")
            : configuration with { Store = store };
    }

    private DaemonConfiguration ReadListen(DaemonConfiguration configuration)
    {
        HashSet<string> seen = [];
        BeginObject("listen");
        while (NextKey("listen", seen) is string key)
        {
            configuration = key switch
            {
                "socket" => configuration with { Socket = Text().Length == 0 ? "" : Absolute(Value()) },
                "group" => configuration with { Group = Text() },
                "tcp" => configuration with { Tcp = Address() },
                "tokenSecretFile" => configuration with { TokenSecretFile = AbsolutePath() },
                _ => throw new InvalidOperationException($"the key {key} is in the table and not read"),
            };
        }
        return configuration;
    }

    private ImmutableArray<ParticipantDefinition> ReadParticipants()
    {
        ImmutableArray<ParticipantDefinition>.Builder participants =
            ImmutableArray.CreateBuilder<ParticipantDefinition>();
        HashSet<string> seen = [];
        BeginObject("participants");
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = _reader.GetString()!;
            if (!ParticipantName.IsValid(name))
            {
                throw Error(
                    "a participant's name begins with a letter or digit and has up to 64 letters, digits, dots, "
                    + "underscores and hyphens");
            }
            if (!seen.Add(name))
            {
                throw Error($"the participant {name} stands twice");
            }
            participants.Add(ReadParticipant(name));
        }
        return participants.ToImmutable();
    }

    private ParticipantDefinition ReadParticipant(string name)
    {
        ParticipantDraft draft = new(name);
        HashSet<string> seen = [];
        BeginObject(name);
        int place = (int)_reader.TokenStartIndex;
        while (NextKey(ConfigurationKeys.Participant, seen) is string key)
        {
            if (draft.Refuses(key) is string why)
            {
                throw Error(why);
            }
            switch (key)
            {
                case "directory" or "file" or "sqlite":
                    draft.SetKind(key, AbsolutePath());
                    break;
                case "command":
                    draft.SetKind(key, Texts("a program and its arguments", atLeast: 1));
                    break;
                case "critical":
                    draft.Critical = Flag();
                    break;
                case "exclude":
                    draft.Exclude = Texts("patterns", atLeast: 0);
                    break;
                case "oneFileSystem":
                    draft.OneFileSystem = Flag();
                    break;
                case "unreadable":
                    draft.UnreadableIsWarning = OneOf("fail", "warn") == "warn";
                    break;
                case "user":
                    draft.User = Text();
                    break;
                case "timeout":
                    draft.Timeout = Duration();
                    break;
                case "minBytes":
                    draft.MinBytes = Number();
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        return draft.Finish() ?? throw Error(
            place, $"{name} says nothing to back up: one of \"directory\", \"file\", \"sqlite\" and \"command\"");
    }

    private void BeginObject(string what)
    {
        if (!_reader.Read() || _reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error($"{what} must be an object: {{ … }}");
        }
    }

    private string? NextKey(string section, HashSet<string> seen)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.PropertyName)
        {
            return null;
        }
        string key = _reader.GetString()!;
        if (!ConfigurationKeys.Exists(section, key))
        {
            string hint = ConfigurationKeys.Nearest(section, key) is string near ? $"; did you mean \"{near}\"?" : "";
            throw Error($"unknown key \"{key}\"{hint}");
        }
        return seen.Add(key) ? key : throw Error($"the key \"{key}\" stands twice");
    }

    private string Text()
    {
        _reader.Read();
        return _reader.TokenType == JsonTokenType.String ? Value() : throw Error("this must be a text in quotation marks");
    }

    private readonly string Value() => _reader.GetString()!;

    private string AbsolutePath()
    {
        Text();
        return Absolute(Value());
    }

    private readonly string Absolute(string path) =>
        path.StartsWith('/') ? path : throw Error("this must be an absolute path, beginning with /");

    private bool Flag()
    {
        _reader.Read();
        return _reader.TokenType is JsonTokenType.True or JsonTokenType.False
            ? _reader.GetBoolean()
            : throw Error("this must be true or false");
    }

    private long Number()
    {
        _reader.Read();
        return _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt64(out long value) && value >= 0
            ? value
            : throw Error("this must be a whole number, 0 or more");
    }

    private TimeSpan Duration() =>
        Durations.TryParse(Text(), out TimeSpan duration)
            ? duration
            : throw Error("this must be a duration such as \"90s\", \"30m\", \"6h\" or \"1h30m\"");

    private string OneOf(string first, string second)
    {
        string text = Text();
        return text == first || text == second ? text : throw Error($"this must be \"{first}\" or \"{second}\"");
    }

    private ImmutableArray<string> Texts(string what, int atLeast)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error($"this must be an array of texts: {what}");
        }
        int place = (int)_reader.TokenStartIndex;
        ImmutableArray<string>.Builder texts = ImmutableArray.CreateBuilder<string>();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            texts.Add(_reader.TokenType == JsonTokenType.String ? Value() : throw Error($"this must be a text: {what}"));
        }
        return texts.Count >= atLeast && texts.All(t => t.Length > 0)
            ? texts.ToImmutable()
            : throw Error(place, $"this must hold {what}");
    }

    private IPEndPoint? Address()
    {
        string text = Text();
        if (text.Length == 0)
        {
            return null;
        }
        int colon = text.LastIndexOf(':');
        bool valid = colon > 0 && IPEndPoint.TryParse(text, out IPEndPoint? address) && address.Port > 0;
        if (!valid)
        {
            throw Error("this must be an address and a port, such as \"127.0.0.1:8620\" or \"[::1]:8620\"");
        }
        IPEndPoint parsed = IPEndPoint.Parse(text);
        return IPAddress.IsLoopback(parsed.Address)
            ? parsed
            : throw Error("this version speaks without TLS and so only on a loopback address, such as 127.0.0.1");
    }

    private readonly ConfigurationException Error(string what) => Error((int)_reader.TokenStartIndex, what);

    private readonly ConfigurationException Error(int offset, string what)
    {
        offset = Math.Min(offset, _text.Length);
        int lineStart = _text[..offset].LastIndexOf((byte)'\n') + 1;
        int lineLength = _text[lineStart..].IndexOf((byte)'\n');
        ReadOnlySpan<byte> bytes = lineLength < 0 ? _text[lineStart..] : _text.Slice(lineStart, lineLength);
        int line = _text[..lineStart].Count((byte)'\n') + 1;
        int column = Encoding.UTF8.GetCharCount(_text[lineStart..offset]) + 1;
        string shown = Encoding.UTF8.GetString(bytes).TrimEnd('\r').Replace('\t', ' ');
        return new ConfigurationException(
            $"{_file}:{line}:{column}: {what}\n    {shown}\n    {new string(' ', column - 1)}^");
    }

    private readonly int Offset(JsonException e)
    {
        int offset = 0;
        for (long line = 0; line < (e.LineNumber ?? 0); line++)
        {
            int next = _text[offset..].IndexOf((byte)'\n');
            offset = next < 0 ? offset : offset + next + 1;
        }
        return offset + (int)(e.BytePositionInLine ?? 0);
    }

    // The reader's own message ends with a position from 0; ours comes with one from 1.
    private static string Sentence(JsonException e)
    {
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? e.Message : e.Message[..end];
    }
}
