using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// The endpoints of a store: <c>state/endpoints.json</c>, which holds their passwords and is for its owner alone. Every member
/// reads the file, so that one that was mended by hand counts at once. Safe from any thread; every member touches the disk.
/// </summary>
public sealed class EndpointList
{
    /// <summary>How many there may be.</summary>
    public const int MaxEndpoints = 100;

    private readonly BackupStore _store;

    // Those that change it wait for each other, the disk included, so that no change is lost. Readers never do: the file is
    // replaced as a whole.
    private readonly Lock _changing = new();

    /// <summary>Makes a list; touches nothing.</summary>
    public EndpointList(BackupStore store) => _store = store;

    private string Place => Path.Combine(_store.StateDirectory, "endpoints.json");

    /// <summary>Every endpoint, by name, ordinal.</summary>
    /// <exception cref="BackupException">Io, StoreInvalid: the file cannot be read; names it.</exception>
    public ImmutableArray<Endpoint> All() => [.. Read()];

    /// <summary>One endpoint.</summary>
    /// <exception cref="BackupException">EndpointNotFound, and as <see cref="All"/>.</exception>
    public Endpoint Get(string name)
    {
        Endpoint[] present = Read();
        return present[Find(present, name)];
    }

    /// <summary>Adds one, durably. Stars for its password mean none: there is none to keep.</summary>
    /// <param name="change">What it is; defaults for the rest.</param>
    /// <param name="permit">Shown what would be added, before anything is written; throws what refuses it. Null to permit
    /// everything.</param>
    /// <returns>What was added.</returns>
    /// <exception cref="BackupException">InputInvalid (the sentence begins with the member), EndpointExists, and as
    /// <see cref="All"/>.</exception>
    public Endpoint Add(EndpointChange change, Action<Endpoint>? permit = null)
    {
        Endpoint added = change.ToEndpoint();
        EndpointRules.CheckMembers(added);
        permit?.Invoke(added);
        EndpointRules.CheckWhole(added, _store.Directory);
        lock (_changing)
        {
            Endpoint[] present = Read();
            if (Array.Exists(present, e => e.Name == added.Name))
            {
                throw new BackupException(
                    BackupFault.EndpointExists, $"there is an endpoint {added.Name} already",
                    $"change it with: backupd endpoint set {added.Name}");
            }
            if (present.Length >= MaxEndpoints)
            {
                throw new BackupException(
                    BackupFault.InputInvalid, $"name must be one of the {MaxEndpoints} that there are: there may be no more");
            }
            Write([.. present, added]);
        }
        return added;
    }

    /// <summary>Changes the given members of one, durably.</summary>
    /// <param name="change">What is to be different.</param>
    /// <param name="permit">Shown what it is and then what it would be, before anything is written; throws what refuses it.
    /// Null to permit everything.</param>
    /// <returns>What it is now.</returns>
    /// <exception cref="BackupException">InputInvalid (the sentence begins with the member), EndpointNotFound, PasswordRequired,
    /// and as <see cref="All"/>.</exception>
    public Endpoint Update(EndpointChange change, Action<Endpoint>? permit = null)
    {
        EndpointRules.CheckMembers(change.ToEndpoint());
        lock (_changing)
        {
            Endpoint[] present = Read();
            int at = Find(present, change.Name);
            Endpoint before = present[at];
            Endpoint after = change.ApplyTo(before);
            permit?.Invoke(before);
            permit?.Invoke(after);
            CheckPassword(change, before, after);
            EndpointRules.CheckWhole(after, _store.Directory);
            present[at] = after;
            Write(present);
            return after;
        }
    }

    /// <summary>Removes one, durably. What is stored there stays there.</summary>
    /// <returns>What was removed.</returns>
    /// <exception cref="BackupException">EndpointNotFound, and as <see cref="All"/>.</exception>
    public Endpoint Delete(string name)
    {
        lock (_changing)
        {
            Endpoint[] present = Read();
            int at = Find(present, name);
            Write([.. present[..at], .. present[(at + 1)..]]);
            Forget(name);
            return present[at];
        }
    }

    // Whoever may change an endpoint but does not know its password must not learn it by having it sent to another place,
    // in another name or to whoever has another certificate.
    private static void CheckPassword(EndpointChange change, Endpoint before, Endpoint after)
    {
        string changed = after.Host != before.Host ? "host"
            : after.Login != before.Login ? "login"
            : after.TlsFingerprint != before.TlsFingerprint ? "tls_fingerprint"
            : "";
        if (changed.Length > 0 && change.KeepsPassword && before.Password.Length > 0)
        {
            throw new BackupException(
                BackupFault.PasswordRequired,
                $"the password of {before.Name} was given for another {changed}: it has to be given again",
                "backupd endpoint set takes it from --password-file, or forgets it with --no-password");
        }
    }

    private static int Find(Endpoint[] present, string name)
    {
        int at = Array.FindIndex(present, e => e.Name == name);
        return at >= 0 ? at : throw new BackupException(
            BackupFault.EndpointNotFound,
            $"there is no endpoint {name}",
            present.Length > 0 ? $"there are: {string.Join(", ", Array.ConvertAll(present, e => e.Name))}" : "");
    }

    private Endpoint[] Read()
    {
        byte[] json;
        try
        {
            json = File.ReadAllBytes(Place);
        }
        catch (FileNotFoundException)
        {
            // None was ever added. A state directory that is missing is another thing, and an error.
            return [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io, $"the list of endpoints, {Place}, cannot be read: {e.Message}", inner: e);
        }
        return Sorted(EndpointFile.Parse(json, Place));
    }

    private void Write(Endpoint[] endpoints)
    {
        try
        {
            DurableFile.Write(Place, EndpointFile.ToBytes(Sorted(endpoints)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io, $"the list of endpoints, {Place}, was not written: {e.Message}", inner: e);
        }
    }

    // Another one of this name is another place.
    private void Forget(string name)
    {
        try
        {
            new ServerState(_store, name).Forget();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io, $"{name} was removed, but what was remembered of it was not: {e.Message}", inner: e);
        }
    }

    private static Endpoint[] Sorted(Endpoint[] endpoints)
    {
        Array.Sort(endpoints, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return endpoints;
    }
}
