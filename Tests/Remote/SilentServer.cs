using System.Net;
using System.Net.Sockets;
using Backupd.Backup.Remote;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Takes connections on the loopback and says nothing.</summary>
internal sealed class SilentServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _taken = [];

    public SilentServer()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    private int Taken
    {
        get
        {
            lock (_taken)
            {
                return _taken.Count;
            }
        }
    }

    /// <summary>An endpoint that waits for it longer than any test.</summary>
    public EndpointChange Endpoint(string name) => new()
    {
        Name = name,
        Host = _listener.LocalEndpoint.ToString(),
        Login = TestVault.Login,
        Password = TestVault.Password,
        TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
        TimeoutSeconds = 600,
        RetryAttempts = 1,
    };

    /// <summary>Waits until so many have connected.</summary>
    public Task Asked(int times) => Deadline.Until(() => Taken >= times, $"{times} connections");

    public void Dispose()
    {
        _listener.Dispose();
        lock (_taken)
        {
            _taken.ForEach(s => s.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(CancellationToken.None);
                lock (_taken)
                {
                    _taken.Add(socket);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }
}
