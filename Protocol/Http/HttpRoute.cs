namespace Backupd.Protocol.Http;

/// <summary>What a path does with its connection.</summary>
internal enum HttpAction
{
    /// <summary>Answers once.</summary>
    Answer,

    /// <summary>Becomes a WebSocket.</summary>
    WebSocket,

    /// <summary>Takes one request of the protocol and answers it.</summary>
    Call,

    /// <summary>Sends events until somebody leaves.</summary>
    Events,
}

/// <summary>Who may ask for a path.</summary>
internal enum HttpAccess
{
    /// <summary>Everybody: what it answers is no secret, or the token comes later.</summary>
    Anyone,

    /// <summary>Who shows a token of a role with access to backups.</summary>
    Backups,
}

/// <summary>A path of the port.</summary>
internal sealed class HttpRoute
{
    /// <summary>A path that answers once, with GET and HEAD.</summary>
    /// <param name="path">As it stands in requests, byte for byte.</param>
    /// <param name="access">Who may ask.</param>
    /// <param name="answer">Makes the answer, on the sockets' thread, which must not block.</param>
    internal HttpRoute(string path, HttpAccess access, Func<HttpAnswer> answer)
    {
        Path = path;
        Access = access;
        Methods = "GET, HEAD";
        Answer = answer;
    }

    /// <summary>A path that does something else.</summary>
    /// <param name="path">As it stands in requests, byte for byte.</param>
    /// <param name="access">Who may ask.</param>
    /// <param name="action">What it does.</param>
    /// <param name="methods">With which methods.</param>
    internal HttpRoute(string path, HttpAccess access, HttpAction action, string methods)
    {
        Path = path;
        Access = access;
        Action = action;
        Methods = methods;
    }

    internal string Path { get; }

    internal HttpAccess Access { get; }

    internal HttpAction Action { get; }

    /// <summary>The methods that it takes, as the field Allow lists them.</summary>
    internal string Methods { get; }

    /// <summary>Makes the answer where the action is to answer; null for the others.</summary>
    internal Func<HttpAnswer>? Answer { get; }
}
