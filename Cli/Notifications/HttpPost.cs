using System.Buffers.Text;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Backupd.Backup.Remote;

namespace Backupd.Cli.Notifications;

/// <summary>A POST was not taken.</summary>
/// <param name="message">Why.</param>
/// <param name="isFinal">Whether the same would be refused again.</param>
/// <param name="inner">What went wrong on the way.</param>
internal sealed class PostException(string message, bool isFinal, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether the same would be refused again.</summary>
    internal bool IsFinal { get; } = isFinal;
}

/// <summary>
/// Sends one POST and reads the status of its answer (RFC 9112), each over a connection of its own. The HTTP client of the
/// runtime would be a tenth of the program, for requests without cookies, proxies, redirects or a body that is read.
/// </summary>
internal static class HttpPost
{
    private const int MaxHeadBytes = 8 * 1024;

    /// <summary>Sends it.</summary>
    /// <param name="post">What.</param>
    /// <param name="agent">Name and version of this program.</param>
    /// <param name="cancellation">Ends it, also when it takes too long.</param>
    /// <exception cref="PostException">It was not taken, or nobody could be reached.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    internal static async Task SendAsync(NotifyPost post, string agent, CancellationToken cancellation)
    {
        try
        {
            using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(post.Address.IdnHost, post.Address.Port, cancellation);
            await using Stream stream = await OpenAsync(socket, post.Address, cancellation);
            await stream.WriteAsync(Request(post, agent), cancellation);
            await stream.FlushAsync(cancellation);
            Judge(await StatusAsync(stream, cancellation));
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            throw new PostException(e.Message, isFinal: false, e);
        }
    }

    private static async Task<Stream> OpenAsync(Socket socket, Uri address, CancellationToken cancellation)
    {
        NetworkStream plain = new(socket, ownsSocket: false);
        if (address.Scheme == Uri.UriSchemeHttp)
        {
            return plain;
        }
        CertificateTrust trust = new(address.IdnHost, pinned: null);
        SslStream tls = new(plain);
        try
        {
            await tls.AuthenticateAsClientAsync(trust.Options(), cancellation);
            return tls;
        }
        catch (AuthenticationException e)
        {
            await tls.DisposeAsync();
            string why = trust.Problem.Length > 0 ? $"its certificate {trust.Problem}" : e.Message;
            throw new PostException(why, isFinal: false, e);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private static byte[] Request(NotifyPost post, string agent)
    {
        StringBuilder head = new();
        head.Append($"POST {post.Address.PathAndQuery} HTTP/1.1\r\n");
        head.Append($"Host: {HostField(post.Address)}\r\n");
        head.Append($"User-Agent: {agent.Replace(' ', '/')}\r\n");
        head.Append($"Content-Type: {post.ContentType}\r\n");
        head.Append($"Content-Length: {post.Body.Length}\r\n");
        foreach ((string name, string value) in post.Fields)
        {
            head.Append($"{name}: {value}\r\n");
        }
        head.Append("Connection: close\r\n\r\n");
        return [.. Encoding.ASCII.GetBytes(head.ToString()), .. post.Body];
    }

    private static string HostField(Uri address)
    {
        string host = address.HostNameType == UriHostNameType.IPv6 ? $"[{address.IdnHost}]" : address.IdnHost;
        return address.IsDefaultPort ? host : $"{host}:{address.Port}";
    }

    // Of the answer itself: what says that it is on its way (1xx) may come before it, and has no body.
    private static async Task<int> StatusAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] received = new byte[MaxHeadBytes];
        int start = 0;
        int count = 0;
        while (count < received.Length)
        {
            int more = await stream.ReadAsync(received.AsMemory(count), cancellation);
            count += more;
            while (TryStatus(received.AsSpan(start, count - start), out int status))
            {
                int end = received.AsSpan(start, count - start).IndexOf("\r\n\r\n"u8);
                if (status >= 200 || end < 0)
                {
                    break;
                }
                start += end + 4;
            }
            if (TryStatus(received.AsSpan(start, count - start), out int last) && last >= 200)
            {
                return last;
            }
            if (more == 0)
            {
                break;
            }
        }
        throw NoAnswer();
    }

    // False until a whole line is there.
    private static bool TryStatus(ReadOnlySpan<byte> received, out int status)
    {
        status = 0;
        int end = received.IndexOf((byte)'\n');
        if (end < 0)
        {
            return false;
        }
        ReadOnlySpan<byte> line = received[..end];
        return line.Length >= 12 && line.StartsWith("HTTP/1."u8)
            && Utf8Parser.TryParse(line.Slice(9, 3), out status, out int digits) && digits == 3
            ? true
            : throw NoAnswer();
    }

    private static PostException NoAnswer() => new("it sent no answer of HTTP", isFinal: false);

    private static void Judge(int status)
    {
        if (status is >= 200 and < 300)
        {
            return;
        }
        // Too early, too many, and what the server puts down to itself may pass; a redirection is not followed, because what
        // is sent may hold a token.
        bool mayPass = status is 408 or 425 or 429 or >= 500;
        string advice = status is >= 300 and < 400 ? ": name the address that it redirects to" : "";
        throw new PostException($"it answered {status}{advice}", isFinal: !mayPass);
    }
}
