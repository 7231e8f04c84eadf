using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Backupd.Backup.Store;

/// <summary>Compares the contents of entries by what listings say of them; nothing else is read.</summary>
/// <remarks>A file of 1 MiB or more is known by its chunks. The same bytes are cut in the same way, so other chunks mean
/// other bytes, but for holes: zeros that were written out in one run and a hole in the other count as a change.</remarks>
internal static class EntryContent
{
    // The kernel's PATH_MAX without the zero at its end.
    private const int MaxTargetBytes = 4095;

    /// <summary>Whether two entries of one type hold the same: bytes, a link's target, a device's numbers.</summary>
    internal static bool AreSame(ListingEntry a, ListingEntry b)
    {
        if (a.Size != b.Size || a.DeviceMajor != b.DeviceMajor || a.DeviceMinor != b.DeviceMinor
            || !a.Target.AsSpan().SequenceEqual(b.Target))
        {
            return false;
        }
        // A small file keeps its hash when it is packed anew into other chunks.
        return a.Sha256.Length > 0 && b.Sha256.Length > 0 ? a.Sha256 == b.Sha256 : HaveSameSegments(a, b);
    }

    /// <summary>Whether two entries have the same extended attributes, in whichever order.</summary>
    internal static bool HaveSameXattrs(ListingEntry a, ListingEntry b)
    {
        if (a.Xattrs.Length != b.Xattrs.Length)
        {
            return false;
        }
        foreach (Xattr xattr in a.Xattrs)
        {
            if (!b.Xattrs.Any(
                x => x.Name.AsSpan().SequenceEqual(xattr.Name) && x.Value.AsSpan().SequenceEqual(xattr.Value)))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Refuses an entry whose content cannot be what the listing says of it.</summary>
    /// <exception cref="BackupException">RunDamaged: names the entry.</exception>
    internal static void Check(ListingEntry entry)
    {
        UInt128 listed = 0;
        foreach (Segment segment in entry.Segments)
        {
            listed += (ulong)segment.Length;
        }
        if (listed != (ulong)entry.Size)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"{entry.DisplayPath} is {entry.Size} bytes long and {listed} are listed");
        }
        bool isTarget = entry.Target.Length is > 0 and <= MaxTargetBytes && !entry.Target.Contains((byte)0);
        if (entry.Type == EntryType.Symlink && !isTarget)
        {
            throw new BackupException(BackupFault.RunDamaged, $"{entry.DisplayPath} is a link that no link can be");
        }
    }

    /// <summary>A short value that differs between entries whose contents differ.</summary>
    internal static UInt128 Fingerprint(ListingEntry entry)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(
            $"{entry.Type} {entry.Size} {entry.DeviceMajor}:{entry.DeviceMinor} {entry.Target.Length} "));
        hash.AppendData(entry.Target);
        if (entry.Sha256.Length > 0)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(entry.Sha256));
        }
        else
        {
            foreach (Segment segment in entry.Segments)
            {
                hash.AppendData(Encoding.UTF8.GetBytes(
                    $"{(segment.IsHole ? "hole" : segment.Chunk.ToString())} {segment.Offset} {segment.Length} "));
            }
        }
        return MemoryMarshal.Read<UInt128>(hash.GetHashAndReset());
    }

    // The size of a chunk's file may differ: a chunk that was damaged and stored again is the same content.
    private static bool HaveSameSegments(ListingEntry a, ListingEntry b)
    {
        if (a.Segments.Length != b.Segments.Length)
        {
            return false;
        }
        for (int i = 0; i < a.Segments.Length; i++)
        {
            Segment x = a.Segments[i];
            Segment y = b.Segments[i];
            if (x.IsHole != y.IsHole || x.Chunk != y.Chunk || x.Offset != y.Offset || x.Length != y.Length)
            {
                return false;
            }
        }
        return true;
    }
}
