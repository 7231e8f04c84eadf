using System.Collections.Immutable;
using Backupd.Backup.Participants;

namespace Backupd.Backup.Runs;

/// <summary>
/// What a manifest that can be parsed may still have wrong. Whoever reads a run relies on none of it being there: on lists that
/// are lists, words that are known, names that are names of files in the run's directory, and numbers that can be shown.
/// </summary>
internal static class ManifestCheck
{
    // The last second of the year 9999, the last moment that can be written as a date.
    private const long MaxTime = 253_402_300_799;

    /// <summary>The first thing that is wrong, as a clause; null when there is none.</summary>
    internal static string? ProblemOf(RunManifest manifest)
    {
        if (!IsWhole(manifest.Participants) || !IsWhole(manifest.Requested))
        {
            return "a list is missing, or has an entry that is null";
        }
        if (!Enum.IsDefined(manifest.Type) || !Enum.IsDefined(manifest.Trigger) || !Enum.IsDefined(manifest.Status))
        {
            return "its type, trigger or status is none";
        }
        if (!IsTime(manifest.StartedAt) || !IsTime(manifest.FinishedAt))
        {
            return "it began or ended at a time that does not exist";
        }
        HashSet<string> names = [];
        foreach (ManifestParticipant participant in manifest.Participants)
        {
            if (!ParticipantName.IsValid(participant.Name) || !names.Add(participant.Name))
            {
                return $"\"{participant.Name}\" cannot be the name of a participant, or is that of two";
            }
            if (ProblemOf(participant) is string problem)
            {
                return $"participant {participant.Name}: {problem}";
            }
        }
        return null;
    }

    private static string? ProblemOf(ManifestParticipant participant)
    {
        if (!IsWhole(participant.Artifacts))
        {
            return "its list of artifacts is missing, or has an entry that is null";
        }
        if (!Enum.IsDefined(participant.Status))
        {
            return "its status is none";
        }
        if (!IsTime(participant.StartedAt) || !IsTime(participant.FinishedAt))
        {
            return "it began or ended at a time that does not exist";
        }
        foreach (ManifestArtifact artifact in participant.Artifacts)
        {
            if (artifact.LogicalName != participant.Name + RunDirectory.ArtifactSuffix)
            {
                return $"\"{artifact.LogicalName}\" is not the name of its artifact";
            }
            if (!IsWhole(artifact.Warnings))
            {
                return "its list of warnings is missing, or has an entry that is null";
            }
            if (Numbers(artifact).Any(n => n < 0))
            {
                return "a number of its artifact is negative";
            }
        }
        return null;
    }

    private static long[] Numbers(ManifestArtifact artifact) =>
    [
        artifact.SizeBytes, artifact.Files, artifact.BytesNew, artifact.BytesStored, artifact.WarningCount,
        artifact.Directories, artifact.EntriesSeen, artifact.EntriesStored, artifact.EntriesExcluded, artifact.EntriesFailed,
        artifact.EntriesVanished, artifact.BytesRead, artifact.ChunksNew, artifact.ChunksReused,
    ];

    private static bool IsTime(long unix) => unix is >= 0 and <= MaxTime;

    private static bool IsWhole<T>(ImmutableArray<T> list)
        where T : class => !list.IsDefault && list.All(static i => i is not null);
}
