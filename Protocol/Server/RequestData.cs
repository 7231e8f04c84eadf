using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>The <c>data</c> of a request, member by member, with errors that name the member and what it must be.</summary>
internal readonly ref struct RequestData
{
    private readonly JsonElement _data;
    private readonly bool _given;

    internal RequestData(Request request)
    {
        _given = request.HasData;
        Utf8JsonReader reader = new(request.Data.Span);
        _data = JsonElement.ParseValue(ref reader);
    }

    /// <summary>A run id that must be there.</summary>
    internal RunId RunId(string member) => Id(member, "run");

    /// <summary>A run id that may be missing.</summary>
    internal RunId? OptionalRunId(string member) => Has(member) ? RunId(member) : null;

    /// <summary>A restore id that must be there; restores count with the runs.</summary>
    internal RunId RestoreId(string member) => Id(member, "restore");

    /// <summary>A restore id that may be missing.</summary>
    internal RunId? OptionalRestoreId(string member) => Has(member) ? RestoreId(member) : null;

    /// <summary>A list of strings; null when missing.</summary>
    internal ImmutableArray<string>? Texts(string member)
    {
        if (!Has(member))
        {
            return null;
        }
        JsonElement value = _data.GetProperty(member);
        if (value.ValueKind != JsonValueKind.Array
            || value.EnumerateArray().Any(e => e.ValueKind != JsonValueKind.String))
        {
            throw Wrong(member, "an array of strings");
        }
        return [.. value.EnumerateArray().Select(e => e.GetString()!)];
    }

    /// <summary>A list of strings that must be there.</summary>
    internal ImmutableArray<string> RequiredTexts(string member) =>
        Texts(member) ?? throw Missing(member, "an array of strings");

    /// <summary>A string; null when missing.</summary>
    internal string? Text(string member)
    {
        if (!Has(member))
        {
            return null;
        }
        JsonElement value = _data.GetProperty(member);
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(member, "a string");
    }

    /// <summary>True or false; false when missing.</summary>
    internal bool Flag(string member)
    {
        if (!Has(member))
        {
            return false;
        }
        JsonElement value = _data.GetProperty(member);
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw Wrong(member, "true or false");
    }

    /// <summary>True or false that must be there.</summary>
    internal bool RequiredFlag(string member) => Has(member) ? Flag(member) : throw Missing(member, "true or false");

    /// <summary>A whole number from 1 to a bound; the bound when missing.</summary>
    internal int Count(string member, int bound)
    {
        if (!Has(member))
        {
            return bound;
        }
        JsonElement value = _data.GetProperty(member);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int count) && count >= 1 && count <= bound
            ? count
            : throw Wrong(member, $"a whole number from 1 to {bound}");
    }

    /// <summary>Whether a member is there at all, whatever its value.</summary>
    internal bool Has(string member) => _data.TryGetProperty(member, out _);

    private RunId Id(string member, string ofWhat)
    {
        string text = Text(member) ?? throw Missing(member, $"the id of a {ofWhat}");
        return Backup.Runs.RunId.TryParse(text, out RunId id)
            ? id
            : throw Wrong(member, $"a {ofWhat} id like 20260102-030405-000001");
    }

    private RequestException Missing(string member, string what) =>
        new(
            ErrorSymbol.InvalidData,
            _given ? $"data.{member} is missing: {what}" : $"data is missing: it holds {member}, {what}");

    private static RequestException Wrong(string member, string what) =>
        new(ErrorSymbol.InvalidData, $"data.{member} must be {what}");
}
