using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Backupd.Cli.Client;

/// <summary>Nobody answers at an address.</summary>
public sealed class NoDaemonException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The daemon refused a request.</summary>
public sealed class ErrorReplyException(string symbol, string message, string detail, string runId) : Exception(message)
{
    /// <summary>The wire's error symbol.</summary>
    public string Symbol { get; } = symbol;

    /// <summary>More than the message; "" for none.</summary>
    public string Detail { get; } = detail;

    /// <summary>The run that ended badly; "" for none.</summary>
    public string RunId { get; } = runId;
}

/// <summary>One connection to a daemon. Used by one caller at a time.</summary>
public sealed class DaemonClient : IDisposable
{
    private readonly Socket _socket;
    private readonly StreamReader _lines;
    private readonly Stream _stream;
    private readonly string _token;
    private int _next;

    private DaemonClient(Socket socket, Stream stream, string token)
    {
        _socket = socket;
        _token = token;
        _stream = stream;
        _lines = new StreamReader(_stream, Encoding.UTF8);
    }

    /// <summary>Connects.</summary>
    /// <param name="address">Where to.</param>
    /// <param name="token">Sent with each request; "" for none, which the Unix socket needs.</param>
    /// <param name="fingerprint">The only certificate that is believed; null for those of trusted authorities. Means nothing
    /// without TLS.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="NoDaemonException">Nobody answers there, or one whose certificate is not believed.</exception>
    public static async Task<DaemonClient> ConnectAsync(
        DaemonAddress address, string token, string? fingerprint, CancellationToken cancellation)
    {
        Socket socket = address.CreateSocket();
        try
        {
            await socket.ConnectAsync(address.EndPoint, cancellation);
            Stream stream = new NetworkStream(socket, ownsSocket: false);
            if (address.UsesTls)
            {
                stream = await new DaemonTrust(fingerprint).AuthenticateAsync(stream, address, cancellation);
            }
            return new DaemonClient(socket, stream, token);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            socket.Dispose();
            throw new ErrorReplyException(
                "RET_ERR_PERMISSIONS", $"this user may not use {address.Text}",
                "ask as root, as the daemon's own user, or as a member of the group that listen.group names", "");
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new NoDaemonException(
                $"no daemon answers at {address.Text}: {Reason(address, e)}; start one with: backupd serve", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request and returns the payload of its reply.</summary>
    /// <exception cref="ErrorReplyException">The daemon refused.</exception>
    /// <exception cref="NoDaemonException">It closed the connection.</exception>
    public async Task<T> RequestAsync<T>(
        string command, string data, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        string line = await RequestLineAsync(command, data, cancellation);
        ThrowIfError(line);
        return JsonSerializer.Deserialize(line, type)
            ?? throw new NoDaemonException($"the daemon answered {command} with nothing");
    }

    /// <summary>Sends a request and returns what its reply says, an error or a payload, whichever shape the daemon gives its
    /// replies. Events before it are skipped.</summary>
    public async Task<string> RequestLineAsync(string command, string data, CancellationToken cancellation)
    {
        string line = await ExchangeAsync(command, data, cancellation);
        using JsonDocument json = Parse(line);
        // A run has a status too, but that is a word.
        return !json.RootElement.TryGetProperty("error", out _)
            && json.RootElement.TryGetProperty("status", out JsonElement status) && status.ValueKind == JsonValueKind.Number
            && json.RootElement.TryGetProperty("data", out JsonElement payload)
            ? payload.GetRawText()
            : line;
    }

    /// <summary>Sends a request and returns the line of its reply as it came. Events before it are skipped.</summary>
    public async Task<string> ExchangeAsync(string command, string data, CancellationToken cancellation)
    {
        await SendAsync(command, data, cancellation);
        while (true)
        {
            string line = await ReadLineAsync(cancellation)
                ?? throw new NoDaemonException("the daemon closed the connection without an answer");
            if (!IsEvent(line, out _))
            {
                return line;
            }
        }
    }

    /// <summary>The next event as a line, or null when the daemon has closed the connection.</summary>
    public async Task<string?> NextEventAsync(CancellationToken cancellation)
    {
        while (await ReadLineAsync(cancellation) is string line)
        {
            if (IsEvent(line, out _))
            {
                return line;
            }
        }
        return null;
    }

    /// <summary>Whether a line is an event; its data as JSON if so.</summary>
    /// <exception cref="NoDaemonException">No daemon has sent it.</exception>
    public static bool IsEvent(string line, out string data)
    {
        data = "";
        using JsonDocument json = Parse(line);
        if (!json.RootElement.TryGetProperty("event", out _))
        {
            return false;
        }
        data = json.RootElement.TryGetProperty("data", out JsonElement value) ? value.GetRawText() : "{}";
        return true;
    }

    /// <summary>Throws when a reply is an error.</summary>
    /// <exception cref="ErrorReplyException">It is.</exception>
    public static void ThrowIfError(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        if (json.RootElement.TryGetProperty("error", out JsonElement symbol)
            && json.RootElement.TryGetProperty("status", out JsonElement status)
            && status.ValueKind == JsonValueKind.Number)
        {
            throw new ErrorReplyException(
                symbol.GetString() ?? "", Text(json, "message"), Text(json, "detail"), Text(json, "run_id"));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lines.Dispose();
        _stream.Dispose();
        _socket.Dispose();
    }

    // The runtime's sentence for a missing socket is about addresses of networks.
    private static string Reason(DaemonAddress address, SocketException e) =>
        address.EndPoint is UnixDomainSocketEndPoint && e.SocketErrorCode == SocketError.AddressNotAvailable
            ? "there is no such socket"
            : e.Message;

    // The wrong port: a web server or a mail server answers, too.
    private static JsonDocument Parse(string line)
    {
        try
        {
            JsonDocument json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                return json;
            }
            json.Dispose();
        }
        catch (JsonException)
        {
            // As below.
        }
        throw new NoDaemonException("what answers there is no backupd: it does not speak this protocol");
    }

    private static string Text(JsonDocument json, string member) =>
        json.RootElement.TryGetProperty(member, out JsonElement value) ? value.GetString() ?? "" : "";

    private async Task SendAsync(string command, string data, CancellationToken cancellation)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("command", command);
            writer.WriteNumber("extID", ++_next);
            writer.WritePropertyName("data");
            writer.WriteRawValue(data);
            if (_token.Length > 0)
            {
                writer.WriteString("__token", _token);
            }
            writer.WriteEndObject();
        }
        line.WriteByte((byte)'\n');
        try
        {
            await _stream.WriteAsync(line.GetBuffer().AsMemory(0, (int)line.Length), cancellation);
        }
        catch (IOException e)
        {
            throw new NoDaemonException($"the daemon closed the connection: {e.Message}", e);
        }
    }

    private async Task<string?> ReadLineAsync(CancellationToken cancellation)
    {
        try
        {
            return await _lines.ReadLineAsync(cancellation);
        }
        catch (IOException e)
        {
            throw new NoDaemonException($"the daemon closed the connection: {e.Message}", e);
        }
    }
}
