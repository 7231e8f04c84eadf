using System.Net;

namespace Backupd.Protocol.Http;

/// <summary>The paths of the port in one table, and what every request for one has to be like.</summary>
internal sealed class HttpRoutes
{
    private readonly HttpRoute[] _table;

    /// <param name="figures">What is told to those who watch.</param>
    internal HttpRoutes(DaemonFigures figures)
    {
        _table =
        [
            new("/", HttpAccess.Anyone, static () => WebPage.Answer),
            new("/ws", HttpAccess.Anyone, HttpAction.WebSocket, "GET"),
            new("/call", HttpAccess.Anyone, HttpAction.Call, "POST"),
            new("/events", HttpAccess.Backups, HttpAction.Events, "GET, HEAD"),
            new("/healthz", HttpAccess.Anyone, static () => HttpAnswer.Text(200, "ok")),
            new("/metrics", HttpAccess.Backups, () => new HttpAnswer(200, MetricsText.ContentType, MetricsPage.Make(figures))),
            new("/health/backups", HttpAccess.Backups, () => BackupsHealth.Answer(figures)),
        ];
    }

    /// <summary>The path that a request is for. Nothing is said yet about who asks.</summary>
    /// <param name="head">The request.</param>
    /// <param name="hosts">Which hosts may be named.</param>
    /// <param name="reached">The address that the client has reached; null over a Unix socket.</param>
    /// <exception cref="HttpHeadException">The request is refused.</exception>
    internal HttpRoute Find(HttpHead head, HostRules hosts, IPAddress? reached)
    {
        string host = head.Single("Host") ?? throw new HttpHeadException(400, "the field Host is missing");
        int? length = head.BodyLength();
        if (!hosts.Allows(host, reached))
        {
            throw new HttpHeadException(421, "this host is not served here; name it in listen.hosts");
        }
        HttpRoute route = Array.Find(_table, r => r.Path == head.Path) ?? throw new HttpHeadException(404, "not found");
        if (!Array.Exists(route.Methods.Split(", "), m => m == head.Method))
        {
            throw new HttpHeadException(405, $"only {route.Methods} is allowed here", $"Allow: {route.Methods}\r\n");
        }
        if (head.Target.Contains("token=", StringComparison.OrdinalIgnoreCase))
        {
            throw new HttpHeadException(
                400, "a token in an address ends up in logs and histories; send it as Authorization: Bearer TOKEN");
        }
        if (!HostRules.IsSameOrigin(head.Single("Origin"), host))
        {
            throw new HttpHeadException(403, "a page of another origin may not connect");
        }
        CheckBody(head, route, length);
        return route;
    }

    private static void CheckBody(HttpHead head, HttpRoute route, int? length)
    {
        if (head.Single("Expect") is string expected && !expected.Equals("100-continue", StringComparison.OrdinalIgnoreCase))
        {
            throw new HttpHeadException(417, "100-continue is all that can be expected");
        }
        if (route.Action != HttpAction.Call)
        {
            if (length > 0)
            {
                throw new HttpHeadException(400, "a body has no place here");
            }
            return;
        }
        if (length is null)
        {
            throw new HttpHeadException(411, "the field Content-Length is missing");
        }
        // The one check that makes a browser ask before it sends anything for a page of another site.
        string type = (head.Single("Content-Type") ?? "").Split(';', 2)[0].Trim(' ', '\t');
        if (!type.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new HttpHeadException(415, "the body is a JSON document: Content-Type: application/json");
        }
    }
}
