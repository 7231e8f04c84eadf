using Backupd.Backup.Participants;

namespace Backupd.Backup.Restore;

/// <summary>Gives a dump back to the program that takes it.</summary>
internal sealed class CommandRestore(CommandParticipant command, InPlaceItem item, InPlaceContext context)
{
    /// <summary>Restores, or tells what would be done.</summary>
    internal RestoreFigures Run() => throw new IOException($"{command.Source} {item.Work} {context.IsDryRun}");
}
