using System.Globalization;
using System.Text;
using Backupd.Backup.Participants;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;

namespace Backupd.Cli.Verbs;

/// <summary>The systemd unit of the daemon, made for a configuration (systemd.service(5), systemd.exec(5)).</summary>
/// <remarks>The daemon is root because it reads everything; the unit takes from it all that neither reading nor restoring in
/// place needs. Programs that the configuration names run inside the same walls, which are lower when there are any.</remarks>
internal sealed partial class ServiceUnit
{
    /// <summary>The first line of every unit that backupd writes; a file without it is somebody else's.</summary>
    internal const string Marker = "# Written by backupd service install. To change it: systemctl edit backupd";

    // What the programs of the configuration most often write to.
    private static readonly string[] Temporary = ["/tmp", "/var/tmp"];

    private static readonly TimeSpan StopReserve = TimeSpan.FromSeconds(10);

    private readonly DaemonConfiguration _configuration;
    private readonly Places _places;
    private readonly string _program;
    private readonly string? _configFile;
    private readonly IReadOnlyList<string> _published;
    private readonly bool _publishesByNetwork;

    /// <param name="configuration">What the daemon will do.</param>
    /// <param name="places">The default places of the daemon.</param>
    /// <param name="program">The absolute path of backupd.</param>
    /// <param name="configFile">The absolute path for <c>--config</c>; null for the default place.</param>
    /// <param name="published">Directories that runs are published to.</param>
    /// <param name="publishesByNetwork">Whether runs are published to other machines.</param>
    internal ServiceUnit(
        DaemonConfiguration configuration, Places places, string program, string? configFile, IReadOnlyList<string> published,
        bool publishesByNetwork)
    {
        _published = published;
        _publishesByNetwork = publishesByNetwork;
        _configuration = configuration;
        _places = places;
        _program = program;
        _configFile = configFile;
    }

    /// <summary>Directories that the daemon writes to and that systemd does not make.</summary>
    internal IReadOnlyList<string> WrittenDirectories =>
    [
        .. new[]
        {
            _configuration.Store, _configuration.Vault?.Path ?? "", Path.GetDirectoryName(_configuration.TokenSecretFile)!,
            SocketDirectory,
        }.Where(d => d.Length > 0 && !IsBelow(d, _places.State) && !IsBelow(d, RuntimeDirectory)).Distinct(),
    ];

    /// <summary>The names of credentials that are encrypted.</summary>
    internal IReadOnlyCollection<string> EncryptedCredentials { get; init; } = [];

    private string RuntimeDirectory => Path.GetDirectoryName(_places.Socket)!;

    private bool RunsPrograms => _configuration.Participants.Any(
        p => p is CommandParticipant || !p.Before.IsEmpty || !p.After.IsEmpty)
        || _configuration.Notify.Any(t => t.Kind == NotifyKind.Command);

    private bool RunsAsOthers => _configuration.Participants.Any(p => p is CommandParticipant { User.Length: > 0 })
        || _configuration.Notify.Any(t => t.User.Length > 0);

    /// <summary>Where a restore in place writes: each directory once, and none that is below another.</summary>
    private string[] Restored
    {
        get
        {
            string[] wanted = [.. _configuration.Participants.Select(Target).Where(d => d.Length > 0).Distinct()];
            string[] writable = [.. WrittenDirectories, _places.State, RuntimeDirectory, .. RunsPrograms ? Temporary : []];
            return [.. wanted.Where(
                d => d != "/" && !writable.Any(w => IsBelow(d, w)) && !wanted.Any(w => w != d && w != "/" && IsBelow(d, w)))];
        }
    }

    private bool HasRoot => _configuration.Participants.Any(p => Target(p) == "/");

    /// <summary>The file's content.</summary>
    internal string Text()
    {
        StringBuilder unit = new();
        string program = Word(_program).Replace("$", "$$", StringComparison.Ordinal);
        string config = _configFile is null ? "" : $" --config {Word(_configFile).Replace("$", "$$", StringComparison.Ordinal)}";
        unit.Append(CultureInfo.InvariantCulture, $"""
            {Marker}
            [Unit]
            Description=backupd: backups that can be watched

            """);
        AppendOrder(unit);
        unit.Append("""
            StartLimitIntervalSec=60
            StartLimitBurst=5

            [Service]
            Type=notify

            """);
        AppendMadeAtStart(unit);
        string ifThere = _configuration.File.Length > 0 ? "" : $" {ConfigVerb.IfThere}";
        // The socket has the modes that say who may use it; a group must be able to get to it.
        unit.Append(CultureInfo.InvariantCulture, $"""
            ExecStart={program} serve{config}
            # The daemon logs what it refuses; the second line tells it to whoever asked.
            ExecReload=/bin/kill -HUP $MAINPID
            ExecReload={program} config check{config}{ifThere}
            Restart=on-failure
            # So far apart that the limit above is never reached: a disk or an address may come later.
            RestartSec=15
            # A configuration that is refused is refused again.
            RestartPreventExitStatus=78
            WatchdogSec=30
            # SIGTERM to the daemon alone, which ends its children itself; whatever is left after its grace is killed.
            KillMode=mixed
            TimeoutStopSec={(long)(_configuration.Grace + StopReserve).TotalSeconds}
            # A connection takes a descriptor, and there may be many.
            LimitNOFILE=65536
            # Rather the backup than what it backs up.
            OOMScoreAdjust=200
            UMask=0077
            StateDirectory={Path.GetFileName(_places.State)}
            StateDirectoryMode=0700
            RuntimeDirectory={Path.GetFileName(RuntimeDirectory)}
            RuntimeDirectoryMode={(_configuration.Group.Length > 0 ? "0755" : "0750")}

            """);
        unit.Append(YieldsAlways ? "# To whoever else wants the processors.\nNice=10\n" : "");
        AppendCredentials(unit);
        unit.Append("\n# Reads everything, writes what is named here.\nProtectSystem=strict\n");
        AppendWritable(unit);
        AppendPlaces(unit);
        AppendRights(unit);
        AppendNetwork(unit);
        AppendKernel(unit);
        unit.Append("""

            [Install]
            WantedBy=multi-user.target

            """);
        return unit.ToString();
    }

    private void AppendCredentials(StringBuilder unit)
    {
        string[] files =
        [
            _configuration.TokenSecretFile, _configuration.Tls.Certificate, _configuration.Tls.Key,
            .. (_configuration.Vault?.Logins ?? []).Select(l => l.PasswordFile),
            .. _configuration.Notify.SelectMany(t => (string[])[t.Address, t.TokenFile]),
        ];
        foreach (string name in files.Where(CredentialFile.IsCredential).Select(CredentialFile.NameOf).Distinct())
        {
            unit.Append(EncryptedCredentials.Contains(name)
                ? $"LoadCredentialEncrypted={name}:{CredentialFile.EncryptedStore}/{name}\n"
                : $"LoadCredential={name}:{CredentialFile.PlainStore}/{name}\n");
        }
    }

    private void AppendWritable(StringBuilder unit)
    {
        foreach (string directory in WrittenDirectories)
        {
            unit.Append(CultureInfo.InvariantCulture, $"ReadWritePaths={Word(directory)}\n");
        }
        AppendRestored(unit);
        if (_published.Count > 0)
        {
            unit.Append("# Endpoints that are directories; after another was added: backupd service install\n");
            foreach (string directory in _published)
            {
                unit.Append(CultureInfo.InvariantCulture, $"ReadWritePaths={Word("-" + directory)}\n");
            }
        }
        if (RunsPrograms)
        {
            unit.Append("# For the programs that the configuration names. What else they write to: systemctl edit backupd\n");
            unit.Append(CultureInfo.InvariantCulture, $"ReadWritePaths={string.Join(' ', Temporary)}\n");
        }
    }

    private void AppendRestored(StringBuilder unit)
    {
        if (Restored.Length > 0)
        {
            unit.Append("""
                # What is backed up, so that it can be restored in place; SQLite writes beside a database to read it, too.
                # What is missing when the daemon starts stays read-only. To refuse a place: systemctl edit backupd, and
                # below [Service] ReadOnlyPaths=PLACE. Then only sudo backupd restore STORE/RUN restores it in place.

                """);
            foreach (string directory in Restored)
            {
                unit.Append(CultureInfo.InvariantCulture, $"ReadWritePaths={Word("-" + directory)}\n");
            }
        }
        if (HasRoot)
        {
            unit.Append("# Not /, which would leave no wall: sudo backupd restore STORE/RUN restores it in place.\n");
        }
    }

    // A file is replaced by way of a new one beside it, and SQLite has a file beside each database.
    private static string Target(ParticipantDefinition participant) => participant switch
    {
        DirectoryParticipant directory => WithoutSlash(directory.Root),
        FileParticipant file => WithoutSlash(Path.GetDirectoryName(file.Path)!),
        SqliteParticipant database => WithoutSlash(Path.GetDirectoryName(database.Path)!),
        CommandParticipant => "",
        _ => throw new ArgumentException($"unknown kind {participant.Kind}", nameof(participant)),
    };

    private static string WithoutSlash(string path) => path.Length > 1 ? path.TrimEnd('/') : path;

    private static bool IsBelow(string path, string directory) =>
        path == directory || path.StartsWith(directory.TrimEnd('/') + "/", StringComparison.Ordinal);

    // One word of a unit file: quoted, with specifiers and escapes taken literally.
    private static string Word(string text)
    {
        string literal = text.Replace("%", "%%", StringComparison.Ordinal);
        bool isPlain = literal.All(c => char.IsAsciiLetterOrDigit(c) || "/._-%+=@,:".Contains(c, StringComparison.Ordinal));
        return isPlain
            ? literal
            : $"\"{literal.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
    }
}
