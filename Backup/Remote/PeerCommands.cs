namespace Backupd.Backup.Remote;

/// <summary>The commands of the peer protocol.</summary>
internal static class PeerCommands
{
    /// <summary>The first one of a connection.</summary>
    internal const string Login = "login";

    /// <summary>Runs that are there.</summary>
    internal const string ListRuns = "list_runs";

    /// <summary>A small file of a run.</summary>
    internal const string GetFile = "get_file";

    /// <summary>A chunk as it is stored.</summary>
    internal const string GetChunk = "get_chunk";

    /// <summary>Which of some chunks are not there.</summary>
    internal const string HasChunks = "has_chunks";

    /// <summary>A run is going to arrive.</summary>
    internal const string BeginRun = "begin_run";

    /// <summary>Whether it is there already and lacks nothing.</summary>
    internal const string CheckRun = "check_run";

    /// <summary>A chunk of it.</summary>
    internal const string PutChunk = "put_chunk";

    /// <summary>An artifact of it.</summary>
    internal const string PutFile = "put_file";

    /// <summary>Its manifest.</summary>
    internal const string CommitRun = "commit_run";

    /// <summary>Removes a run.</summary>
    internal const string DeleteRun = "delete_run";
}
