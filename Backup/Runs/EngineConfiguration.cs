using System.Collections.Immutable;
using Backupd.Backup.Participants;

namespace Backupd.Backup.Runs;

/// <summary>All that a run takes from the configuration. Immutable: a reload swaps it as a whole, and a run keeps the one
/// that it began with.</summary>
internal sealed record EngineConfiguration
{
    internal EngineConfiguration(ImmutableArray<ParticipantDefinition> participants, EngineSettings settings)
    {
        Participants = [.. participants.OrderBy(p => p.Name, StringComparer.Ordinal)];
        Settings = settings;
    }

    /// <summary>By name, ordinal.</summary>
    internal ImmutableArray<ParticipantDefinition> Participants { get; }

    internal EngineSettings Settings { get; }

    /// <summary>The named participants, or all when none is named.</summary>
    /// <exception cref="BackupException">ParticipantUnknown; the message says which there are.</exception>
    internal ImmutableArray<ParticipantDefinition> Select(ImmutableArray<string> names)
    {
        if (Participants.IsEmpty)
        {
            throw new BackupException(
                BackupFault.ParticipantUnknown,
                "no participants are configured; name what to back up in the configuration file");
        }
        if (names.IsEmpty)
        {
            return Participants;
        }
        string? unknown = names.FirstOrDefault(n => Participants.All(p => p.Name != n));
        return unknown is null
            ? [.. Participants.Where(p => names.Contains(p.Name))]
            : throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"there is no participant {unknown}; configured are: {string.Join(", ", Participants.Select(p => p.Name))}");
    }
}
