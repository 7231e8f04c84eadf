using Backupd.Cli.Configuration;

namespace Backupd.Cli;

/// <summary>
/// Files with secrets, as the configuration names them: by an absolute path, or as <c>credential:NAME</c>, which systemd hands
/// to the service (systemd.exec(5), LoadCredential=). Such a name stays as it is until the file is read, because only the
/// service knows where that is.
/// </summary>
internal static class CredentialFile
{
    /// <summary>Where systemd takes a credential from that its unit does not say otherwise about, as it is.</summary>
    internal const string PlainStore = "/etc/credstore";

    /// <summary>The same for credentials that are encrypted for this machine (systemd-creds(1)).</summary>
    internal const string EncryptedStore = "/etc/credstore.encrypted";

    private const string Prefix = "credential:";

    private const UnixFileMode OthersCanUse =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private const int MaxNameLength = 255;

    /// <summary>Whether a name of a file is that of a credential.</summary>
    internal static bool IsCredential(string file) => file.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>What stands after <c>credential:</c>.</summary>
    internal static string NameOf(string file) => file[Prefix.Length..];

    /// <summary>Whether a file of this mode can be read or written by its group or others: no place for a secret.</summary>
    internal static bool IsOpenToOthers(UnixFileMode mode) => (mode & OthersCanUse) != 0;

    /// <summary>Whether systemd takes a name: one of a file, in ASCII, and without what would end it in a unit.</summary>
    internal static bool IsName(string name) => name.Length is > 0 and <= MaxNameLength && name is not ("." or "..")
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>The path to read; one that was a path already is that path.</summary>
    /// <exception cref="ConfigurationException">It is a credential, and there are none here.</exception>
    internal static string PathOf(string file) =>
        PathOf(file, Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY"), PlainStore);

    /// <summary>The same, given where credentials are.</summary>
    /// <param name="file">As the configuration names it.</param>
    /// <param name="directory">What systemd has told the service; null or "" elsewhere.</param>
    /// <param name="store">Read elsewhere, so that verbs at a terminal find what the service has.</param>
    internal static string PathOf(string file, string? directory, string store)
    {
        if (!IsCredential(file))
        {
            return file;
        }
        if (directory is { Length: > 0 })
        {
            return Path.Combine(directory, NameOf(file));
        }
        string path = Path.Combine(store, NameOf(file));
        return File.Exists(path)
            ? path
            : throw new ConfigurationException(
                $"{file} is for the service, to which systemd hands it in $CREDENTIALS_DIRECTORY; that is not set here, and "
                + $"there is no {path}");
    }
}
