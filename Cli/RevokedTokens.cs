using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Store;

namespace Backupd.Cli;

/// <summary>The file with the ids of tokens that are refused although they have not expired: one id (the claim
/// <c>jti</c>) a line, readable by its owner alone. A daemon reads it when it starts and when it is reloaded.</summary>
internal sealed class RevokedTokens
{
    private const int MaxIdLength = 200;

    private readonly LineFile _file;

    internal RevokedTokens(string path) => _file = new LineFile(path);

    /// <summary>The file.</summary>
    internal string Path => _file.Path;

    /// <summary>The list that the daemon of a configuration reads.</summary>
    internal static RevokedTokens Of(string? config, Places places) =>
        new(Configuration.DaemonConfiguration.Load(config, places).RevokedTokensFile);

    /// <summary>The id that was given, or that of the token that was given.</summary>
    /// <exception cref="BackupException">InputInvalid: it is no id, or a token without one.</exception>
    internal static string IdOf(string given)
    {
        string id = given.Trim();
        string[] parts = id.Split('.');
        if (parts.Length == 3 && parts[0].StartsWith("eyJ", StringComparison.Ordinal))
        {
            id = ReadId(parts[1]);
        }
        return id.Length is > 0 and <= MaxIdLength && !id.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
            ? id
            : throw new BackupException(
                BackupFault.InputInvalid,
                $"that is not the id of a token: 1 to {MaxIdLength} characters, no white space, or a token that has one");
    }

    /// <summary>The ids in the file; none when there is no file.</summary>
    /// <exception cref="BackupException">Io: it is not known which tokens are good.</exception>
    internal string[] Read()
    {
        try
        {
            return _file.Read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"revoked tokens cannot be read: {e.Message}", inner: e);
        }
    }

    /// <summary>Adds an id, durably.</summary>
    /// <returns>False when it was there already.</returns>
    /// <exception cref="BackupException">Io: the file is as it was.</exception>
    internal bool Add(string id)
    {
        try
        {
            return _file.Add(id);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"{id} was not revoked: {e.Message}", inner: e);
        }
    }

    // Without looking at the signature: whoever revokes has the right to write the list, whatever is in it.
    private static string ReadId(string payload)
    {
        try
        {
            using JsonDocument claims = JsonDocument.Parse(Base64Url.DecodeFromUtf8(Encoding.ASCII.GetBytes(payload)));
            return claims.RootElement.TryGetProperty("jti", out JsonElement jti) ? jti.GetString() ?? "" : "";
        }
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException)
        {
            return "";
        }
    }
}
