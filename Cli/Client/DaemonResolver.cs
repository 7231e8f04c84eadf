using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Client;

/// <summary>Finds the daemon: --addr, then BACKUPD_ADDR, then the configuration's socket, then the user's own, then the
/// system's.</summary>
internal sealed class DaemonResolver
{
    private readonly CommonOptions _options;
    private readonly ParseResult _parsed;
    private readonly CliContext _context;

    internal DaemonResolver(CommonOptions options, ParseResult parsed, CliContext context)
    {
        _options = options;
        _parsed = parsed;
        _context = context;
    }

    /// <summary>Somebody named the daemon: no other place will do.</summary>
    internal bool IsNamed => !string.IsNullOrEmpty(Named);

    private string? Named => _options.Address(_parsed) ?? Environment.GetEnvironmentVariable("BACKUPD_ADDR");

    /// <exception cref="NoDaemonException">Nobody answers.</exception>
    /// <exception cref="BackupException">The address or the token file cannot be used.</exception>
    internal Task<DaemonClient> ConnectAsync(CancellationToken cancellation)
    {
        DaemonAddress address = Address();
        string? pinned = Fingerprint();
        if (pinned is not null && !address.IsPlain)
        {
            // A fingerprint says that there is a certificate.
            address = address with { UsesTls = true };
        }
        else if (_options.Fingerprint(_parsed) is not null)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"--fingerprint means nothing for {address.Text}, which does without TLS");
        }
        return DaemonClient.ConnectAsync(address, Token(), pinned, cancellation);
    }

    private DaemonAddress Address()
    {
        string? given = Named;
        if (!string.IsNullOrEmpty(given))
        {
            return DaemonAddress.TryParse(given) ?? throw new BackupException(
                BackupFault.InputInvalid, $"{given} is not an address: unix:/path, host:port, tls:host:port or tcp:host:port");
        }
        DaemonConfiguration configuration = DaemonConfiguration.Load(_options.Config(_parsed), _context.Places);
        if (configuration.File.Length == 0 && IsSystemMeant())
        {
            return DaemonAddress.Unix(_context.Places.SystemSocket);
        }
        if (configuration.Socket.Length > 0 || configuration.Tcp is null)
        {
            return DaemonAddress.Unix(configuration.Socket.Length > 0 ? configuration.Socket : _context.Places.Socket);
        }
        DaemonAddress address = DaemonAddress.TryParse(configuration.Tcp.ToString())!;
        return configuration.Tls.Mode == TlsMode.Off ? address with { UsesTls = false, IsPlain = true } : address;
    }

    // A user without a daemon and a configuration asks the one that root has set up. Its directory is looked for and not
    // its socket, which not everybody can see: then the answer is that this user may not, which is the truth.
    private bool IsSystemMeant()
    {
        Places places = _context.Places;
        return places.SystemSocket.Length > 0 && !File.Exists(places.Socket)
            && Directory.Exists(Path.GetDirectoryName(places.SystemSocket));
    }

    private string? Fingerprint()
    {
        string? given = _options.Fingerprint(_parsed) ?? Environment.GetEnvironmentVariable("BACKUPD_FINGERPRINT");
        return string.IsNullOrEmpty(given)
            ? null
            : CertificateFingerprint.TryNormalise(given) ?? throw new BackupException(
                BackupFault.InputInvalid, $"{given} is not a fingerprint: 64 hexadecimal digits, as the daemon logs them");
    }

    private string Token()
    {
        string? file = _options.TokenFile(_parsed) ?? Environment.GetEnvironmentVariable("BACKUPD_TOKEN_FILE");
        try
        {
            return string.IsNullOrEmpty(file) ? "" : File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"the token file cannot be read: {e.Message}", inner: e);
        }
    }
}
