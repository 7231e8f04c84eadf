using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>What to look for.</summary>
public sealed record SearchRequest
{
    /// <summary>A pattern as for a restore of parts.</summary>
    public required string Pattern { get; init; }

    /// <summary>Only in this participant; null for all.</summary>
    public string? Participant { get; init; }

    /// <summary>Only in this run; null for all.</summary>
    public RunId? Run { get; init; }
}

/// <summary>An entry as it is in one run or, the same, in several that follow one another.</summary>
public sealed class FoundEntry
{
    private readonly UInt128 _fingerprint;

    internal FoundEntry(string participant, ListingEntry entry, RunId run)
    {
        Participant = participant;
        Path = entry.Path;
        Type = entry.Type;
        Size = entry.Size;
        Mtime = entry.Mtime;
        _fingerprint = EntryContent.Fingerprint(entry);
        Last = run;
        First = run;
        Runs = 1;
    }

    /// <summary>The participant.</summary>
    public string Participant { get; }

    /// <summary>What it is.</summary>
    public EntryType Type { get; }

    /// <summary>Content bytes.</summary>
    public long Size { get; }

    /// <summary>Modification time.</summary>
    public FileTime Mtime { get; }

    /// <summary>The oldest run that has it so.</summary>
    public RunId First { get; private set; }

    /// <summary>The newest run that has it so.</summary>
    public RunId Last { get; }

    /// <summary>How many runs have it so.</summary>
    public int Runs { get; private set; }

    /// <summary>The path below its root, as bytes with <c>/</c>.</summary>
    internal byte[] Path { get; }

    internal bool IsSameAs(FoundEntry other) =>
        Type == other.Type && Size == other.Size && Mtime == other.Mtime && _fingerprint == other._fingerprint;

    internal void Extend(RunId older)
    {
        First = older;
        Runs++;
    }
}

/// <summary>What a search found.</summary>
/// <param name="Entries">By participant and path, the newest first.</param>
/// <param name="Problems">Runs and listings that could not be searched, as sentences.</param>
public sealed record SearchOutcome(ImmutableArray<FoundEntry> Entries, ImmutableArray<string> Problems);

/// <summary>
/// Looks for entries in all runs of a store, the newest first. Listings are read one entry at a time, and of a listing
/// only what can hold a match; what is kept is a small record for each version of a matching path.
/// </summary>
public sealed class RunSearch
{
    private readonly RunCatalog _catalog;
    private readonly SortedDictionary<string, ParticipantHistory> _histories = new(StringComparer.Ordinal);
    private readonly ImmutableArray<string>.Builder _problems = ImmutableArray.CreateBuilder<string>();

    /// <summary>Makes one, for one search.</summary>
    public RunSearch(BackupStore store) => _catalog = new RunCatalog(store);

    /// <summary>Searches. Disk.</summary>
    /// <remarks>A run that cannot be read hides no other; it is told of as a problem.</remarks>
    /// <exception cref="BackupException">RunNotFound; ParticipantUnknown; InputInvalid: the pattern names
    /// nothing.</exception>
    public SearchOutcome Search(SearchRequest request, CancellationToken cancellation)
    {
        PathPattern pattern = PathPattern.Parse(request.Pattern);
        bool isKnown = request.Participant is null;
        foreach (BackupRun run in Runs(request.Run))
        {
            foreach (ParticipantResult participant in run.Participants)
            {
                cancellation.ThrowIfCancellationRequested();
                bool isWanted = request.Participant is null || participant.Name == request.Participant;
                isKnown |= isWanted;
                if (isWanted && !participant.Artifacts.IsEmpty)
                {
                    Search(run, participant.Name, pattern, cancellation);
                }
            }
        }
        return isKnown
            ? new SearchOutcome([.. _histories.Values.SelectMany(h => h.Entries())], _problems.ToImmutable())
            : throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"no run in {_catalog.Store.Directory} has a participant {request.Participant}");
    }

    private ImmutableArray<BackupRun> Runs(RunId? only)
    {
        if (only is RunId id)
        {
            return [_catalog.Get(id)];
        }
        ImmutableArray<BackupRun> runs = _catalog.List(int.MaxValue, before: null, out ImmutableArray<string> unreadable);
        _problems.AddRange(unreadable.Select(path => $"{path} holds no manifest that can be read"));
        return runs;
    }

    private void Search(BackupRun run, string participant, PathPattern pattern, CancellationToken cancellation)
    {
        if (!_histories.TryGetValue(participant, out ParticipantHistory? history))
        {
            history = new ParticipantHistory(participant);
            _histories.Add(participant, history);
        }
        try
        {
            ArtifactFile artifact = _catalog.Artifact(run, participant);
            if (!history.TryRepeat(artifact, run.Id))
            {
                using ListingReader listing = new(_catalog.Store, artifact);
                history.Add(artifact, new ListingSelector([pattern], artifact).Matches(listing), run.Id, cancellation);
            }
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            _problems.Add($"{participant} of run {run.Id} was not searched: {e.Message}");
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunNotFound)
        {
            // Deleted since the runs were listed: no longer one of those to search.
        }
    }

    /// <summary>What was found of one participant in the runs so far.</summary>
    private sealed class ParticipantHistory(string participant)
    {
        // In path order, so that it is merged with the matches of the next listing as two streams.
        private List<Versions> _paths = [];
        private ImmutableArray<string> _lastListing = [];
        private int _listings;

        internal IEnumerable<FoundEntry> Entries() => _paths.SelectMany(p => p.Found);

        /// <summary>Takes a run whose listing is the same as that of the run before; false when it is not.</summary>
        internal bool TryRepeat(ArtifactFile artifact, RunId run)
        {
            bool isSame = !_lastListing.IsEmpty && artifact.Listing.Select(c => c.Chunk).SequenceEqual(_lastListing);
            if (isSame)
            {
                foreach (Versions path in _paths.Where(p => p.SeenIn == _listings))
                {
                    path.Found[^1].Extend(run);
                    path.SeenIn++;
                }
                _listings++;
            }
            return isSame;
        }

        /// <summary>Takes the matches of an older run.</summary>
        internal void Add(
            ArtifactFile artifact, IEnumerable<ListingEntry> matches, RunId run, CancellationToken cancellation)
        {
            // Known again once it was read to its end; an empty listing is never repeated.
            _lastListing = [];
            List<Versions> merged = new(_paths.Count);
            int next = 0;
            _listings++;
            foreach (ListingEntry entry in matches)
            {
                cancellation.ThrowIfCancellationRequested();
                while (next < _paths.Count && ListingEntry.ComparePaths(_paths[next].Path, entry.Path) < 0)
                {
                    merged.Add(_paths[next++]);
                }
                FoundEntry found = new(participant, entry, run);
                if (next < _paths.Count && _paths[next].Path.AsSpan().SequenceEqual(entry.Path))
                {
                    _paths[next].Add(found, _listings);
                    merged.Add(_paths[next++]);
                }
                else
                {
                    merged.Add(new Versions(found, _listings));
                }
            }
            merged.AddRange(_paths.Skip(next));
            _paths = merged;
            _lastListing = [.. artifact.Listing.Select(c => c.Chunk)];
        }
    }

    /// <summary>A path and its versions, the newest first.</summary>
    private sealed class Versions
    {
        internal Versions(FoundEntry found, int listing)
        {
            Found = [found];
            SeenIn = listing;
        }

        internal List<FoundEntry> Found { get; }

        /// <summary>The number of the last listing that had the path.</summary>
        internal int SeenIn { get; set; }

        internal byte[] Path => Found[0].Path;

        internal void Add(FoundEntry older, int listing)
        {
            // Only runs that follow one another are one line: what was gone in between is told as two.
            if (SeenIn == listing - 1 && Found[^1].IsSameAs(older))
            {
                Found[^1].Extend(older.Last);
            }
            else
            {
                Found.Add(older);
            }
            SeenIn = listing;
        }
    }
}
