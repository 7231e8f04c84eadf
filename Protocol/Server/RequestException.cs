namespace Backupd.Protocol.Server;

/// <summary>A request is refused; becomes an error reply.</summary>
public sealed class RequestException : Exception
{
    /// <summary>Makes one.</summary>
    public RequestException(ErrorSymbol symbol, string message, string detail = "", string runId = "", string restoreId = "")
        : base(message)
    {
        Symbol = symbol;
        Detail = detail;
        RunId = runId;
        RestoreId = restoreId;
    }

    /// <summary>The error.</summary>
    public ErrorSymbol Symbol { get; }

    /// <summary>More than the message; "" for none.</summary>
    public string Detail { get; }

    /// <summary>The run that ended badly; "" for none.</summary>
    public string RunId { get; }

    /// <summary>The restore that was refused after it had begun, before it touched anything; "" for none.</summary>
    public string RestoreId { get; }

    /// <summary>Whether it is the end of something that was seen as progress.</summary>
    internal bool HadProgress => RunId.Length > 0 || RestoreId.Length > 0;
}
