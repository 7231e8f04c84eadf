using System.Buffers;

namespace Backupd.Protocol.Server;

/// <summary>
/// Takes request lines apart that are written as nearly all are: the four members, each at most once, in any order,
/// with plain strings and without data. Anything else, right or wrong, is left to <see cref="RequestReader"/>, whose
/// answer to a line that is taken here would be the same; a test holds the two together.
/// </summary>
internal ref struct PlainRequest
{
    // Characters that mean themselves in JSON and leave as they came: nothing to decode, nothing to encode.
    private static readonly SearchValues<byte> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"u8);

    private readonly ReadOnlySpan<byte> _line;
    private int _at;
    private bool _hasCommand;
    private bool _hasExtId;
    private bool _hasToken;
    private bool _hasDataMember;

    private PlainRequest(ReadOnlySpan<byte> line) => _line = line;

    /// <summary>Reads a line into an empty request. False when the line is not plain: the request then holds
    /// leftovers.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> line, Request request)
    {
        PlainRequest scan = new(line);
        return scan.TryReadObject(request);
    }

    private bool TryReadObject(Request request)
    {
        if (!Take((byte)'{'))
        {
            return false;
        }
        do
        {
            if (!TryReadMember(request))
            {
                return false;
            }
        }
        while (Take((byte)','));
        return Take((byte)'}') && _at == _line.Length;
    }

    private bool TryReadMember(Request request)
    {
        if (!TryTakeText(out ReadOnlySpan<byte> name) || !Take((byte)':'))
        {
            return false;
        }
        return name switch
        {
            _ when name.SequenceEqual("command"u8) => IsFirst(ref _hasCommand) && TryReadCommand(request),
            _ when name.SequenceEqual("extID"u8) => IsFirst(ref _hasExtId) && TryReadExtId(request),
            _ when name.SequenceEqual("data"u8) => IsFirst(ref _hasDataMember) && TryReadData(request),
            _ when name.SequenceEqual("__token"u8) => IsFirst(ref _hasToken) && TryReadToken(request),
            _ => false,
        };
    }

    private bool TryReadCommand(Request request)
    {
        if (!TryTakeText(out ReadOnlySpan<byte> text))
        {
            return false;
        }
        request.Command = CommandTable.NameOf(text);
        // A command that does not exist takes the long way to its refusal.
        return request.Command is not null;
    }

    private bool TryReadExtId(Request request)
    {
        int start = _at;
        if (TryTakeText(out _))
        {
            request.SetExtId(_line[start.._at].TrimEnd((byte)' '));
            return true;
        }
        ReadOnlySpan<byte> rest = _line[start..];
        int digits = rest.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        // No leading zero; what follows (a fraction, an exponent, a letter) is the caller's to refuse.
        if (digits <= 0 || (rest[0] == '0' && digits > 1))
        {
            return false;
        }
        request.SetExtId(rest[..digits]);
        Skip(digits);
        return true;
    }

    private bool TryReadData(Request request)
    {
        if (!_line[_at..].StartsWith("{}"u8))
        {
            return false;
        }
        request.HasData = true;
        Skip(2);
        return true;
    }

    private bool TryReadToken(Request request)
    {
        bool isText = TryTakeText(out ReadOnlySpan<byte> text);
        request.SetToken(text);
        return isText;
    }

    private static bool IsFirst(ref bool seen)
    {
        bool isFirst = !seen;
        seen = true;
        return isFirst;
    }

    private bool TryTakeText(out ReadOnlySpan<byte> text)
    {
        text = default;
        ReadOnlySpan<byte> rest = _line[_at..];
        if (rest.IsEmpty || rest[0] != '"')
        {
            return false;
        }
        int length = rest[1..].IndexOfAnyExcept(PlainCharacters);
        if (length < 0 || rest[1 + length] != '"')
        {
            return false;
        }
        text = rest.Slice(1, length);
        Skip(length + 2);
        return true;
    }

    private bool Take(byte character)
    {
        if ((uint)_at >= (uint)_line.Length || _line[_at] != character)
        {
            return false;
        }
        Skip(1);
        return true;
    }

    // And the blanks that some encoders write after colons and commas.
    private void Skip(int count)
    {
        _at += count;
        while ((uint)_at < (uint)_line.Length && _line[_at] == ' ')
        {
            _at++;
        }
    }
}
