using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Notifications;

/// <summary>Takes POSTs, keeps them, and answers what the test says.</summary>
internal sealed class PostReceiver : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TlsIdentity? _tls;
    private readonly Task _serving;
    private readonly List<string> _received = [];
    private int _connections;

    public PostReceiver(TlsIdentity? tls = null)
    {
        _tls = tls;
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>What is answered to the request with this number, from 0; null to say nothing and keep the connection.</summary>
    public Func<int, string?> Answer { get; set; } = _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    public string Address => $"{(_tls is null ? "http" : "https")}://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>The requests so far, head and body.</summary>
    public string[] Received
    {
        get
        {
            lock (_received)
            {
                return [.. _received];
            }
        }
    }

    public async Task<string> ReceivesAsync(int count = 1)
    {
        await Deadline.Until(() => Received.Length >= count, $"{count} notifications have come");
        return Received[count - 1];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        List<Task> clients = [];
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                clients.Add(TakeAsync(socket, Interlocked.Increment(ref _connections) - 1));
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
        await Task.WhenAll(clients);
    }

    private async Task TakeAsync(Socket socket, int number)
    {
        try
        {
            await using Stream stream = await OpenAsync(socket);
            string request = await ReadAsync(stream);
            lock (_received)
            {
                _received.Add(request);
            }
            if (Answer(number) is string answer)
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);
            }
            else
            {
                // Until the client has had enough.
                _ = await stream.ReadAsync(new byte[1], _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or System.Security.Authentication.AuthenticationException)
        {
            // The test is over, or the client did not like us.
        }
    }

    private async Task<Stream> OpenAsync(Socket socket)
    {
        NetworkStream plain = new(socket, ownsSocket: true);
        if (_tls is null)
        {
            return plain;
        }
        SslStream tls = new(plain);
        try
        {
            await tls.AuthenticateAsServerAsync(await _tls.OptionsAsync(), _stop.Token);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private async Task<string> ReadAsync(Stream stream)
    {
        byte[] bytes = new byte[64 * 1024];
        int count = 0;
        while (true)
        {
            int more = await stream.ReadAsync(bytes.AsMemory(count), _stop.Token);
            count += more;
            string text = Encoding.UTF8.GetString(bytes, 0, count);
            int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (more == 0 || (end >= 0 && count - Encoding.UTF8.GetByteCount(text[..(end + 4)]) >= Length(text)))
            {
                return text;
            }
        }
    }

    private static int Length(string text)
    {
        string field = text.Split("\r\n").First(l => l.StartsWith("Content-Length: ", StringComparison.Ordinal));
        return int.Parse(field["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
