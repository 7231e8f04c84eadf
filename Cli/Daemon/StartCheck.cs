using Backupd.Backup;
using Backupd.Backup.Native;
using Backupd.Backup.Remote;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>What a daemon refuses besides the text of its configuration: what the keys name. Looks at the disk and makes
/// nothing. Who checks a configuration asks it, and a daemon that reads its own again, so that the two agree.</summary>
internal static class StartCheck
{
    /// <summary>Everything but the certificate.</summary>
    /// <param name="configuration">What was read.</param>
    /// <param name="log">Told of what cannot be looked at from here.</param>
    /// <exception cref="ConfigurationException">A daemon would not start with it.</exception>
    internal static void Demand(DaemonConfiguration configuration, EventLog log)
    {
        if (UnixListener.IsTooLong(configuration.Socket))
        {
            // Only the default place: a path of the file was refused where it stands.
            throw new ConfigurationException(
                $"the path of the socket, {configuration.Socket}, has more than {UnixListener.MostPathBytes} bytes; name another "
                + "one in \"listen.socket\"");
        }
        if (configuration.Group.Length > 0 && Accounts.GroupId(configuration.Group) is null)
        {
            throw new ConfigurationException($"there is no group named {configuration.Group}, which \"listen.group\" names");
        }
        OrRefuse(() => Secret(configuration.TokenSecretFile, log));
        OrRefuse(() => new RevokedTokens(configuration.RevokedTokensFile).Read());
        if (configuration.Vault is VaultSettings vault)
        {
            _ = VaultPasswords.Read(vault);
        }
        NotifySecrets.Check(configuration.Notify);
    }

    /// <summary>The certificate, where somebody else keeps its files.</summary>
    /// <exception cref="ConfigurationException">It cannot be used.</exception>
    internal static void DemandCertificate(DaemonConfiguration configuration, EventLog log, TimeProvider time)
    {
        TlsSetting tls = configuration.Tls;
        if (configuration.Tcp is not null && tls.Mode == TlsMode.Files && IsHere(tls.Certificate, log) && IsHere(tls.Key, log))
        {
            OrRefuse(() => ServerCertificate.Load(tls, "", log, time));
        }
    }

    // A key that is missing is made by the daemon, unless it is a credential.
    private static byte[]? Secret(string file, EventLog log) =>
        IsHere(file, log) && (CredentialFile.IsCredential(file) || File.Exists(file)) ? TokenSecret.Read(file) : null;

    // What systemd hands to the service alone is not there at a terminal, and nothing speaks against it.
    private static bool IsHere(string file, EventLog log)
    {
        try
        {
            _ = CredentialFile.PathOf(file);
            return true;
        }
        catch (ConfigurationException e)
        {
            log.Warning($"not looked at: {e.Message}");
            return false;
        }
    }

    private static void OrRefuse(Func<object?> look)
    {
        try
        {
            _ = look();
        }
        catch (BackupException e)
        {
            throw new ConfigurationException(e.Message);
        }
    }
}
