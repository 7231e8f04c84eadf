using System.Globalization;

namespace Backupd.Backup.Remote;

/// <summary>What an endpoint must be like. Sentences begin with the member that is wrong, by its name on the wire and in the
/// file. Touches nothing.</summary>
public static class EndpointRules
{
    private const int MaxNameLength = 64;
    private const int MaxLoginLength = 64;
    private const int MaxPasswordLength = 1024;

    /// <summary>Looks at each member by itself.</summary>
    /// <exception cref="BackupException">InputInvalid: names the first one that is wrong.</exception>
    public static void CheckMembers(Endpoint endpoint)
    {
        Check(IsName(endpoint.Name), "name must be 1 to 64 letters, digits, dots, hyphens or underscores, and not . or ..");
        string problem = "";
        Check(
            endpoint.Host.Length == 0 || EndpointAddress.TryParse(endpoint.Host, out problem) is not null, $"host {problem}");
        Check(IsPlain(endpoint.Login, MaxLoginLength), "login must have at most 64 characters and no control characters");
        Check(
            IsPlain(endpoint.Password, MaxPasswordLength),
            "password must have at most 1024 characters and no control characters");
        CheckRange("timeinterval", endpoint.IntervalSeconds, 0, Endpoint.MaxIntervalSeconds);
        CheckRange("timeout", endpoint.TimeoutSeconds, 1, Endpoint.MaxWaitSeconds);
        CheckRange("retry_attempts", endpoint.RetryAttempts, 1, Endpoint.MaxAttempts);
        CheckRange("retry_delay", endpoint.RetryDelaySeconds, 0, Endpoint.MaxWaitSeconds);
        CheckRange("bandwidth", endpoint.BandwidthBytes, 0, Endpoint.MaxBandwidthBytes);
        Check(
            endpoint.TlsFingerprint.Length == 0
                || CertificateFingerprint.TryNormalise(endpoint.TlsFingerprint) == endpoint.TlsFingerprint,
            "tls_fingerprint must be the SHA-256 of a certificate: 64 hexadecimal digits");
    }

    /// <summary>Looks at what members mean together.</summary>
    /// <param name="endpoint">One whose members are right by themselves.</param>
    /// <param name="store">The directory of the store whose runs would be published to it.</param>
    /// <exception cref="BackupException">InputInvalid.</exception>
    internal static void CheckWhole(Endpoint endpoint, string store)
    {
        Check(!endpoint.IsEnabled || endpoint.Host.Length > 0, "enable must be 0 where there is no host");
        if (endpoint.Address is not { IsDirectory: true } address)
        {
            return;
        }
        // Silently ignored they would make somebody believe that the directory is protected by them.
        Check(
            endpoint.Login.Length + endpoint.Password.Length + endpoint.TlsFingerprint.Length == 0,
            "login, password and tls_fingerprint must be empty where the host is a directory");
        Check(
            !(address.Directory + "/").StartsWith(store.TrimEnd('/') + "/", StringComparison.Ordinal),
            $"host must be outside of the store {store}");
    }

    private static bool IsName(string name) =>
        name.Length is >= 1 and <= MaxNameLength && name is not ("." or "..")
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static bool IsPlain(string text, int most) => text.Length <= most && !text.Any(char.IsControl);

    private static void CheckRange(string member, long value, long least, long most) => Check(
        value >= least && value <= most,
        string.Create(CultureInfo.InvariantCulture, $"{member} must be a whole number from {least} to {most}"));

    private static void Check(bool isRight, string problem)
    {
        if (!isRight)
        {
            throw new BackupException(BackupFault.InputInvalid, problem);
        }
    }
}
