using System.Collections.Immutable;

namespace Backupd.Backup.Store;

/// <summary>
/// The newest listing of the participant, read side by side with the walk: both are in path order, so one
/// pass and one line in memory are enough, however many files there are.
/// </summary>
internal sealed class PreviousListing : IDisposable
{
    private readonly ChunkCodec? _codec;
    private readonly ListingLines? _lines;
    private bool _started;
    private bool _ended;

    // The current line was the answer to the last question, and every later question is about a path behind it.
    private bool _isAnswered;

    // The path of the current line, once somebody had to know it.
    private byte[]? _path;

    private readonly Action<ListingEntry>? _gone;

    /// <param name="store">The store whose chunks hold the listing.</param>
    /// <param name="artifact">What names those chunks; null for a listing of nothing.</param>
    /// <param name="gone">Told of files that nobody asks for: they are not in the tree any more.</param>
    internal PreviousListing(BackupStore store, ArtifactFile? artifact, Action<ListingEntry>? gone = null)
    {
        _gone = gone;
        if (artifact is not null)
        {
            _codec = new ChunkCodec();
            _lines = new ListingLines(store, artifact, _codec, cold: false);
        }
    }

    /// <summary>Why the listing could not be used to its end; "" when it could. Content is read again then.</summary>
    internal string Problem { get; private set; } = "";

    /// <summary>
    /// The earlier line of a path if it begins with an identity (see <see cref="ListingLineWriter.WriteIdentity"/>), else
    /// nothing. Paths must be asked for in order. Valid until the next call.
    /// </summary>
    internal ReadOnlySpan<byte> FindSame(byte[] path, ReadOnlySpan<byte> identity)
    {
        if (_lines is null || _ended)
        {
            return default;
        }
        // Almost always the line behind the last answer is the one, and no path need be looked at.
        bool found = false;
        if (_isAnswered)
        {
            _isAnswered = false;
            found = TryAdvance() && _lines.Current.StartsWith(identity);
        }
        if (!found)
        {
            found = GoTo(path) && _lines.Current.StartsWith(identity);
        }
        _isAnswered = found;
        return found ? _lines.Current : default;
    }

    /// <summary>The earlier entry of a path, or null. Paths must be asked for in order.</summary>
    internal ListingEntry? Find(byte[] path)
    {
        if (!GoTo(path))
        {
            return null;
        }
        _isAnswered = true;
        try
        {
            ListingEntry entry = ListingReader.Parse(_lines!, out bool isMore);
            return isMore ? null : WithRest(entry);
        }
        catch (BackupException e)
        {
            GiveUp(e);
            return null;
        }
    }

    /// <summary>Reads on as far as a path, as an answer about it would.</summary>
    internal void PassTo(byte[] path)
    {
        if (_isAnswered)
        {
            _isAnswered = false;
            TryAdvance();
        }
        GoTo(path);
    }

    /// <summary>Passes over what is left, when nothing more will be asked for.</summary>
    internal void Finish()
    {
        try
        {
            _started = _lines is null || _started || Advance();
            while (_lines is not null && _gone is not null && !_ended)
            {
                PassOn();
            }
        }
        catch (BackupException e)
        {
            GiveUp(e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _codec?.Dispose();

    private ListingEntry WithRest(ListingEntry entry)
    {
        if (entry.Segments.Length != ListingWriter.MaxSegmentsPerLine)
        {
            return entry;
        }
        ImmutableArray<Segment>.Builder segments = entry.Segments.ToBuilder();
        while (segments.Count % ListingWriter.MaxSegmentsPerLine == 0)
        {
            // The line behind is another entry's, or continues this one.
            _isAnswered = false;
            if (!Advance() || ComparePath(entry.Path) != 0)
            {
                break;
            }
            _isAnswered = true;
            segments.AddRange(ListingReader.Parse(_lines!, out _).Segments);
        }
        return entry with { Segments = segments.DrainToImmutable() };
    }

    // Stands on the first line of a path afterwards, or on the first line behind it.
    private bool GoTo(byte[] path)
    {
        if (_lines is null || _ended)
        {
            return false;
        }
        try
        {
            if (!_started)
            {
                _started = true;
                Advance();
            }
            int order = -1;
            while (!_ended && (order = ComparePath(path)) < 0)
            {
                PassOn();
            }
            return order == 0;
        }
        catch (BackupException e)
        {
            GiveUp(e);
            return false;
        }
    }

    // The line lies before whatever will be asked for.
    private void PassOn()
    {
        if (!_isAnswered && _gone is not null)
        {
            ListingEntry entry = ListingReader.Parse(_lines!, out bool isMore);
            if (!isMore && entry.Type == EntryType.File)
            {
                _gone(entry);
            }
        }
        _isAnswered = false;
        Advance();
    }

    private bool TryAdvance()
    {
        try
        {
            return Advance();
        }
        catch (BackupException e)
        {
            GiveUp(e);
            return false;
        }
    }

    private bool Advance()
    {
        _path = null;
        _ended = !_lines!.MoveNext();
        return !_ended;
    }

    private int ComparePath(byte[] path)
    {
        _path ??= ListingLine.PathOf(_lines!);
        return ListingEntry.ComparePaths(_path, path);
    }

    // A damaged earlier listing costs time, not data: everything from here on is read and stored anew.
    private void GiveUp(BackupException e)
    {
        _ended = true;
        Problem = e.Message;
    }
}
