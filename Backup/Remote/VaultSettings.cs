using System.Collections.Immutable;
using Backupd.Backup.Runs;

namespace Backupd.Backup.Remote;

/// <summary>A directory in which other machines keep copies of their runs: a store for each login, <c>PATH/LOGIN</c>.</summary>
/// <param name="path">Absolute.</param>
/// <param name="keep">Which runs of a login stay, counted by the time of their arrival; null keeps all.</param>
/// <param name="logins">Who may send; at least one.</param>
public sealed class VaultSettings(string path, RetentionPolicy? keep, ImmutableArray<VaultLogin> logins)
{
    /// <summary>The directory.</summary>
    public string Path { get; } = path;

    /// <summary>Which runs of a login stay; null keeps all.</summary>
    public RetentionPolicy? Keep { get; } = keep;

    /// <summary>Who may send, each with a name of its own.</summary>
    public ImmutableArray<VaultLogin> Logins { get; } = logins;

    /// <summary>The store of a login.</summary>
    public string DirectoryOf(VaultLogin login) => System.IO.Path.Combine(Path, login.Name);
}

/// <summary>Somebody who may send runs to a vault. Logins see nothing of each other.</summary>
/// <param name="name">As a participant's name, and the name of the login's store.</param>
/// <param name="passwordFile">Absolute.</param>
/// <param name="isAppendOnly">Whether it may not delete what it has sent.</param>
/// <param name="quotaBytes">The most that its store may take; null for no limit.</param>
public sealed class VaultLogin(string name, string passwordFile, bool isAppendOnly, long? quotaBytes)
{
    /// <summary>The least that a quota may be, 1 MiB: below it not even one chunk fits for sure.</summary>
    public const long LeastQuotaBytes = 1 << 20;

    /// <summary>The name, which is that of its store, too.</summary>
    public string Name { get; } = name;

    /// <summary>The file that holds the password.</summary>
    public string PasswordFile { get; } = passwordFile;

    /// <summary>Whether it may not delete what it has sent.</summary>
    public bool IsAppendOnly { get; } = isAppendOnly;

    /// <summary>The most bytes that its store may take; null for no limit.</summary>
    public long? QuotaBytes { get; } = quotaBytes;
}
