using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>A directory on the way of a restore in place. Opened only when something in it is to be done.</summary>
/// <param name="entry">What is wanted there; what is there, when nothing is wanted.</param>
/// <param name="parent">The directory that holds it; null for the root.</param>
internal sealed class InPlaceDirectory(ListingEntry entry, InPlaceDirectory? parent)
{
    internal ListingEntry Entry { get; } = entry;

    internal byte[] Path => Entry.Path;

    /// <summary>Its name in its parent, ended with a 0.</summary>
    internal byte[] Name { get; } = NameOf(entry.Path);

    internal InPlaceDirectory? Parent { get; } = parent;

    /// <summary>Null while nobody needs it.</summary>
    internal TargetDirectory? Open { get; set; }

    /// <summary>The backup has it as a directory.</summary>
    internal bool IsWanted { get; init; }

    /// <summary>It only leads to what is restored.</summary>
    internal bool IsLead { get; init; }

    /// <summary>It goes when it is empty.</summary>
    internal bool Goes { get; init; }

    /// <summary>What takes its place when it has gone; null for nothing.</summary>
    internal ListingEntry? ReplacedBy { get; init; }

    /// <summary>The last name of a path, ended with a 0. That it is one that can be used, whoever reads listings has made
    /// sure of.</summary>
    internal static byte[] NameOf(ReadOnlySpan<byte> path) => Posix.Terminated(path[(path.LastIndexOf((byte)'/') + 1)..]);

    /// <summary>Its permissions, when it had to be made writable; null otherwise.</summary>
    internal uint? ModeBefore { get; set; }
}
