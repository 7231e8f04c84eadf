using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Backupd.Cli.Notifications;

/// <summary>A POST that tells somebody: where to, with which fields and which body.</summary>
internal sealed class NotifyPost
{
    private const string Json = "application/json";
    private const string Plain = "text/plain; charset=utf-8";

    private NotifyPost(Uri address, string contentType, byte[] body)
    {
        Address = address;
        ContentType = contentType;
        Body = body;
    }

    /// <summary>Where to.</summary>
    internal Uri Address { get; }

    /// <summary>What the body is.</summary>
    internal string ContentType { get; }

    /// <summary>The body.</summary>
    internal byte[] Body { get; }

    /// <summary>Further fields of the head; values are printable ASCII.</summary>
    internal List<(string Name, string Value)> Fields { get; } = [];

    /// <summary>Makes the request of a target that is no command.</summary>
    /// <param name="kind">What the other side understands.</param>
    /// <param name="address">Where it is.</param>
    /// <param name="token">Sent as a bearer token; "" for none.</param>
    /// <param name="notice">What to tell.</param>
    internal static NotifyPost Make(NotifyKind kind, Uri address, string token, Notice notice)
    {
        NotifyPost post = kind switch
        {
            NotifyKind.Webhook => new NotifyPost(address, Json, notice.ToJson()),
            NotifyKind.Ping => new NotifyPost(PingAddress(address, notice), Plain, Encoding.UTF8.GetBytes(notice.Text)),
            NotifyKind.Ntfy => new NotifyPost(address, Plain, Encoding.UTF8.GetBytes(notice.Text)),
            NotifyKind.Command => throw new ArgumentException("a command is not posted", nameof(kind)),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
        if (kind == NotifyKind.Ntfy)
        {
            post.Fields.Add(("Title", Ascii($"{notice.Host}: backup {notice.Word}")));
            post.Fields.Add(("Priority", Priority(notice.What)));
            post.Fields.Add(("Tags", notice.Code == ExitCode.Ok ? "white_check_mark" : "warning"));
        }
        if (token.Length > 0)
        {
            post.Fields.Add(("Authorization", $"Bearer {token}"));
        }
        return post;
    }

    /// <summary>The address with the exit code as its last segment and the run as <c>rid</c>: the same run has the same id each
    /// time it is told, so that a repeated ping is known as one.</summary>
    private static Uri PingAddress(Uri address, Notice notice)
    {
        if (notice.RunId.Length == 0)
        {
            // A test is good news; what is overdue has failed and belongs to no run.
            return WithPath(address, notice.Code == ExitCode.Ok ? "0" : "1", "");
        }
        return WithPath(
            address, ((int)notice.Code).ToString(CultureInfo.InvariantCulture), $"rid={RunGuid(notice.Host, notice.RunId)}");
    }

    private static Uri WithPath(Uri address, string segment, string query)
    {
        string before = address.Query.TrimStart('?');
        string joined = before.Length > 0 && query.Length > 0 ? $"{before}&{query}" : before + query;
        return new UriBuilder(address) { Path = $"{address.AbsolutePath.TrimEnd('/')}/{segment}", Query = joined }.Uri;
    }

    // Watchers of jobs take UUIDs: one of version 8, whose bits are the maker's own (RFC 9562, 5.8).
    private static Guid RunGuid(string host, string runId)
    {
        byte[] bytes = SHA256.HashData(Encoding.UTF8.GetBytes($"{host} {runId}"))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private static string Priority(NotifyEvents what) => what switch
    {
        NotifyEvents.Failed or NotifyEvents.Overdue => "high",
        NotifyEvents.Partial or NotifyEvents.Unpublished => "default",
        NotifyEvents.None or NotifyEvents.Finished => "low",
        NotifyEvents.All or _ => throw new ArgumentOutOfRangeException(nameof(what)),
    };

    // What a head may hold; the text itself is in the body as it is.
    private static string Ascii(string text) =>
        string.Create(text.Length, text, static (span, from) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
            }
        });
}
