namespace Backupd.Backup.Runs;

/// <summary>What the engine is told besides the participants.</summary>
public sealed record EngineSettings
{
    /// <summary>A run that takes longer ends with status timeout.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Drop the page cache before new chunks are read back.</summary>
    public bool ValidateCold { get; init; }

    /// <summary>The process is a daemon: runs, and the programs that they start, leave the processors to whoever else wants
    /// them, and the end of a run gives its memory back.</summary>
    public bool IsBackground { get; init; }

    /// <summary>Which runs stay after a successful full run; null keeps all.</summary>
    public RetentionPolicy? Keep { get; init; }

    /// <summary>How long the safety run of a restore, and so the possibility to undo it, is kept. Null drops none: who works in
    /// a store without its configuration does not know what that says.</summary>
    public TimeSpan? KeepPreRestore { get; init; }

    /// <summary>The program's version, recorded in manifests.</summary>
    public string Version { get; init; } = "";
}
