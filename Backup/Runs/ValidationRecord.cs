namespace Backupd.Backup.Runs;

/// <summary>How one validation of a run ended. Immutable.</summary>
public sealed class ValidationRecord
{
    /// <summary>When it ended, Unix seconds.</summary>
    public required long AtUnix { get; init; }

    /// <summary>Whether every byte was read; else only whether everything is there.</summary>
    public required bool IsFull { get; init; }

    /// <summary>The first damage, as a sentence; "" when all is well.</summary>
    public string Damage { get; init; } = "";
}

/// <summary>The last validations of one run, of each kind. Immutable.</summary>
public sealed class RunValidation
{
    /// <summary>The last one that read everything; null for none.</summary>
    public ValidationRecord? Full { get; init; }

    /// <summary>The last one that only looked whether everything is there; null for none.</summary>
    public ValidationRecord? Quick { get; init; }

    /// <summary>When every byte of the run was found right, Unix seconds; 0 for never, and again when damage was found
    /// since.</summary>
    public long ValidatedAtUnix =>
        Full is not { Damage.Length: 0 } || (Quick is { Damage.Length: > 0 } && Quick.AtUnix >= Full.AtUnix) ? 0 : Full.AtUnix;

    /// <summary>The newer of both; of the same second the one that has found damage; null for none.</summary>
    public ValidationRecord? Newest =>
        Quick is null || Full?.AtUnix > Quick.AtUnix || (Full?.AtUnix == Quick.AtUnix && Quick.Damage.Length == 0)
            ? Full
            : Quick;
}
