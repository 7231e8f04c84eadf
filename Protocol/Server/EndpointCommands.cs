using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Protocol.Contracts;

namespace Backupd.Protocol.Server;

/// <summary>The commands about endpoints. Each touches the disk. What the engine refuses, other than a member, is left to the
/// dispatcher to name. No password is answered or logged.</summary>
internal sealed class EndpointCommands(EndpointList endpoints, EventLog log)
{
    /// <summary>All of them, by name.</summary>
    /// <exception cref="BackupException">The list cannot be read.</exception>
    internal byte[] List(Request request)
    {
        GetBackupConfigReply reply = new() { Rows = [.. endpoints.All().Select(EndpointObject.From)] };
        return ReplyWriter.Reply(request, reply, WireJson.Default.GetBackupConfigReply);
    }

    /// <summary>Adds one.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or not for this role.</exception>
    /// <exception cref="BackupException">EndpointExists, or the list cannot be read or written.</exception>
    internal byte[] Add(Request request, string who, SessionRole role) =>
        Change(request, who, "added", change => endpoints.Add(change, e => CheckRole(e, role)));

    /// <summary>Changes one.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or not for this role.</exception>
    /// <exception cref="BackupException">EndpointNotFound, PasswordRequired, or the list cannot be read or written.</exception>
    internal byte[] Update(Request request, string who, SessionRole role) =>
        Change(request, who, "changed", change => endpoints.Update(change, e => CheckRole(e, role)));

    /// <summary>Removes one.</summary>
    /// <exception cref="RequestException">Something in the request is wrong.</exception>
    /// <exception cref="BackupException">EndpointNotFound, or the list cannot be read or written.</exception>
    internal byte[] Delete(Request request, string who)
    {
        Endpoint removed = endpoints.Delete(NameOf(new RequestData(request)));
        Log(removed, "removed", who);
        DeleteBackupConfigReply reply = new() { Ok = true, Name = removed.Name };
        return ReplyWriter.Reply(request, reply, WireJson.Default.DeleteBackupConfigReply);
    }

    private byte[] Change(Request request, string who, string verb, Func<EndpointChange, Endpoint> work)
    {
        EndpointChange change = Read(new RequestData(request));
        Endpoint changed;
        try
        {
            changed = work(change);
        }
        catch (BackupException e) when (e.Fault == BackupFault.InputInvalid)
        {
            // The engine's sentence begins with the member.
            throw new RequestException(ErrorSymbol.InvalidData, $"data.{e.Message}", e.Detail);
        }
        Log(changed, verb, who);
        return ReplyWriter.Reply(request, EndpointObject.From(changed), WireJson.Default.EndpointObject);
    }

    // A directory is written to with the rights of the daemon, which are mostly those of root.
    private static void CheckRole(Endpoint endpoint, SessionRole role)
    {
        if (role != SessionRole.Admin && endpoint.Address is { IsDirectory: true })
        {
            throw new RequestException(
                ErrorSymbol.Permissions, "an endpoint that is a directory is for administrators: the daemon writes to it");
        }
    }

    private void Log(Endpoint endpoint, string verb, string who) => log.Info(
        $"endpoint {endpoint.Name} ({(endpoint.Host.Length > 0 ? endpoint.Host : "without a host")}) was {verb} by {who}");

    private static string NameOf(RequestData data) => data.RequiredText("name", "the name of an endpoint");

    private static EndpointChange Read(RequestData data) => new()
    {
        Name = NameOf(data),
        Host = data.Text("host"),
        Login = data.Text("login"),
        Password = data.Text("password"),
        IsEnabled = data.Bit("enable"),
        IsForFullRunsOnly = data.Bit("mode"),
        IntervalSeconds = (int?)data.Whole("timeinterval", 0, Endpoint.MaxIntervalSeconds),
        TimeoutSeconds = (int?)data.Whole("timeout", 1, Endpoint.MaxWaitSeconds),
        RetryAttempts = (int?)data.Whole("retry_attempts", 1, Endpoint.MaxAttempts),
        RetryDelaySeconds = (int?)data.Whole("retry_delay", 0, Endpoint.MaxWaitSeconds),
        TlsFingerprint = data.Text("tls_fingerprint"),
        BandwidthBytes = data.Whole("bandwidth", 0, Endpoint.MaxBandwidthBytes),
    };
}
