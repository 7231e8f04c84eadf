using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Backupd.Tests.Server;

/// <summary>
/// A client as they are written for this family of APIs, and no better: it splits on CR LF alone, finds the request that a
/// reply belongs to by <c>extID</c>, hands events to whoever asked for their name, and gives up after 30 seconds. It turns
/// apostrophes into quotation marks before it parses, as one of them does. Knows nothing of backupd's extensions.
/// </summary>
internal sealed class ClassicClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Socket _socket;
    private readonly string _token;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonObject>> _pending = new();
    private readonly ConcurrentDictionary<string, Action<JsonObject>> _listeners = new();
    private readonly Task _reading;
    private int _counter;

    private ClassicClient(Socket socket, string token)
    {
        _socket = socket;
        _token = token;
        _reading = ReadAsync();
    }

    public static async Task<ClassicClient> ConnectAsync(EndPoint address, string token)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address);
        return new ClassicClient(socket, token);
    }

    /// <summary>Calls back with the data of each event of a name, in order.</summary>
    public void On(string name, Action<JsonObject> listener) => _listeners[name] = listener;

    /// <summary>Sends a request and returns its reply, an error too.</summary>
    public async Task<JsonObject> Request(string command, JsonObject? data = null)
    {
        string id = $"{command}-{Interlocked.Increment(ref _counter)}";
        TaskCompletionSource<JsonObject> reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[id] = reply;
        JsonObject request = new()
        {
            ["command"] = command, ["extID"] = id, ["data"] = data ?? [], ["__token"] = _token,
        };
        byte[] bytes = Encoding.UTF8.GetBytes(request.ToJsonString() + "\r\n");
        await _socket.SendAsync(bytes);
        try
        {
            return await reply.Task.WaitAsync(Patience);
        }
        finally
        {
            _pending.TryRemove(id, out _);
        }
    }

    /// <summary>Waits until the server has closed; throws what the reading threw.</summary>
    public Task Closed() => _reading.WaitAsync(Patience);

    public void Dispose() => _socket.Dispose();

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[4096];
        Decoder decoder = Encoding.UTF8.GetDecoder();
        char[] characters = new char[buffer.Length + 4];
        string text = "";
        while (true)
        {
            int count = await _socket.ReceiveAsync(buffer);
            if (count == 0)
            {
                return;
            }
            text += new string(characters, 0, decoder.GetChars(buffer, 0, count, characters, 0));
            string[] parts = text.Split("\r\n");
            foreach (string part in parts[..^1])
            {
                Take(part);
            }
            text = parts[^1];
        }
    }

    private void Take(string line)
    {
        if (line.Length == 0)
        {
            return;
        }
        JsonObject message = JsonNode.Parse(line.Replace('\'', '"'))!.AsObject();
        if (message["event"] is JsonNode name)
        {
            if (_listeners.TryGetValue(name.GetValue<string>(), out Action<JsonObject>? listener))
            {
                listener(message["data"]!.AsObject());
            }
        }
        else if (message["extID"] is JsonNode id && _pending.TryGetValue(id.GetValue<string>(), out TaskCompletionSource<JsonObject>? waiting))
        {
            waiting.SetResult(message);
        }
    }
}
