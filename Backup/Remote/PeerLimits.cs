using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>Bounds of the protocol between two backupd, each with its reason.</summary>
internal static class PeerLimits
{
    /// <summary>The version of the protocol.</summary>
    internal const int Version = 1;

    /// <summary>8 KiB: a line has a handful of short members, and is what a client may send before it has shown who it
    /// is.</summary>
    internal const int MaxLineBytes = 8 * 1024;

    /// <summary>4,096 chunks in one question, 128 KiB of names.</summary>
    internal const int MaxChunksAsked = 4096;

    /// <summary>64 MiB for a manifest or an artifact: the latter names some 250 bytes for each 128 KiB of a listing, so that is a
    /// tree of 100,000,000 files.</summary>
    internal const int MaxFileBytes = 64 * 1024 * 1024;

    /// <summary>16 MiB for a manifest, which has some kilobytes for each participant.</summary>
    internal const int MaxManifestBytes = 16 * 1024 * 1024;

    /// <summary>16 MiB for a list of runs: 10,000 of them take some 2 MB.</summary>
    internal const int MaxListBytes = 16 * 1024 * 1024;

    /// <summary>10,000 runs in a list.</summary>
    internal const int MaxListedRuns = 10_000;

    /// <summary>16 chunks may be on their way unanswered: enough for a long line, and what a cut can cost.</summary>
    internal const int MaxInFlight = 16;

    /// <summary>20 minutes, in milliseconds: how long one side waits for the other to work with what it has taken, when that may
    /// be a disk's work for a whole run. That it is still there TCP tells.</summary>
    internal const int PatienceMs = 20 * 60 * 1000;

    /// <summary>32 KiB of a chunk are sent at a time, so that a sender that keeps to a small bandwidth is slow and not
    /// silent.</summary>
    internal const int PieceBytes = 32 * 1024;

    /// <summary>No chunk's file is longer.</summary>
    internal static int MaxChunkBytes => ChunkCodec.MaxFileBytes;
}
