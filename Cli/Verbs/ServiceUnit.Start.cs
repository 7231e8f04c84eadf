using System.Globalization;
using System.Net;
using System.Text;

namespace Backupd.Cli.Verbs;

/// <summary>What has to be there before the daemon of a unit is started: mounts, addresses and the directory of the
/// socket.</summary>
internal sealed partial class ServiceUnit
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode WithGroup = OwnerAlone | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;
    private const UnixFileMode WithEverybody = WithGroup | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // In memory: empty after each start of the machine. The second one is an older name of the first.
    private static readonly string[] Runs = ["/run", "/var/run"];

    /// <summary>Directories that have to be there when systemd starts the daemon, and that it finds as they were
    /// left.</summary>
    internal IEnumerable<string> MadeOnce => WrittenDirectories.Where(d => !MadeAtStart.Contains(d));

    private string SocketDirectory =>
        _configuration.Socket.Length > 0 ? Path.GetDirectoryName(_configuration.Socket)! : "";

    // The socket has the mode that says who may use it; its group must be able to get to it.
    private UnixFileMode SocketDirectoryMode => _configuration.Group.Length > 0 ? WithEverybody : WithGroup;

    // Not by RuntimeDirectory=: what that names goes when the daemon stops, and the directory may be somebody else's.
    private List<string> MadeAtStart
    {
        get
        {
            List<string> made = [];
            string directory = WrittenDirectories.Contains(SocketDirectory) ? SocketDirectory : "";
            while (Array.Exists(Runs, r => directory != r && IsBelow(directory, r)))
            {
                made.Insert(0, directory);
                directory = Path.GetDirectoryName(directory)!;
            }
            return made;
        }
    }

    /// <summary>The mode for one of the directories of <see cref="MadeOnce"/> when it has to be made.</summary>
    internal UnixFileMode ModeOf(string directory) =>
        directory == SocketDirectory && directory != _configuration.Store && directory != _configuration.Vault?.Path
        && directory != Path.GetDirectoryName(_configuration.TokenSecretFile)
            ? SocketDirectoryMode
            : OwnerAlone;

    private void AppendOrder(StringBuilder unit)
    {
        unit.Append("After=network.target local-fs.target\n");
        string[] mounts = [.. MadeOnce.SelectMany(MountUnits).Distinct()];
        if (mounts.Length > 0)
        {
            string names = string.Join(' ', mounts);
            unit.Append(CultureInfo.InvariantCulture, $"""
                # Disks first, where there are any. Not RequiresMountsFor=: the daemon would be given up when a disk comes late,
                # and stopped when one is taken away. It is started again until it has what it needs.
                Wants={names}
                After={names}

                """);
        }
        if (_configuration.Tcp is IPEndPoint tcp && !IPAddress.IsLoopback(tcp.Address)
            && !tcp.Address.Equals(IPAddress.Any) && !tcp.Address.Equals(IPAddress.IPv6Any))
        {
            unit.Append("""
                # Its address must be there.
                Wants=network-online.target
                After=network-online.target

                """);
        }
    }

    private void AppendMadeAtStart(StringBuilder unit)
    {
        if (MadeAtStart.Count > 0)
        {
            string mode = Convert.ToString((int)SocketDirectoryMode, 8);
            string words = string.Join(' ', MadeAtStart.Select(d => Word(d).Replace("$", "$$", StringComparison.Ordinal)));
            unit.Append(CultureInfo.InvariantCulture, $"""
                # For the socket. Outside the walls, which cannot be built around what is missing.
                ExecStartPre=+/bin/mkdir -p -m 0{mode} {words}

                """);
        }
    }

    // The names of what may be mounted on a directory and above it (systemd.mount(5), systemd-escape(1)).
    private static IEnumerable<string> MountUnits(string directory)
    {
        string path = WithoutSlash(directory);
        for (int end = path.IndexOf('/', 1); path.Length > 1; end = path.IndexOf('/', end + 1))
        {
            yield return $"{Escaped(end < 0 ? path[1..] : path[1..end])}.mount";
            if (end < 0)
            {
                yield break;
            }
        }
    }

    private static string Escaped(string path)
    {
        StringBuilder name = new();
        foreach (byte b in Encoding.UTF8.GetBytes(path))
        {
            char c = (char)b;
            bool isPlain = char.IsAsciiLetterOrDigit(c) || c is ':' or '_' || (c == '.' && name.Length > 0);
            name.Append(isPlain ? c.ToString() : c == '/' ? "-" : $"\\x{b:x2}");
        }
        return name.ToString();
    }
}
