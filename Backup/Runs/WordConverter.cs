using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Backupd.Backup.Runs;

/// <summary>Reads and writes an enumeration as the words that <see cref="JsonStringEnumMemberNameAttribute"/> gives its
/// members, and as nothing else: neither as numbers nor in another case.</summary>
/// <remarks>The serialiser's own converter does far more than that, and in a native binary it is there once more for each
/// enumeration.</remarks>
internal sealed class WordConverter<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>
    : JsonConverter<T>
    where T : struct, Enum
{
    private static readonly (T Value, JsonEncodedText Word)[] Words =
    [
        .. typeof(T).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static f => (
            (T)f.GetValue(null)!,
            JsonEncodedText.Encode(f.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name))),
    ];

    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            foreach ((T value, JsonEncodedText word) in Words)
            {
                if (reader.ValueTextEquals(word.EncodedUtf8Bytes))
                {
                    return value;
                }
            }
        }
        // The serialiser adds where.
        throw new JsonException();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        foreach ((T known, JsonEncodedText word) in Words)
        {
            if (EqualityComparer<T>.Default.Equals(known, value))
            {
                writer.WriteStringValue(word);
                return;
            }
        }
        throw new JsonException();
    }
}
