namespace Backupd.Backup.Participants;

/// <summary>What a walk leaves out.</summary>
/// <param name="Excludes">By pattern.</param>
/// <param name="OneFileSystem">Mount points are entries but are not entered.</param>
/// <param name="NeverEnter">Device and inode of directories that are left out whatever the patterns say: the store.</param>
internal sealed record WalkRules(
    ExcludeRules Excludes, bool OneFileSystem, IReadOnlyList<(ulong Device, ulong Inode)> NeverEnter)
{
    /// <summary>The part of the tree that is walked; null for all of it.</summary>
    internal SelectedPaths? Only { get; init; }
}
