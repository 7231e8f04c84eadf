using Backupd.Backup.Participants;

namespace Backupd.Backup.Restore;

/// <summary>Gives one participant of any kind back in place.</summary>
internal static class ParticipantRestore
{
    /// <summary>Runs on the restore's thread.</summary>
    /// <returns>What was done; entries that failed are counted in it.</returns>
    /// <exception cref="IOException">The participant failed as a whole.</exception>
    /// <exception cref="BackupException">The same; or its stored data is damaged.</exception>
    internal static RestoreFigures Run(InPlaceItem item, InPlaceContext context) => item.Definition switch
    {
        DirectoryParticipant directory => new DirectoryRestore(directory, item, context).Run(),
        FileParticipant file => new FileRestore(file, item, context).Run(),
        SqliteParticipant database => Run(database, item, context),
        CommandParticipant command => new CommandRestore(command, item, context).Run(),
        _ => throw new ArgumentOutOfRangeException(nameof(item)),
    };

    private static RestoreFigures Run(SqliteParticipant database, InPlaceItem item, InPlaceContext context)
    {
        using DatabaseRestore restore = new(database, item, context);
        return restore.Run();
    }

    /// <summary>Whether there is a way back into place at all.</summary>
    internal static bool IsPossible(ParticipantDefinition definition) =>
        definition is not CommandParticipant { RestoreArgv.IsEmpty: true };

    /// <summary>The path, or the program, that is given the data.</summary>
    internal static string Target(ParticipantDefinition definition) =>
        definition is CommandParticipant command ? string.Join(' ', command.RestoreArgv) : definition.Source;

    /// <summary>Whether there is something to capture before the restore. A program is always asked, if it can be given
    /// anything back.</summary>
    internal static bool IsPresent(ParticipantDefinition definition) => definition switch
    {
        DirectoryParticipant directory => Directory.Exists(directory.Root),
        FileParticipant file => File.Exists(file.Path),
        SqliteParticipant database => DatabaseFiles.Exist(database.Path),
        _ => IsPossible(definition),
    };
}
