using System.Text.Json.Serialization;
using Backupd.Backup.Remote;

namespace Backupd.Protocol.Contracts;

/// <summary>What became of a run at one backup server: an element of the member <c>remotes</c> of a run object.</summary>
public sealed class RemoteObject
{
    [JsonPropertyName("server_name")] public required string ServerName { get; init; }
    [JsonPropertyName("ok")] public required bool Ok { get; init; }
    [JsonPropertyName("steps_done")] public required int StepsDone { get; init; }
    [JsonPropertyName("steps_total")] public required int StepsTotal { get; init; }
    [JsonPropertyName("error")] public required string Error { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static RemoteObject From(RemoteResult result) => new()
    {
        ServerName = result.ServerName,
        Ok = result.Ok,
        StepsDone = result.StepsDone,
        StepsTotal = result.StepsTotal,
        Error = result.Error,
    };
}

/// <summary>Reply to DeleteRemoteBackupRun.</summary>
public sealed class DeleteRemoteBackupRunReply
{
    /// <summary>Always true.</summary>
    [JsonPropertyName("ok")] public required bool Ok { get; init; }

    /// <summary>Where it was.</summary>
    [JsonPropertyName("server_name")] public required string ServerName { get; init; }

    /// <summary>What was removed.</summary>
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
}
