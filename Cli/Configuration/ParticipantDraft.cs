using System.Collections.Immutable;
using Backupd.Backup.Participants;

namespace Backupd.Cli.Configuration;

/// <summary>A participant while its keys are read; they may come in any order.</summary>
internal sealed class ParticipantDraft(string name)
{
    private static readonly string[] DirectoryKeys = ["exclude", "oneFileSystem", "unreadable", "allowEmpty", "restoreDelete"];
    private static readonly string[] CommandKeys = ["user", "timeout", "minBytes", "restoreCommand"];
    private static readonly string[] Kinds = ["directory", "file", "sqlite", "command"];

    private readonly List<string> _keys = [];
    private string _kind = "";
    private string _path = "";
    private ImmutableArray<string> _argv = [];

    internal bool Critical { get; set; } = true;

    internal ImmutableArray<string> Exclude { get; set; } = [];

    internal bool OneFileSystem { get; set; } = true;

    internal bool UnreadableIsWarning { get; set; }

    internal bool AllowEmpty { get; set; }

    internal bool RestoreDelete { get; set; }

    internal ImmutableArray<string> Before { get; set; } = [];

    internal ImmutableArray<string> After { get; set; } = [];

    internal string User { get; set; } = "";

    internal TimeSpan Timeout { get; set; } = TimeSpan.FromHours(1);

    internal long MinBytes { get; set; } = 1;

    internal ImmutableArray<string> RestoreCommand { get; set; } = [];

    internal void SetKind(string kind, string path)
    {
        _kind = kind;
        _path = path;
    }

    internal void SetKind(string kind, ImmutableArray<string> argv)
    {
        _kind = kind;
        _argv = argv;
    }

    /// <summary>Why a key cannot stand beside those before it; null when it can.</summary>
    internal string? Refuses(string key)
    {
        _keys.Add(key);
        List<string> kinds = [.. _keys.Where(k => Kinds.Contains(k))];
        if (kinds.Count > 1)
        {
            return $"{name} is a {kinds[0]} already and cannot be a {kinds[1]} too; make two participants of it";
        }
        if (kinds.Count == 0)
        {
            return null;
        }
        string? alien = _keys.FirstOrDefault(k =>
            (DirectoryKeys.Contains(k) && kinds[0] != "directory") || (CommandKeys.Contains(k) && kinds[0] != "command"));
        return alien is null ? null : $"the key \"{alien}\" means nothing for a {kinds[0]}";
    }

    /// <summary>The participant; null when no kind was given.</summary>
    internal ParticipantDefinition? Finish() =>
        OfKind() is ParticipantDefinition participant ? participant with { Before = Before, After = After } : null;

    private ParticipantDefinition? OfKind() => _kind switch
    {
        "directory" => new DirectoryParticipant(name, Critical, _path)
        {
            Excludes = Exclude,
            OneFileSystem = OneFileSystem,
            UnreadableIsWarning = UnreadableIsWarning,
            AllowEmpty = AllowEmpty,
            RestoreDeletes = RestoreDelete,
        },
        "file" => new FileParticipant(name, Critical, _path),
        "sqlite" => new SqliteParticipant(name, Critical, _path),
        "command" => new CommandParticipant(name, Critical, _argv)
        {
            User = User,
            Timeout = Timeout,
            MinBytes = MinBytes,
            RestoreArgv = RestoreCommand,
        },
        _ => null,
    };
}
