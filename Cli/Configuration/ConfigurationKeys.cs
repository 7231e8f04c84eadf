namespace Backupd.Cli.Configuration;

/// <summary>A key of the configuration file.</summary>
/// <param name="Section">"" for the top, else one of the sections that <see cref="ConfigurationKeys"/> names.</param>
/// <param name="Name">As written.</param>
/// <param name="Default">What holds without it.</param>
/// <param name="Meaning">One line.</param>
public sealed record ConfigurationKey(string Section, string Name, string Default, string Meaning)
{
    /// <summary>The key with everything that it stands in: <c>participants.NAME.exclude</c>.</summary>
    public string FullName => Section switch
    {
        "" => Name,
        ConfigurationKeys.Participant => $"participants.NAME.{Name}",
        ConfigurationKeys.Schedule => $"schedules[].{Name}",
        ConfigurationKeys.VaultLogin => $"vault.logins.NAME.{Name}",
        ConfigurationKeys.Notify => $"notify.NAME.{Name}",
        _ => $"{Section}.{Name}",
    };
}

/// <summary>Every key there is. What is not in this table is refused, and docs/configuration.md is held against it.</summary>
public static class ConfigurationKeys
{
    /// <summary>The section of where the daemon listens.</summary>
    public const string Listen = "listen";

    /// <summary>The section of a certificate in files.</summary>
    public const string Tls = "listen.tls";

    /// <summary>The section of one schedule.</summary>
    public const string Schedule = "schedule";

    /// <summary>The section of what stays after a run.</summary>
    public const string Keep = "keep";

    /// <summary>The section of what is below a participant's name.</summary>
    public const string Participant = "participant";

    /// <summary>The section of copies that other machines keep here.</summary>
    public const string Vault = "vault";

    /// <summary>The section of which of those copies stay: the keys of <see cref="Keep"/> once more.</summary>
    public const string VaultKeep = "vault.keep";

    /// <summary>The section of what is below a login's name.</summary>
    public const string VaultLogin = "login";

    /// <summary>The section of what is below the name of somebody who is told.</summary>
    public const string Notify = "target";

    /// <summary>The table.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new("", "store", "required", "the directory that holds the backups"),
        new("", "listen", "", "where the daemon listens"),
        new("", "participants", "", "what is backed up, by name"),
        new("", "schedules", "[]", "when backups begin by themselves"),
        new("", "overdue", "auto", "when the next good full run is late: \"auto\" by the schedules, a greatest age, or \"off\""),
        new("", "keep", "everything", "which runs stay after a successful full run"),
        new("", "vault", "none", "where other machines keep copies of their runs"),
        new("", "notify", "nobody", "who is told of runs that end and of backups that do not come, by name"),
        new("", "keepPreRestore", "30d", "how long a restore in place can be undone"),
        new("", "timeout", "6h", "the longest that a run may take"),
        new("", "validate", "new", "\"new\" reads new chunks back; \"cold\" from the disk and not the page cache"),
        new("", "grace", "20s", "how long SIGTERM waits for a run before it is cancelled; \"0s\" does not wait"),
        new("", "backupOnShutdown", "false", "back up once more on SIGTERM, within the grace"),
        new(Listen, "socket", "the default place", "path of the Unix socket; \"\" for none"),
        new(Listen, "group", "none", "members may use the Unix socket without a token"),
        new(Listen, "tcp", "127.0.0.1:8620", "address and port; \"\" for none; off loopback only with TLS"),
        new(Listen, "tls", "auto", "\"auto\" makes a certificate, \"off\", or files: { \"certificate\": …, \"key\": … }"),
        new(Listen, "allowPlaintext", "false", "take clients without TLS on addresses that are not loopback"),
        new(Listen, "maxConnections", "1024", "connections at one time, 1 to 20000"),
        new(Listen, "hosts", "[]", "further names that a browser may call this host by"),
        new(Listen, "envelope", "flat", "\"flat\" or \"wrapped\": how replies are laid out"),
        new(Listen, "tokenSecretFile", "the default place", "file with the key of access tokens, made when missing"),
        new(Listen, "revokedTokensFile", "the default place", "file with the ids of tokens that are refused"),
        new(Tls, "certificate", "", "file with the certificate and its chain, PEM"),
        new(Tls, "key", "", "file with the certificate's private key, PEM"),
        new(Schedule, "cron", "required", "five fields as in crontab, or @daily and the like; the host's time zone"),
        new(Schedule, "jitter", "0s", "begin up to this much later, each time by another amount"),
        new(Schedule, "catchUp", "true", "make up once for slots missed while the daemon was down"),
        new(Schedule, "participants", "all", "back up only these"),
        .. KeepKeys(Keep),
        new(Vault, "path", "required", "the directory that holds a store for each login"),
        new(Vault, "keep", "everything", "which runs of a login stay, counted by their arrival"),
        new(Vault, "logins", "required", "who may send runs, by name"),
        .. KeepKeys(VaultKeep),
        new(VaultLogin, "passwordFile", "required", "file with the password, 12 bytes or more, closed to others"),
        new(VaultLogin, "appendOnly", "false", "whether it may not delete what it has sent"),
        new(VaultLogin, "quota", "none", "the most that its store may take: \"500G\", or a number of bytes"),
        new(Notify, "webhook", "", "POST a JSON object to this address, or to the one in this file"),
        new(Notify, "ping", "", "POST to this address with the exit code as its last segment"),
        new(Notify, "ntfy", "", "POST text to this topic of an ntfy server"),
        new(Notify, "command", "", "program and arguments; what has happened is in its environment"),
        new(Notify, "on", "by kind", "of what: finished, unpublished, partial, failed, overdue"),
        new(Notify, "tokenFile", "none", "file with a token that is sent along, closed to others"),
        new(Notify, "user", "the daemon's", "command: the account that it runs as"),
        new(Participant, "directory", "", "back up this directory tree"),
        new(Participant, "file", "", "back up this file"),
        new(Participant, "sqlite", "", "back up this live SQLite database"),
        new(Participant, "command", "", "program and arguments; its standard output is backed up"),
        new(Participant, "critical", "true", "whether its failure fails the run"),
        new(Participant, "before", "none", "program and arguments to run before the source is read"),
        new(Participant, "after", "none", "program and arguments to run after it, whatever happened"),
        new(Participant, "exclude", "[]", "directory: patterns in gitignore syntax"),
        new(Participant, "oneFileSystem", "true", "directory: do not enter mount points"),
        new(Participant, "unreadable", "fail", "directory: \"fail\" or \"warn\" about entries that cannot be read"),
        new(Participant, "allowEmpty", "false", "directory: nothing in it is no failure"),
        new(Participant, "restoreDelete", "false", "directory: a restore in place removes what the backup does not have"),
        new(Participant, "user", "the daemon's", "command: the account that it runs as"),
        new(Participant, "timeout", "1h", "command: the longest that it may take"),
        new(Participant, "minBytes", "1", "command: less output is a failure"),
        new(Participant, "restoreCommand", "none", "command: program and arguments that take back what was backed up"),
    ];

    private static ConfigurationKey[] KeepKeys(string section) =>
    [
        new(section, "last", "0", "the newest runs"),
        new(section, "hourly", "0", "the newest run of each of so many hours"),
        new(section, "daily", "0", "the newest run of each of so many days"),
        new(section, "weekly", "0", "the newest run of each of so many weeks"),
        new(section, "monthly", "0", "the newest run of each of so many months"),
        new(section, "yearly", "0", "the newest run of each of so many years"),
        new(section, "within", "0s", "every run younger than the newest one by less than this"),
    ];

    /// <summary>Whether a section has a key.</summary>
    public static bool Exists(string section, string name) => All.Any(k => k.Section == section && k.Name == name);

    /// <summary>The key of a section that a misspelled name most likely means; null when none is near.</summary>
    public static string? Nearest(string section, string name) =>
        Spelling.Nearest(All.Where(k => k.Section == section).Select(k => k.Name), name);
}
