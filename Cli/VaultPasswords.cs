using System.Security.Cryptography;
using System.Text.Unicode;
using Backupd.Backup.Remote;
using Backupd.Cli.Configuration;

namespace Backupd.Cli;

/// <summary>The passwords of those who may send runs to the vault. A file holds one, as UTF-8 and perhaps with a newline
/// at its end.</summary>
internal static class VaultPasswords
{
    private const int LeastBytes = 12;
    private const int MostBytes = 1024;

    /// <summary>The SHA-256 of the password of each login, by name. The passwords themselves are not kept.</summary>
    /// <exception cref="ConfigurationException">A file cannot be read, can be read by others, or holds no password.</exception>
    internal static Dictionary<string, byte[]> Read(VaultSettings vault)
    {
        Dictionary<string, byte[]> hashes = [];
        foreach (VaultLogin login in vault.Logins)
        {
            try
            {
                hashes.Add(login.Name, HashOf(CredentialFile.PathOf(login.PasswordFile)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ConfigurationException($"cannot read the password of the login {login.Name}: {e.Message}");
            }
        }
        return hashes;
    }

    private static byte[] HashOf(string path)
    {
        // One more than may be in it, and a newline.
        byte[] bytes = new byte[MostBytes + 2];
        try
        {
            using FileStream file = File.OpenRead(path);
            if (CredentialFile.IsOpenToOthers(File.GetUnixFileMode(file.SafeFileHandle)))
            {
                throw new ConfigurationException(
                    $"{path} holds a password and can be read or written by others; chmod 600 {path}");
            }
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            length -= length > 0 && bytes[length - 1] == '\n' ? 1 : 0;
            if (length is < LeastBytes or > MostBytes)
            {
                string count = length > MostBytes ? "more" : $"{length}";
                throw new ConfigurationException(
                    $"{path} holds {count} bytes; a password has {LeastBytes} to {MostBytes}");
            }
            return Utf8.IsValid(bytes.AsSpan(0, length))
                ? SHA256.HashData(bytes.AsSpan(0, length))
                : throw new ConfigurationException($"{path} holds bytes that are not UTF-8, which no sender can say");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
