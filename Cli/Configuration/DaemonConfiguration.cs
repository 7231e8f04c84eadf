using System.Collections.Immutable;
using System.Net;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Cli.Notifications;

namespace Backupd.Cli.Configuration;

/// <summary>What the daemon is told: a configuration file, or the embedded default.</summary>
public sealed record DaemonConfiguration
{
    private const UnixFileMode OthersCanWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

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

    /// <summary>Where the certificate comes from.</summary>
    public TlsSetting Tls { get; init; } = TlsSetting.Auto;

    /// <summary>Take clients without TLS also on an address that is not loopback.</summary>
    public bool AllowPlaintext { get; init; }

    /// <summary>Connections at one time.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>Names that a browser may call this host by, besides those of the loopback.</summary>
    public ImmutableArray<string> Hosts { get; init; } = [];

    /// <summary>Whether replies carry what they say in a member of its own.</summary>
    public bool IsEnvelopeWrapped { get; init; }

    /// <summary>The file with the key of access tokens.</summary>
    public required string TokenSecretFile { get; init; }

    /// <summary>The file with the ids of tokens that are refused; it need not exist.</summary>
    public required string RevokedTokensFile { get; init; }

    /// <summary>What is backed up.</summary>
    public ImmutableArray<ParticipantDefinition> Participants { get; init; } = [];

    /// <summary>When backups begin by themselves.</summary>
    public ImmutableArray<BackupSchedule> Schedules { get; init; } = [];

    /// <summary>How old the last good full run may be before backups are overdue; null for what the schedules say, zero for
    /// as old as it likes.</summary>
    public TimeSpan? Overdue { get; init; }

    /// <summary>Which runs stay after a successful full run; null keeps all.</summary>
    public RetentionPolicy? Keep { get; init; }

    /// <summary>Where other machines keep copies of their runs; null for nowhere.</summary>
    public VaultSettings? Vault { get; init; }

    /// <summary>Who is told what happens.</summary>
    public ImmutableArray<NotifyTarget> Notify { get; init; } = [];

    /// <summary>How long a restore in place can be undone.</summary>
    public TimeSpan KeepPreRestore { get; init; } = TimeSpan.FromDays(30);

    /// <summary>The longest that a run may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Drop the page cache before new chunks are read back.</summary>
    public bool ValidateCold { get; init; }

    /// <summary>How long SIGTERM waits for a run before it is cancelled; zero does not wait.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Back up once more on SIGTERM, within <see cref="Grace"/>.</summary>
    public bool BackupOnShutdown { get; init; }

    /// <summary>Whether tokens would cross a network readable, and nobody has said that this is meant.</summary>
    public bool IsPlaintextExposed =>
        Tcp is not null && !IPAddress.IsLoopback(Tcp.Address) && Tls.Mode == TlsMode.Off && !AllowPlaintext;

    /// <summary>The first moment at which a schedule comes, jitter left out, in the clock's time zone; null when none
    /// does.</summary>
    public DateTimeOffset? NextRun(TimeProvider time) => Schedules
        .SelectMany(s => ScheduleSlots.Next(s.Cron, time.LocalTimeZone, time.GetLocalNow(), 1))
        .Select(s => (DateTimeOffset?)s)
        .Min();

    /// <summary>By when the next good full run must have come.</summary>
    internal OverdueRule OverdueRule => new(Overdue, Schedules);

    /// <summary>What the engine is told of it.</summary>
    /// <param name="version">The program's version.</param>
    public EngineSettings ToSettings(string version) => new()
    {
        Timeout = Timeout,
        ValidateCold = ValidateCold,
        Keep = Keep,
        KeepPreRestore = KeepPreRestore,
        Version = version,
    };

    /// <summary>The configuration of a daemon that was given none.</summary>
    public static DaemonConfiguration Default(Places places) => new()
    {
        Store = places.Store,
        Socket = places.Socket,
        Tcp = new IPEndPoint(IPAddress.Loopback, 8620),
        TokenSecretFile = places.TokenSecret,
        RevokedTokensFile = places.RevokedTokens,
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
        return OnFile(path, () => ConfigurationReader.Read(System.IO.File.ReadAllBytes(path), path, places));
    }

    /// <summary>The same for a daemon, which runs as root what the file says: others must not be able to write it.</summary>
    /// <exception cref="ConfigurationException">The file is refused.</exception>
    public static DaemonConfiguration LoadTrusted(string? file, Places places)
    {
        DaemonConfiguration configuration = Load(file, places);
        string path = configuration.File;
        if (path.Length > 0 && (OnFile(path, () => System.IO.File.GetUnixFileMode(path)) & OthersCanWrite) != 0)
        {
            throw new ConfigurationException(
                $"{path} can be written by others, who could run programs as this user; chmod go-w {path}");
        }
        return configuration;
    }

    private static T OnFile<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ConfigurationException($"{path} does not exist; backupd init writes a first configuration");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: {e.Message}");
        }
    }
}

/// <summary>A configuration file is refused; the message says where and why, and shows the line.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
