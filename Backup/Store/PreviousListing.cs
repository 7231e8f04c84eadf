namespace Backupd.Backup.Store;

/// <summary>
/// The listing of the participant's last good run, read side by side with the walk: both are in path order, so one
/// pass and one entry in memory are enough, however many files there are.
/// </summary>
internal sealed class PreviousListing : IDisposable
{
    private readonly ListingReader? _reader;
    private readonly IEnumerator<ListingEntry>? _entries;
    private bool _hasCurrent;

    internal PreviousListing(BackupStore store, ArtifactFile? artifact)
    {
        if (artifact is not null)
        {
            _reader = new ListingReader(store, artifact);
            _entries = _reader.Entries().GetEnumerator();
        }
    }

    /// <summary>Why the listing could not be used to its end; "" when it could. Content is read again then.</summary>
    internal string Problem { get; private set; } = "";

    /// <summary>The earlier entry of a path, or null. Paths must be asked for in order.</summary>
    internal ListingEntry? Find(byte[] path)
    {
        while (_entries is not null && Problem.Length == 0)
        {
            if (_hasCurrent)
            {
                int order = ListingEntry.ComparePaths(_entries.Current.Path, path);
                if (order >= 0)
                {
                    return order == 0 ? _entries.Current : null;
                }
            }
            try
            {
                _hasCurrent = _entries.MoveNext();
            }
            catch (BackupException e)
            {
                // A damaged earlier listing costs time, not data: everything from here on is read and stored anew.
                Problem = e.Message;
                return null;
            }
            if (!_hasCurrent)
            {
                return null;
            }
        }
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _entries?.Dispose();
        _reader?.Dispose();
    }
}
