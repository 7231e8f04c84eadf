using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>The directory of a run while it is being made, below <c>.running</c>, and the one rename that commits it.</summary>
internal sealed class RunDirectory
{
    internal const string ManifestName = "manifest.json";
    internal const string SumsName = "SHA256SUMS";
    internal const string ArtifactSuffix = ".snapshot";

    /// <summary>How the places of safety runs begin.</summary>
    internal const string SafetyPlaces = "backups/pre-restore/";

    /// <summary>How the names of directories begin in which runs of elsewhere arrive: several of one id may arrive at a
    /// time.</summary>
    internal const string IncomingPrefix = "incoming-";

    private const string ChunksName = "chunks";
    private const string TemporaryName = "tmp";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly BackupStore _store;
    private readonly SortedDictionary<string, string> _sums = new(StringComparer.Ordinal);

    private readonly bool _isSafety;

    private RunDirectory(BackupStore store, RunId id, string name, bool isSafety)
    {
        _store = store;
        _isSafety = isSafety;
        Id = id;
        Path = System.IO.Path.Combine(store.RunningDirectory, name);
    }

    internal RunId Id { get; }

    internal string Path { get; }

    /// <summary>Whether the directory has left <c>.running</c>.</summary>
    internal bool IsCommitted { get; private set; }

    /// <summary>Where the run's new chunks are until they are known to be durable.</summary>
    internal string ChunksPath => System.IO.Path.Combine(Path, ChunksName);

    /// <summary>Where copies lie that are read again.</summary>
    internal string TemporaryPath => System.IO.Path.Combine(Path, TemporaryName);

    /// <summary>Makes the directory.</summary>
    /// <param name="store">The store.</param>
    /// <param name="id">The run.</param>
    /// <param name="isSafety">It is the safety run of a restore, and goes where those lie.</param>
    internal static RunDirectory Create(BackupStore store, RunId id, bool isSafety = false)
    {
        RunDirectory directory = new(store, id, id.ToString(), isSafety);
        Directory.CreateDirectory(directory.Path, Private);
        Directory.CreateDirectory(directory.ChunksPath, Private);
        Directory.CreateDirectory(directory.TemporaryPath, Private);
        return directory;
    }

    /// <summary>The directory that a run has which was cut off.</summary>
    internal static RunDirectory Left(BackupStore store, RunId id) => new(store, id, id.ToString(), isSafety: false);

    /// <summary>Makes a directory for a run that another store has made and that arrives from there.</summary>
    internal static RunDirectory CreateIncoming(BackupStore store, RunId id)
    {
        RunDirectory directory = new(store, id, IncomingPrefix + Guid.NewGuid().ToString("N"), isSafety: false);
        Directory.CreateDirectory(directory.Path, Private);
        try
        {
            Directory.CreateDirectory(directory.ChunksPath, Private);
        }
        catch (IOException)
        {
            Leftovers.Unlink(directory.Path);
            throw;
        }
        return directory;
    }

    /// <summary>Whether a name is that of an artifact, and so of a file in a run's directory.</summary>
    internal static bool IsArtifactName(string name) => name.EndsWith(ArtifactSuffix, StringComparison.Ordinal)
        && ParticipantName.IsValid(name[..^ArtifactSuffix.Length]);

    /// <summary>How a run's place is told to people and clients.</summary>
    internal static string Place(RunStatus status, RunId id) => status switch
    {
        RunStatus.Running => $"backups/.running/{id}",
        RunStatus.Completed or RunStatus.Partial => $"backups/completed/{id}",
        RunStatus.Failed or RunStatus.Cancelled or RunStatus.Timeout => $"backups/failed/{id}",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };

    /// <summary>Where this run will be found when it has ended so.</summary>
    internal string PlaceOf(RunStatus status) =>
        _isSafety && status == RunStatus.Completed ? SafetyPlaces + Id : Place(status, Id);

    internal void WriteManifest(BackupRun run) => WriteManifest(RunManifest.ToBytes(run));

    /// <summary>The same for a manifest that is there already.</summary>
    internal void WriteManifest(byte[] json)
    {
        DurableFile.Write(System.IO.Path.Combine(Path, ManifestName), json);
        _sums[ManifestName] = Convert.ToHexStringLower(SHA256.HashData(json));
    }

    internal void WriteArtifact(string name, byte[] content)
    {
        if (name.Length == 0 || name.Contains('/') || name is "." or "..")
        {
            // Whoever calls has looked at it. Should one who does not ever come, nothing outside is written over.
            throw new ArgumentException($"\"{name}\" is not the name of a file in a run", nameof(name));
        }
        DurableFile.Write(System.IO.Path.Combine(Path, name), content);
        _sums[name] = Convert.ToHexStringLower(SHA256.HashData(content));
    }

    /// <summary>Writes SHA256SUMS over the manifest and the artifacts, in the form that sha256sum -c reads.</summary>
    internal void WriteSums()
    {
        StringBuilder text = new();
        foreach ((string name, string sum) in _sums)
        {
            text.Append(sum).Append("  ").Append(name).Append('\n');
        }
        DurableFile.Write(System.IO.Path.Combine(Path, SumsName), text.ToString());
    }

    /// <summary>The commit point: one rename into <c>completed</c> or <c>failed</c>, and both parents synced.</summary>
    /// <remarks>Everything below the directory must be durable before. When a parent cannot be synced, a good run is
    /// taken back: nobody may count on a name that the disk perhaps does not have.</remarks>
    /// <param name="status">How the run has ended.</param>
    /// <param name="replaces">A run of that id is there, and goes.</param>
    internal void Commit(RunStatus status, bool replaces = false)
    {
        bool good = status is RunStatus.Completed or RunStatus.Partial;
        string parent = !good ? _store.FailedDirectory : _isSafety ? _store.SafetyDirectory : _store.CompletedDirectory;
        if (!Directory.Exists(parent))
        {
            // The first safety run. The last sync was before this.
            Directory.CreateDirectory(parent, Private);
            Posix.FsyncDirectory(_store.Directory);
        }
        string place = System.IO.Path.Combine(parent, Id.ToString());
        bool isExchanged = replaces && Posix.TryExchange(Path, place);
        if (!isExchanged)
        {
            if (replaces)
            {
                // A file system without the call: a crash between the two leaves the old run in the trash.
                Posix.Rename(place, System.IO.Path.Combine(_store.TrashDirectory, $"{Id}.{Guid.NewGuid():N}"));
            }
            Posix.Rename(Path, place);
        }
        IsCommitted = true;
        try
        {
            Posix.FsyncDirectory(parent);
            Posix.FsyncDirectory(_store.RunningDirectory);
        }
        catch (PosixException e) when (good)
        {
            TakeBack(place, isExchanged, e);
            IsCommitted = false;
            throw;
        }
        if (isExchanged)
        {
            Leftovers.Unlink(Path);
        }
    }

    /// <summary>Removes all of it: nobody will ask for it.</summary>
    internal void Discard() => Directory.Delete(Path, recursive: true);

    private void TakeBack(string place, bool isExchanged, PosixException why)
    {
        try
        {
            if (!isExchanged || !Posix.TryExchange(place, Path))
            {
                Posix.Rename(place, Path);
            }
        }
        catch (PosixException e)
        {
            // Both are told: the first says that the run is not safe, the second that it looks as if it were.
            throw new IOException(
                $"{why.Message}; the run could not be taken back either ({e.Message}) and may be listed as completed: "
                + $"validate or delete {Id}",
                why);
        }
    }

    /// <summary>Removes what only the making of the run needed. Chunks of a cancelled run stay: the next run takes
    /// them over.</summary>
    internal void RemoveWorkingFiles(bool keepChunks)
    {
        // Either may be gone already: a run can still fail after it has removed them.
        foreach (string path in keepChunks ? (string[])[TemporaryPath] : [TemporaryPath, ChunksPath])
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }
    }

    /// <summary>Where a run that did not end in order left chunks.</summary>
    internal static string LeftoverChunks(string runPath) => System.IO.Path.Combine(runPath, ChunksName);
}
