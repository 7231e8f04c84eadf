using System.Security.Cryptography;
using Backupd.Backup;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli;

/// <summary>The file with the key of access tokens.</summary>
internal static class TokenSecret
{
    private const int RandomBytes = 48;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The key: the bytes of the file less one trailing newline.</summary>
    /// <param name="file">As the configuration names it: a path or a credential.</param>
    /// <exception cref="BackupException">Missing.</exception>
    /// <exception cref="ConfigurationException">Too short, or open to others, or there are no credentials here.</exception>
    internal static byte[] Read(string file)
    {
        string path = CredentialFile.PathOf(file);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
            if (CredentialFile.IsOpenToOthers(File.GetUnixFileMode(path)))
            {
                throw new ConfigurationException(
                    $"{path} can be read or written by others, who could make tokens; chmod 600 {path}");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io,
                $"cannot read the token secret: {e.Message}"
                + (CredentialFile.IsCredential(file) ? "" : "; it is made when the daemon first starts"),
                inner: e);
        }
        byte[] key = bytes is [.., (byte)'\n'] ? bytes[..^1] : bytes;
        return key.Length >= AccessToken.MinSecretBytes ? key
            : bytes.Length == 0 && !CredentialFile.IsCredential(file)
                ? throw new ConfigurationException($"{path} is empty; remove it, and the daemon makes another one")
                : throw new ConfigurationException($"{path} holds fewer than {AccessToken.MinSecretBytes} bytes");
    }

    /// <summary>The key; made when the file is missing, and never overwritten. A credential is somebody else's to make.</summary>
    internal static byte[] ReadOrMake(string path)
    {
        if (!CredentialFile.IsCredential(path) && !File.Exists(path))
        {
            try
            {
                Directory.CreateDirectory(
                    Path.GetDirectoryName(path)!, OwnerOnly | UnixFileMode.UserExecute);
                // Whole or not at all: who meets a half one, or makes another one, is kept out for good. Whoever comes second
                // reads what the first one made.
                DurableFile.WriteNew(path, System.Text.Encoding.ASCII.GetBytes(
                    Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)) + "\n"));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BackupException(BackupFault.Io, $"cannot make the token secret: {e.Message}", inner: e);
            }
        }
        return Read(path);
    }
}
