using System.Text.Json;
using System.Text.Unicode;

namespace Backupd.Protocol.Server;

/// <summary>
/// Takes a request line apart in one scan. The serialiser cannot tell text that is not JSON from JSON that is not the
/// contract, takes the last of duplicate members, and lets lone surrogates through; this tells and refuses.
/// </summary>
internal static class RequestReader
{
    /// <summary>Reads a line. Never throws; the result is copied out of <paramref name="line"/>.</summary>
    internal static Request Read(ReadOnlySpan<byte> line)
    {
        Request request = new();
        Read(line, request);
        return request;
    }

    /// <summary>The same into a request that is answered and may be forgotten. Without the objects that a new one is
    /// made of, reading a poll allocates nothing.</summary>
    internal static void Read(ReadOnlySpan<byte> line, Request request)
    {
        request.Clear();
        if (!PlainRequest.TryRead(line, request))
        {
            request.Clear();
            ReadAny(line, request);
        }
    }

    /// <summary>Reads any line into an empty request.</summary>
    internal static void ReadAny(ReadOnlySpan<byte> line, Request request)
    {
        if (!Utf8.IsValid(line))
        {
            request.Problem = new RequestException(ErrorSymbol.InvalidJson, "the line is not UTF-8");
            return;
        }
        try
        {
            Scan(line, request);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape that is half a surrogate pair.
            request.Problem = new RequestException(
                ErrorSymbol.InvalidJson, "the line is not JSON", e is JsonException json ? Position(json) : "");
        }
    }

    private static void Scan(ReadOnlySpan<byte> line, Request request)
    {
        Utf8JsonReader reader = new(line, new JsonReaderOptions { MaxDepth = ProtocolLimits.MaxJsonDepth });
        Stack<HashSet<string>?> members = new();
        string? duplicate = null;
        reader.Read();
        bool isObject = reader.TokenType == JsonTokenType.StartObject;
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    members.Push([]);
                    break;
                case JsonTokenType.StartArray:
                    members.Push(null);
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    members.Pop();
                    break;
                case JsonTokenType.PropertyName:
                    string name = reader.GetString()!;
                    if (!members.Peek()!.Add(name))
                    {
                        duplicate ??= name;
                    }
                    else if (isObject && reader.CurrentDepth == 1)
                    {
                        ReadMember(name, reader, line, request);
                    }
                    break;
                case JsonTokenType.String when reader.ValueIsEscaped:
                    // Throws for half a surrogate pair.
                    _ = reader.GetString();
                    break;
                default:
                    break;
            }
        }
        while (reader.Read());
        if (!isObject)
        {
            request.Problem = new RequestException(ErrorSymbol.InvalidData, "a request is a JSON object");
        }
        else if (duplicate is not null)
        {
            request.Problem = new RequestException(ErrorSymbol.InvalidData, $"the member {duplicate} stands twice");
        }
    }

    // The reader is a copy: it looks at the value and leaves the scan where it is.
    private static void ReadMember(string name, Utf8JsonReader reader, ReadOnlySpan<byte> line, Request request)
    {
        if (!reader.Read())
        {
            return;
        }
        bool isText = reader.TokenType == JsonTokenType.String;
        switch (name)
        {
            case "extID":
                ReadExtId(reader, request);
                break;
            case "command":
                request.Command = isText ? reader.GetString() : null;
                break;
            case "__token" when isText:
                request.SetToken(Bytes(reader));
                break;
            case "authorization":
                request.Authorization = isText ? Bytes(reader) : [];
                break;
            case "data" when reader.TokenType == JsonTokenType.StartObject:
                int start = (int)reader.TokenStartIndex;
                if (reader.TrySkip())
                {
                    request.Data = line[start..(int)reader.BytesConsumed].ToArray();
                    request.HasData = true;
                }
                break;
            default:
                break;
        }
    }

    private static byte[] Bytes(Utf8JsonReader reader)
    {
        byte[] bytes = new byte[reader.ValueSpan.Length];
        return bytes[..reader.CopyString(bytes)];
    }

    private static void ReadExtId(Utf8JsonReader reader, Request request)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                request.SetExtId(reader.ValueSpan);
                break;
            case JsonTokenType.String:
                // Encoded anew: what came in may hold what must not go out, an apostrophe for one.
                JsonEncodedText text = JsonEncodedText.Encode(reader.GetString()!);
                request.SetExtId([(byte)'"', .. text.EncodedUtf8Bytes, (byte)'"']);
                break;
            case JsonTokenType.Null:
                break;
            default:
                request.Problem = new RequestException(
                    ErrorSymbol.InvalidData, "extID must be a string, a number or a boolean");
                break;
        }
    }

    private static string Position(JsonException e) => e.BytePositionInLine is long at ? $"at byte {at}" : "";
}
