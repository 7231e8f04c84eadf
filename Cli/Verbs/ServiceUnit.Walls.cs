using System.Globalization;
using System.Net;
using System.Text;
using Backupd.Backup.Participants;
using Backupd.Cli.Notifications;

namespace Backupd.Cli.Verbs;

/// <summary>What the daemon of a unit cannot see, may not do and does not reach. Whatever systemd-analyze security counts
/// against the unit has its reason beside it.</summary>
internal sealed partial class ServiceUnit
{
    private const string FileScheme = "file://";
    private const string WritablePath = "ReadWritePaths=";

    // Directories that ProtectSystem=strict leaves writable, because ProtectHome decides about them.
    private static readonly string[] Homes = ["/home", "/root", "/run/user"];

    /// <summary>Everything that the daemon may write to and that is named.</summary>
    private string[] Writable => [.. WrittenDirectories, .. Restored, .. _published];

    /// <summary>What the daemon has to find where it is, whatever else is hidden.</summary>
    private IEnumerable<string> Named =>
    [
        _program, _configFile ?? "", _configuration.RevokedTokensFile, _configuration.Tls.Certificate, _configuration.Tls.Key,
        .. (_configuration.Vault?.Logins ?? []).Select(l => l.PasswordFile),
        .. _configuration.Notify.SelectMany(t => (string[])[t.TokenFile, NotifySecrets.IsFile(t.Address) ? t.Address : ""]),
        .. Writable,
        .. _configuration.Participants.Select(Target),
    ];

    /// <summary>Whether anything may come from other machines or go to them. Programs may do what they like.</summary>
    private bool UsesNetwork => RunsPrograms || _publishesByNetwork || _configuration.Vault is not null
        || !_configuration.Notify.IsEmpty
        || (_configuration.Tcp is IPEndPoint tcp && !IPAddress.IsLoopback(tcp.Address));

    /// <summary>Whether the whole daemon yields to others all the time, and not its backups by themselves: the call for that
    /// is one of those by which a process takes more than its share. Programs may need these, and set their own.</summary>
    private bool YieldsAlways => !RunsPrograms;

    /// <summary>Whether a unit that backupd wrote keeps the daemon from an endpoint.</summary>
    /// <param name="unit">The unit's text.</param>
    /// <param name="host">Where the endpoint is, as the daemon tells.</param>
    internal static bool Shuts(string unit, string host)
    {
        string[] lines = unit.Split('\n');
        return host.StartsWith(FileScheme, StringComparison.Ordinal)
            ? lines.Contains("ProtectSystem=strict") && !Array.Exists(
                lines, l => l.StartsWith(WritablePath, StringComparison.Ordinal)
                    && IsBelow(host[FileScheme.Length..], l[WritablePath.Length..].Trim('"').TrimStart('-')))
            : lines.Contains("IPAddressDeny=any");
    }

    /// <summary>Whether a unit that backupd wrote keeps the daemon from telling somebody.</summary>
    internal static bool Shuts(string unit, NotifyTarget target) => unit.Split('\n').Contains(target.Kind switch
    {
        NotifyKind.Webhook or NotifyKind.Ping or NotifyKind.Ntfy => "IPAddressDeny=any",
        NotifyKind.Command when target.User.Length > 0 => "NoNewPrivileges=yes",
        NotifyKind.Command => "MemoryDenyWriteExecute=yes",
        _ => throw new ArgumentOutOfRangeException(nameof(target)),
    });

    private void AppendPlaces(StringBuilder unit)
    {
        // A path that is named both ways would be read-only.
        string[] readOnlyHomes = [.. Homes.Where(h => !Array.Exists(Writable, w => w == h))];
        if (readOnlyHomes.Length == Homes.Length)
        {
            unit.Append("# The files of users are read, too.\nProtectHome=read-only\n");
        }
        else
        {
            unit.Append("# Not ProtectHome=read-only, which would hold for what is named above, too.\n");
            unit.Append(CultureInfo.InvariantCulture, $"ReadOnlyPaths={string.Join(' ', readOnlyHomes.Select(h => "-" + h))}\n");
        }
        unit.Append(RunsPrograms || Array.Exists(Temporary, Sees)
            ? "# Not PrivateTmp: what is there is needed.\n"
            : "PrivateTmp=yes\n");
        unit.Append(RunsPrograms || Enters("/dev")
            ? "# Not PrivateDevices: devices are needed.\n"
            : "PrivateDevices=yes\nDevicePolicy=closed\n");
        unit.Append(RunsPrograms || Enters("/proc")
            ? "# Not ProtectProc, not ProcSubset: programs may look for others and at the machine.\n"
            : "ProtectProc=invisible\nProcSubset=pid\n");
        unit.Append("PrivateMounts=yes\n");
    }

    private void AppendRights(StringBuilder unit)
    {
        unit.Append("""
            # To read everything: CAP_DAC_READ_SEARCH. To give back files with owners, modes, set-group-ID bits and, where that
            # is asked for, capabilities: the next five. Not CAP_MKNOD: sudo backupd restore STORE/RUN alone makes device nodes.

            """);
        unit.Append("CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_FSETID CAP_SETFCAP");
        unit.Append(RunsPrograms ? " CAP_SETUID CAP_SETGID CAP_KILL" : "");
        unit.Append(_configuration.Tcp is { Port: < 1024 } ? " CAP_NET_BIND_SERVICE\n" : "\n");
        unit.Append(RunsAsOthers
            ? "# Not NoNewPrivileges: a program that runs as another user may need a setuid program.\n"
            : "NoNewPrivileges=yes\n");
        unit.Append(RunsPrograms
            ? "# Not MemoryDenyWriteExecute: programs with a compiler inside need such memory.\n"
            : "MemoryDenyWriteExecute=yes\nTasksMax=512\n");
        unit.Append("""
            # Not RestrictSUIDSGID: directories get their set-group-ID bit back. Not PrivateUsers: owners are those of the system.

            """);
    }

    private void AppendNetwork(StringBuilder unit)
    {
        if (_configuration.Tcp is null && !UsesNetwork)
        {
            unit.Append("""
                # Nothing but its own socket. After that has changed: backupd service install
                PrivateNetwork=yes
                RestrictAddressFamilies=AF_UNIX
                IPAddressDeny=any

                """);
            return;
        }
        unit.Append("""
            # Its own socket, and clients; not PrivateNetwork, because they come by the network of this machine.
            RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

            """);
        unit.Append(UsesNetwork
            ? "# Not IPAddressDeny: other machines are reached, or reach this one.\n"
            : """
              # Nothing comes from other machines or goes there. After that has changed: backupd service install
              IPAddressDeny=any
              IPAddressAllow=localhost

              """);
    }

    // The order of SystemCallFilter= counts: the first line decides that the list is one of what may be called.
    private void AppendKernel(StringBuilder unit)
    {
        unit.Append("""
            # chown to give owners back.
            SystemCallFilter=@system-service

            """);
        unit.Append(YieldsAlways ? "SystemCallFilter=~@setuid @keyring @resources\n" : "");
        unit.Append("""
            SystemCallErrorNumber=EPERM
            SystemCallArchitectures=native
            ProtectKernelTunables=yes
            ProtectKernelModules=yes
            ProtectKernelLogs=yes
            ProtectControlGroups=yes
            ProtectClock=yes
            ProtectHostname=yes
            RestrictNamespaces=yes
            RestrictRealtime=yes
            LockPersonality=yes

            """);
    }

    // Whether anything that the daemon needs is in a directory or around it.
    private bool Sees(string directory) => Named.Any(n => n.Length > 0 && (IsBelow(n, directory) || IsBelow(directory, n)));

    // Whether what is in a mount of the system's own is read. It lies in / for whoever crosses mount points.
    private bool Enters(string mount) => Named.Any(n => IsBelow(n, mount)) || _configuration.Participants.Any(
        p => p is DirectoryParticipant { OneFileSystem: false } directory && IsBelow(mount, directory.Root));
}
