using System.Collections.Immutable;

namespace Backupd.Backup.Participants;

/// <summary>Something that is backed up, as the configuration names it. Never comes over the wire.</summary>
/// <param name="Name">Unique; <c>[A-Za-z0-9][A-Za-z0-9._-]{0,63}</c>, see <see cref="ParticipantName"/>.</param>
/// <param name="Critical">Whether its failure fails the run.</param>
public abstract record ParticipantDefinition(string Name, bool Critical)
{
    /// <summary>The kind as configuration, wire and artifacts spell it.</summary>
    public abstract string Kind { get; }

    /// <summary>The source in one line for people: a path or a command.</summary>
    public abstract string Source { get; }

    /// <summary>Program and arguments to run before the source is read (flush, freeze); empty for none. When it fails,
    /// the participant fails and nothing is read.</summary>
    public ImmutableArray<string> Before { get; init; } = [];

    /// <summary>Program and arguments to run after the source was read (thaw); empty for none. It runs whatever happened
    /// before, also after a failure, a cancel and a timeout.</summary>
    public ImmutableArray<string> After { get; init; } = [];
}

/// <summary>A directory tree.</summary>
public sealed record DirectoryParticipant(string Name, bool Critical, string Root)
    : ParticipantDefinition(Name, Critical)
{
    /// <summary>Patterns in gitignore syntax, relative to <see cref="Root"/>.</summary>
    public ImmutableArray<string> Excludes { get; init; } = [];

    /// <summary>Mount points below the root are not entered.</summary>
    public bool OneFileSystem { get; init; } = true;

    /// <summary>Unreadable entries are warnings and do not make the participant not ok.</summary>
    public bool UnreadableIsWarning { get; init; }

    /// <summary>A root without a single entry is backed up. Else it is a failure: most often a file system is not
    /// mounted.</summary>
    public bool AllowEmpty { get; init; }

    /// <summary>A restore in place removes what the backup does not have. Else it is left and listed.</summary>
    public bool RestoreDeletes { get; init; }

    /// <summary>The part of the tree that is backed up; null for all of it.</summary>
    internal SelectedPaths? Only { get; init; }

    /// <inheritdoc/>
    public override string Kind => "directory";

    /// <inheritdoc/>
    public override string Source => Root;
}

/// <summary>One plain file.</summary>
public sealed record FileParticipant(string Name, bool Critical, string Path)
    : ParticipantDefinition(Name, Critical)
{
    /// <inheritdoc/>
    public override string Kind => "file";

    /// <inheritdoc/>
    public override string Source => Path;
}

/// <summary>A live SQLite database, copied through SQLite's online backup API.</summary>
public sealed record SqliteParticipant(string Name, bool Critical, string Path)
    : ParticipantDefinition(Name, Critical)
{
    /// <inheritdoc/>
    public override string Kind => "sqlite";

    /// <inheritdoc/>
    public override string Source => Path;
}

/// <summary>A program whose standard output is the artifact.</summary>
/// <param name="Name">See <see cref="ParticipantDefinition"/>.</param>
/// <param name="Critical">See <see cref="ParticipantDefinition"/>.</param>
/// <param name="Argv">Program and arguments; no shell is involved.</param>
public sealed record CommandParticipant(string Name, bool Critical, ImmutableArray<string> Argv)
    : ParticipantDefinition(Name, Critical)
{
    /// <summary>The account the program runs as; "" for the daemon's own.</summary>
    public string User { get; init; } = "";

    /// <summary>How long the program may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Fewer bytes of output than this are a failure.</summary>
    public long MinBytes { get; init; } = 1;

    /// <summary>Program and arguments that take back, on their standard input, what the dump wrote; empty for none, and then
    /// it cannot be restored in place. Runs as <see cref="User"/> and within <see cref="Timeout"/>.</summary>
    public ImmutableArray<string> RestoreArgv { get; init; } = [];

    /// <inheritdoc/>
    public override string Kind => "command";

    /// <inheritdoc/>
    public override string Source => string.Join(' ', Argv);
}
