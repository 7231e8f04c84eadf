using System.Collections.Immutable;
using System.Net;
using Backupd.Backup.Participants;

namespace Backupd.Cli.Configuration;

/// <summary>What the daemon is told: a configuration file, or the embedded default.</summary>
public sealed record DaemonConfiguration
{
    /// <summary>The file that it was read from; "" for the embedded default.</summary>
    public string File { get; init; } = "";

    /// <summary>The directory that plays <c>backups/</c>.</summary>
    public required string Store { get; init; }

    /// <summary>The Unix socket; "" for none.</summary>
    public required string Socket { get; init; }

    /// <summary>The group whose members may use the Unix socket; "" for none.</summary>
    public string Group { get; init; } = "";

    /// <summary>The TCP address; null for none.</summary>
    public required IPEndPoint? Tcp { get; init; }

    /// <summary>The file with the key of access tokens.</summary>
    public required string TokenSecretFile { get; init; }

    /// <summary>What is backed up.</summary>
    public ImmutableArray<ParticipantDefinition> Participants { get; init; } = [];

    /// <summary>The longest that a run may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Drop the page cache before new chunks are read back.</summary>
    public bool ValidateCold { get; init; }

    /// <summary>The configuration of a daemon that was given none.</summary>
    public static DaemonConfiguration Default(Places places) => new()
    {
        Store = places.Store,
        Socket = places.Socket,
        Tcp = new IPEndPoint(IPAddress.Loopback, 8620),
        TokenSecretFile = places.TokenSecret,
    };

    /// <summary>Reads the file that was named, or the default file when it exists, or gives the embedded default.</summary>
    /// <exception cref="ConfigurationException">The file is refused.</exception>
    public static DaemonConfiguration Load(string? file, Places places)
    {
        if (file is null && !System.IO.File.Exists(places.Config))
        {
            return Default(places);
        }
        string path = file ?? places.Config;
        try
        {
            return ConfigurationReader.Read(System.IO.File.ReadAllBytes(path), path, places);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: {e.Message}");
        }
    }
}

/// <summary>A configuration file is refused; the message says where and why, and shows the line.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
