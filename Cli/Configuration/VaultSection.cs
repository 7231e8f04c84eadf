using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;

namespace Backupd.Cli.Configuration;

/// <summary>Reads the key <c>vault</c>.</summary>
internal static class VaultSection
{
    /// <param name="tokens">Before the object.</param>
    /// <param name="place">Where it begins.</param>
    internal static VaultSettings Read(ref ConfigurationTokens tokens, out int place)
    {
        string path = "";
        RetentionPolicy? keep = null;
        ImmutableArray<VaultLogin> logins = [];
        HashSet<string> seen = [];
        tokens.BeginObject("vault");
        place = tokens.Place;
        while (tokens.NextKey(ConfigurationKeys.Vault, seen) is string key)
        {
            switch (key)
            {
                case "path":
                    path = tokens.AbsolutePath();
                    break;
                case "keep":
                    keep = KeepSection.Read(ref tokens, ConfigurationKeys.VaultKeep);
                    break;
                case "logins":
                    logins = Logins(ref tokens);
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        if (path.Length == 0)
        {
            throw tokens.Error(place, "a vault needs the key \"path\": the directory that holds a store for each login");
        }
        return logins.IsEmpty
            ? throw tokens.Error(
                place, "a vault needs the key \"logins\" with at least one, such as { \"web1\": { \"passwordFile\": FILE } }")
            : new VaultSettings(path, keep, logins);
    }

    /// <summary>What speaks against the vault of a configuration, beyond its own keys; null for nothing.</summary>
    internal static string? WhatIsWrong(DaemonConfiguration configuration)
    {
        if (configuration.Vault is not VaultSettings vault)
        {
            return null;
        }
        if (configuration.Tls.Mode == TlsMode.Off)
        {
            return "a vault needs TLS, else passwords and backups would travel readable; \"listen.tls\" is \"off\"";
        }
        if (configuration.Tcp is null)
        {
            return "a vault is reached over the network, and \"listen.tcp\" is \"\"";
        }
        return IsBelow(vault.Path, configuration.Store) || IsBelow(configuration.Store, vault.Path)
            ? $"the vault and the store ({configuration.Store}) must not lie in each other"
            : null;
    }

    private static bool IsBelow(string path, string directory) => (Path.GetFullPath(path).TrimEnd('/') + "/")
        .StartsWith(Path.GetFullPath(directory).TrimEnd('/') + "/", StringComparison.Ordinal);

    private static ImmutableArray<VaultLogin> Logins(ref ConfigurationTokens tokens)
    {
        ImmutableArray<VaultLogin>.Builder logins = ImmutableArray.CreateBuilder<VaultLogin>();
        HashSet<string> seen = [];
        tokens.BeginObject("logins");
        while (tokens.NextName() is string name)
        {
            // It becomes the name of a directory.
            if (!ParticipantName.IsValid(name))
            {
                throw tokens.Error(
                    "a login begins with a letter or digit and has up to 64 letters, digits, dots, underscores and hyphens");
            }
            if (!seen.Add(name))
            {
                throw tokens.Error($"the login {name} stands twice");
            }
            logins.Add(Login(ref tokens, name));
        }
        return logins.ToImmutable();
    }

    private static VaultLogin Login(ref ConfigurationTokens tokens, string name)
    {
        string passwordFile = "";
        bool isAppendOnly = false;
        long? quota = null;
        HashSet<string> seen = [];
        tokens.BeginObject(name);
        int place = tokens.Place;
        while (tokens.NextKey(ConfigurationKeys.VaultLogin, seen) is string key)
        {
            switch (key)
            {
                case "passwordFile":
                    passwordFile = tokens.SecretPath();
                    break;
                case "appendOnly":
                    isAppendOnly = tokens.Flag();
                    break;
                case "quota":
                    quota = tokens.Size(VaultLogin.LeastQuotaBytes);
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        return passwordFile.Length > 0
            ? new VaultLogin(name, passwordFile, isAppendOnly, quota)
            : throw tokens.Error(place, $"the login {name} needs the key \"passwordFile\"");
    }
}
