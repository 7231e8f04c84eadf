using System.Security.Cryptography;

namespace Backupd.Backup.Restore;

/// <summary>
/// The hash of an SQLite database without what every copy of it changes in its first page: counters of changes, the journal
/// mode that it was in, and the version of SQLite that wrote last. Two that hold the same have the same.
/// https://sqlite.org/fileformat2.html, 1.3
/// </summary>
internal sealed class DatabaseHash : IDisposable
{
    private const int HeaderBytes = 100;

    private static readonly (int Start, int Length)[] Restless = [(18, 2), (24, 4), (40, 4), (92, 8)];

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _header = new byte[HeaderBytes];
    private int _length;

    /// <summary>Takes the next bytes.</summary>
    internal void Append(ReadOnlySpan<byte> content)
    {
        if (_length < HeaderBytes)
        {
            ReadOnlySpan<byte> part = content[..Math.Min(content.Length, HeaderBytes - _length)];
            part.CopyTo(_header.AsSpan(_length));
            _length += part.Length;
            if (_length < HeaderBytes)
            {
                return;
            }
            foreach ((int start, int length) in Restless)
            {
                _header.AsSpan(start, length).Clear();
            }
            _hash.AppendData(_header);
            content = content[part.Length..];
        }
        _hash.AppendData(content);
    }

    /// <summary>The hash of what was taken.</summary>
    internal byte[] Finish() => _hash.GetHashAndReset();

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
