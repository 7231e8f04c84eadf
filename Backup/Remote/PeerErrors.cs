namespace Backupd.Backup.Remote;

/// <summary>Errors as the peer protocol names them. One table for both ends.</summary>
internal static class PeerErrors
{
    private static readonly (RemoteFault Fault, string Symbol, int Status)[] Table =
    [
        (RemoteFault.ProtocolBroken, "INVALID_DATA", 400),
        (RemoteFault.LoginRefused, "RET_UNAUTHORIZED", 401),
        (RemoteFault.AppendOnly, "APPEND_ONLY", 403),
        (RemoteFault.RunNotFound, "BACKUP_RUN_NOT_FOUND", 404),
        (RemoteFault.Unsupported, "RET_INVALID_METHOD", 404),
        (RemoteFault.RunExists, "RUN_EXISTS", 409),
        (RemoteFault.Damaged, "DATA_DAMAGED", 422),
        (RemoteFault.Busy, "VAULT_BUSY", 503),
        (RemoteFault.StorageFailed, "STORAGE_FAILED", 507),
        (RemoteFault.QuotaExceeded, "QUOTA_EXCEEDED", 507),
    ];

    /// <summary>The reply that says so.</summary>
    internal static PeerReply ReplyOf(RemoteException error)
    {
        foreach ((RemoteFault fault, string symbol, int status) in Table)
        {
            if (fault == error.Fault)
            {
                return new PeerReply { Status = status, Error = symbol, Message = error.Message };
            }
        }
        return new PeerReply { Status = 500, Error = "RET_ERROR", Message = error.Message };
    }

    /// <summary>What a reply that is an error says; null when it is none.</summary>
    internal static RemoteException? Of(PeerReply reply)
    {
        if (reply.Error is null && reply.Status == 200)
        {
            return null;
        }
        string message = string.IsNullOrEmpty(reply.Message) ? $"it answers {reply.Status} {reply.Error}" : reply.Message;
        foreach ((RemoteFault fault, string symbol, _) in Table)
        {
            if (symbol == reply.Error)
            {
                bool isOlder = fault == RemoteFault.Unsupported;
                return new RemoteException(fault, isOlder ? $"it is an older version: {message}" : message);
            }
        }
        return new RemoteException(RemoteFault.ProtocolBroken, message);
    }
}
