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

    /// <summary>A string that must be there.</summary>
    internal string RequiredText(string member, string what) => Text(member) ?? throw Missing(member, what);

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
    internal int Count(string member, int bound) => (int)(Whole(member, 1, bound) ?? bound);

    /// <summary>A whole number between two bounds, which belong to it; null when missing.</summary>
    internal long? Whole(string member, long least, long most)
    {
        if (!Has(member))
        {
            return null;
        }
        JsonElement value = _data.GetProperty(member);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= least && number <= most
            ? number
            : throw Wrong(member, $"a whole number from {least} to {most}");
    }

    /// <summary>0 or 1, as false or true; null when missing.</summary>
    internal bool? Bit(string member)
    {
        if (!Has(member))
        {
            return null;
        }
        JsonElement value = _data.GetProperty(member);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number is (0 or 1)
            ? number == 1
            : throw Wrong(member, "0 or 1");
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
