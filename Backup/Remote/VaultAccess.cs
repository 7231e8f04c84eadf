namespace Backupd.Backup.Remote;

/// <summary>Who may use a vault, and how.</summary>
/// <param name="Settings">What is configured.</param>
/// <param name="PasswordHashes">SHA-256 of each login's password.</param>
public sealed record VaultAccess(VaultSettings Settings, IReadOnlyDictionary<string, byte[]> PasswordHashes);
