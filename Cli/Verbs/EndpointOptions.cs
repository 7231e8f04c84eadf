using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Verbs;

/// <summary>What <c>endpoint add</c> and <c>endpoint set</c> say of an endpoint, and the request that they make of it.</summary>
internal sealed class EndpointOptions
{
    private readonly Option<string?> _login = Text(
        "--login", "LOGIN", "The name that the other backupd knows this machine by");

    private readonly Option<string?> _passwordFile = Text(
        "--password-file", "FILE", "File with the password for it, or - for standard input; one trailing line end is cut off");

    private readonly Option<bool> _noPassword = new("--no-password") { Description = "Forget the stored password" };

    private readonly Option<string?> _fingerprint = Text(
        "--fingerprint", "SHA256", "Believe only this certificate of the other backupd; the daemon's own: BACKUPD_FINGERPRINT");

    private readonly Option<string?> _runs = Text("--runs", "WHICH", "Which runs go there: all, or full for those of everything");

    private readonly Option<string?> _interval = Text(
        "--interval", "TIME", "The least time between two runs that go there, like 6h; 0s for every run");

    private readonly Option<string?> _timeout = Text("--timeout", "TIME", "How long it may be silent, like 2m");
    private readonly Option<string?> _attempts = Text("--attempts", "N", "How many attempts are made in all");
    private readonly Option<string?> _delay = Text("--retry-delay", "TIME", "Before the second attempt, like 5s");

    private readonly Option<string?> _bandwidth = Text(
        "--bandwidth", "BYTES", "How much may be sent in a second, like 500K or 10M; 0 for no limit");

    private readonly Option<bool> _enabled = new("--enabled") { Description = "Publish runs to it again" };
    private readonly Option<bool> _disabled = new("--disabled") { Description = "Publish no runs to it by themselves" };

    /// <param name="owner">The verb.</param>
    /// <param name="isNew">Whether the endpoint is, so that there is nothing to take back.</param>
    internal EndpointOptions(Command owner, bool isNew)
    {
        _runs.AcceptOnlyFromAmong("all", "full");
        owner.Add(_login);
        owner.Add(_passwordFile);
        owner.Add(_fingerprint);
        owner.Add(_runs);
        owner.Add(_interval);
        owner.Add(_timeout);
        owner.Add(_attempts);
        owner.Add(_delay);
        owner.Add(_bandwidth);
        owner.Add(_disabled);
        if (!isNew)
        {
            owner.Add(_enabled);
            owner.Add(_noPassword);
        }
    }

    /// <summary>What was asked for. Reads the password.</summary>
    /// <exception cref="BackupException">InputInvalid: what cannot be understood. Io: the password cannot be read.</exception>
    internal async Task<EndpointChange> ReadAsync(
        ParseResult parsed, string name, string? host, CancellationToken cancellation)
    {
        bool isEnabled = parsed.GetValue(_enabled);
        bool isDisabled = parsed.GetValue(_disabled);
        bool hasNoPassword = parsed.GetValue(_noPassword);
        string? passwordFile = parsed.GetValue(_passwordFile);
        Refuse(isEnabled && isDisabled, "--enabled and --disabled contradict each other");
        Refuse(hasNoPassword && passwordFile is not null, "--no-password and --password-file contradict each other");
        EndpointChange change = new()
        {
            Name = name,
            Host = host,
            Login = parsed.GetValue(_login),
            Password = hasNoPassword ? "" : passwordFile is null ? null : await PasswordAsync(passwordFile, cancellation),
            IsEnabled = isEnabled ? true : isDisabled ? false : null,
            IsForFullRunsOnly = parsed.GetValue(_runs) switch { null => null, "full" => true, _ => false },
            IntervalSeconds = Seconds(parsed, _interval),
            TimeoutSeconds = Seconds(parsed, _timeout),
            RetryAttempts = Count(parsed, _attempts),
            RetryDelaySeconds = Seconds(parsed, _delay),
            TlsFingerprint = parsed.GetValue(_fingerprint),
            BandwidthBytes = Bytes(parsed, _bandwidth),
        };
        // The daemon looks as well; here it costs no connection, and the sentence needs nothing of the protocol.
        EndpointRules.CheckMembers(change.ToEndpoint());
        return change;
    }

    /// <summary>The data of a request: the members that were given.</summary>
    internal static string ToJson(EndpointChange change)
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            writer.WriteString("name", change.Name);
            WriteText(writer, "host", change.Host);
            WriteText(writer, "login", change.Login);
            WriteText(writer, "password", change.Password);
            WriteNumber(writer, "enable", change.IsEnabled is bool enable ? (enable ? 1 : 0) : null);
            WriteNumber(writer, "mode", change.IsForFullRunsOnly is bool full ? (full ? 1 : 0) : null);
            WriteNumber(writer, "timeinterval", change.IntervalSeconds);
            WriteNumber(writer, "timeout", change.TimeoutSeconds);
            WriteNumber(writer, "retry_attempts", change.RetryAttempts);
            WriteNumber(writer, "retry_delay", change.RetryDelaySeconds);
            WriteText(writer, "tls_fingerprint", change.TlsFingerprint);
            WriteNumber(writer, "bandwidth", change.BandwidthBytes);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(json.ToArray());
    }

    private static void WriteText(Utf8JsonWriter writer, string member, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(member, value);
        }
    }

    private static void WriteNumber(Utf8JsonWriter writer, string member, long? value)
    {
        if (value is long number)
        {
            writer.WriteNumber(member, number);
        }
    }

    private static async Task<string> PasswordAsync(string file, CancellationToken cancellation)
    {
        string text;
        try
        {
            text = file == "-"
                ? await Console.In.ReadToEndAsync(cancellation)
                : await File.ReadAllTextAsync(file, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"the password cannot be read: {e.Message}", inner: e);
        }
        string password = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        Refuse(password.Length == 0, $"{(file == "-" ? "standard input" : file)} holds no password");
        Refuse(password == Endpoint.HiddenPassword, "eight stars are no password: they stand for one that is hidden");
        return password;
    }

    private static int? Seconds(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not string text)
        {
            return null;
        }
        Refuse(!Durations.TryParseOrZero(text, out TimeSpan time), $"{option.Name} {text} is not a time like 90s, 2m or 6h");
        return (int)time.TotalSeconds;
    }

    private static int? Count(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not string text)
        {
            return null;
        }
        Refuse(
            !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count),
            $"{option.Name} {text} is not a number");
        return count;
    }

    private static long? Bytes(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not string text)
        {
            return null;
        }
        Refuse(!TryParseBytes(text, out long bytes), $"{option.Name} {text} is not an amount like 500K or 10M");
        return bytes;
    }

    /// <summary>Reads an amount of bytes: a number, or one with a unit as the configuration has them, in either case.</summary>
    internal static bool TryParseBytes(string text, out long bytes) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bytes)
        || Sizes.TryParse(text.ToUpperInvariant(), out bytes);

    private static Option<string?> Text(string name, string helpName, string description) =>
        new(name) { Description = description, HelpName = helpName };

    private static void Refuse(bool isWrong, string problem)
    {
        if (isWrong)
        {
            throw new BackupException(BackupFault.InputInvalid, problem);
        }
    }
}
