namespace Backupd.Protocol.Server;

/// <summary>A request is refused; becomes an error reply.</summary>
public sealed class RequestException : Exception
{
    /// <summary>Makes one.</summary>
    public RequestException(ErrorSymbol symbol, string message, string detail = "", string runId = "")
        : base(message)
    {
        Symbol = symbol;
        Detail = detail;
        RunId = runId;
    }

    /// <summary>The error.</summary>
    public ErrorSymbol Symbol { get; }

    /// <summary>More than the message; "" for none.</summary>
    public string Detail { get; }

    /// <summary>The run that ended badly; "" for none.</summary>
    public string RunId { get; }
}
