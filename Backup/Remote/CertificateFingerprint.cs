namespace Backupd.Backup.Remote;

/// <summary>The SHA-256 of a certificate's DER bytes, as text: 64 hexadecimal digits in lower case.</summary>
public static class CertificateFingerprint
{
    private const int Digits = 64;

    /// <summary>Reads a fingerprint as people copy it: with or without colons, with <c>SHA256:</c> before it, in either case.
    /// Null when it is none.</summary>
    public static string? TryNormalise(string text)
    {
        string digits = text.Trim();
        digits = digits.StartsWith("SHA256:", StringComparison.OrdinalIgnoreCase) ? digits[7..] : digits;
        digits = digits.Replace(":", "", StringComparison.Ordinal).ToLowerInvariant();
        return digits.Length == Digits && digits.All(char.IsAsciiHexDigitLower) ? digits : null;
    }
}
