using System.Collections.Immutable;

namespace Backupd.Backup.Participants;

/// <summary>Tells what a path given to <c>once</c> is.</summary>
public static class SourceDetection
{
    /// <summary>
    /// One participant per path: a directory, an SQLite database (by its header) or a plain file, not critical, named
    /// after the base name.
    /// </summary>
    /// <exception cref="BackupException">InputInvalid: a path is missing, unreadable or of another kind.</exception>
    public static ImmutableArray<ParticipantDefinition> FromPaths(
        IReadOnlyList<string> paths, ImmutableArray<string> excludes) => throw new NotImplementedException();
}
