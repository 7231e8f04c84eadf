using System.Net;
using System.Text;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Notifications;

/// <summary>Addresses and tokens that stand in files. A file holds one, perhaps with a newline at its end.</summary>
internal static class NotifySecrets
{
    private const int MostBytes = 4096;

    /// <summary>Looks whether everything that the targets name can be had.</summary>
    /// <exception cref="ConfigurationException">Something cannot.</exception>
    internal static void Check(IEnumerable<NotifyTarget> targets)
    {
        foreach (NotifyTarget target in targets.Where(t => t.Kind != NotifyKind.Command))
        {
            _ = Token(target, Address(target));
        }
    }

    /// <summary>Where a target is.</summary>
    /// <exception cref="ConfigurationException">Its file cannot be read, or holds no address.</exception>
    internal static Uri Address(NotifyTarget target)
    {
        if (!IsFile(target.Address))
        {
            return Parse(target.Address) ?? throw new InvalidOperationException($"{target.Address} was checked");
        }
        // Without what it holds: that is a secret.
        return Parse(Read(target.Address))
            ?? throw new ConfigurationException($"{target.Address} holds no address that begins with https:// or http://");
    }

    /// <summary>Whether the address of a target stands in a file.</summary>
    internal static bool IsFile(string address) => address.StartsWith('/') || CredentialFile.IsCredential(address);

    /// <summary>The token of a target; "" for none.</summary>
    /// <exception cref="ConfigurationException">Its file cannot be read, or it would travel readable.</exception>
    internal static string Token(NotifyTarget target, Uri address)
    {
        if (target.TokenFile.Length == 0)
        {
            return "";
        }
        if (address.Scheme == Uri.UriSchemeHttp && !IsLoopback(address))
        {
            throw new ConfigurationException(
                $"the token of {target.Name} would travel readable; use https:// in its address, or leave tokenFile out");
        }
        string token = Read(target.TokenFile);
        return token.Length > 0 && !token.AsSpan().ContainsAnyExceptInRange('!', '~')
            ? token
            : throw new ConfigurationException($"{target.TokenFile} holds no token: one word of printable ASCII");
    }

    /// <summary>Takes an address apart; null when it is none that can be posted to.</summary>
    internal static Uri? Parse(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? address)
        && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp)
        && address.UserInfo.Length == 0 && address.Host.Length > 0
            ? address
            : null;

    private static bool IsLoopback(Uri address) =>
        address.Host == "localhost" || (IPAddress.TryParse(address.IdnHost, out IPAddress? ip) && IPAddress.IsLoopback(ip));

    private static string Read(string name)
    {
        string path = CredentialFile.PathOf(name);
        try
        {
            using FileStream file = File.OpenRead(path);
            if (CredentialFile.IsOpenToOthers(File.GetUnixFileMode(file.SafeFileHandle)))
            {
                throw new ConfigurationException($"{path} holds a secret and can be read or written by others; chmod 600 {path}");
            }
            byte[] bytes = new byte[MostBytes];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return Encoding.UTF8.GetString(bytes, 0, length).TrimEnd('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"cannot read {path}: {e.Message}");
        }
    }
}
