using System.Text.Json.Serialization;

namespace Backupd.Backup.Runs;

/// <summary>Whether a run covers every configured participant or only named ones.</summary>
/// <remarks>The words of this file stand in manifests and on the wire, so each is pinned by attribute and survives
/// a renamed member.</remarks>
[JsonConverter(typeof(WordConverter<RunType>))]
public enum RunType
{
    /// <summary>Every configured participant.</summary>
    [JsonStringEnumMemberName("full")] Full,

    /// <summary>The participants that the request named.</summary>
    [JsonStringEnumMemberName("scoped")] Scoped,
}

/// <summary>What started a run.</summary>
[JsonConverter(typeof(WordConverter<RunTrigger>))]
public enum RunTrigger
{
    /// <summary>A person or a script asked.</summary>
    [JsonStringEnumMemberName("manual")] Manual,

    /// <summary>The schedule.</summary>
    [JsonStringEnumMemberName("cron")] Cron,

    /// <summary>An updater, before it changes anything.</summary>
    [JsonStringEnumMemberName("pre_update")] PreUpdate,

    /// <summary>The daemon is being stopped.</summary>
    [JsonStringEnumMemberName("shutdown")] Shutdown,
}

/// <summary>The words where no serialiser writes them.</summary>
public static class RunWords
{
    /// <summary>What started a run, as manifests and the wire have it.</summary>
    public static string Of(RunTrigger trigger) => trigger switch
    {
        RunTrigger.Manual => "manual",
        RunTrigger.Cron => "cron",
        RunTrigger.PreUpdate => "pre_update",
        RunTrigger.Shutdown => "shutdown",
        _ => throw new ArgumentOutOfRangeException(nameof(trigger)),
    };
}

/// <summary>The state of a run; every value but <see cref="Running"/> is final.</summary>
[JsonConverter(typeof(WordConverter<RunStatus>))]
public enum RunStatus
{
    /// <summary>Not ended yet.</summary>
    [JsonStringEnumMemberName("running")] Running,

    /// <summary>Every participant is ok.</summary>
    [JsonStringEnumMemberName("completed")] Completed,

    /// <summary>At least one optional participant failed, no critical one did.</summary>
    [JsonStringEnumMemberName("partial")] Partial,

    /// <summary>A critical participant failed, or the run could not be created or committed.</summary>
    [JsonStringEnumMemberName("failed")] Failed,

    /// <summary>Somebody stopped it.</summary>
    [JsonStringEnumMemberName("cancelled")] Cancelled,

    /// <summary>It took longer than the configured timeout.</summary>
    [JsonStringEnumMemberName("timeout")] Timeout,
}

/// <summary>What an operation is busy with.</summary>
[JsonConverter(typeof(WordConverter<RunPhase>))]
public enum RunPhase
{
    /// <summary>Reading participants and storing chunks.</summary>
    [JsonStringEnumMemberName("backup")] Backup,

    /// <summary>Reading back what was written.</summary>
    [JsonStringEnumMemberName("validate")] Validate,

    /// <summary>Writing artifacts and manifest, and committing the run.</summary>
    [JsonStringEnumMemberName("finalize")] Finalize,

    /// <summary>Sending the run to remote backup servers.</summary>
    [JsonStringEnumMemberName("publish_remote")] PublishRemote,

    /// <summary>Ended as completed or partial.</summary>
    [JsonStringEnumMemberName("done")] Done,

    /// <summary>Ended as failed, cancelled or timeout.</summary>
    [JsonStringEnumMemberName("failed")] Failed,

    /// <summary>Nothing is active.</summary>
    [JsonStringEnumMemberName("idle")] Idle,

    /// <summary>Writing files back.</summary>
    [JsonStringEnumMemberName("restore")] Restore,

    /// <summary>Removing old runs and the chunks that only they used.</summary>
    [JsonStringEnumMemberName("prune")] Prune,

    /// <summary>Copying a run from a backup server.</summary>
    [JsonStringEnumMemberName("import")] Import,
}

/// <summary>The state of one participant within a run.</summary>
[JsonConverter(typeof(WordConverter<ParticipantStatus>))]
public enum ParticipantStatus
{
    /// <summary>Its turn has not come.</summary>
    [JsonStringEnumMemberName("pending")] Pending,

    /// <summary>Being backed up or validated.</summary>
    [JsonStringEnumMemberName("running")] Running,

    /// <summary>Ended without an error.</summary>
    [JsonStringEnumMemberName("completed")] Completed,

    /// <summary>Ended with an error.</summary>
    [JsonStringEnumMemberName("failed")] Failed,
}

/// <summary>What a participant is busy with; a participant that waits has status and phase <c>pending</c>.</summary>
[JsonConverter(typeof(WordConverter<ParticipantPhase>))]
public enum ParticipantPhase
{
    /// <summary>Its turn has not come.</summary>
    [JsonStringEnumMemberName("pending")] Pending,

    /// <summary>Being read and stored.</summary>
    [JsonStringEnumMemberName("backup")] Backup,

    /// <summary>What it wrote is being read back.</summary>
    [JsonStringEnumMemberName("validate")] Validate,

    /// <summary>Being given back.</summary>
    [JsonStringEnumMemberName("restore")] Restore,

    /// <summary>Ended without an error.</summary>
    [JsonStringEnumMemberName("done")] Done,

    /// <summary>Ended with an error.</summary>
    [JsonStringEnumMemberName("failed")] Failed,
}
