using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Copies of a database in the store, where nobody else looks at them. Removed at the end. One thread.</summary>
internal sealed class DatabaseScratch : IDisposable
{
    private readonly InPlaceContext _context;
    private readonly string _file;

    internal DatabaseScratch(string name, InPlaceContext context)
    {
        _context = context;
        _file = Path.Combine(context.ScratchDirectory, $"{name}.db");
    }

    /// <summary>Writes a stored database, every chunk of it hashed before, and has SQLite check it.</summary>
    /// <param name="entry">The database.</param>
    /// <param name="content">Gives its bytes.</param>
    /// <param name="advance">Told bytes that were written.</param>
    /// <returns>The path of the copy; valid until the next call.</returns>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal string Write(ListingEntry entry, ContentReader content, Action<long> advance)
    {
        Clear();
        using (FileStream file = new(_file, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            content.CopyTo(
                entry,
                bytes =>
                {
                    file.Write(bytes);
                    advance(bytes.Length);
                },
                _context.Cancellation);
        }
        string problem = new SqliteCopy(_file, _file, _context.Time, _context.Cancellation).CheckIntegrity();
        return problem.Length == 0
            ? _file
            : throw new BackupException(BackupFault.RunDamaged, $"integrity_check of the database that was stored: {problem}");
    }

    /// <summary>Copies a live database and hashes the copy.</summary>
    /// <param name="live">The database.</param>
    /// <param name="size">The size of what it will be compared with.</param>
    /// <returns>Its <see cref="DatabaseHash"/>; null when its size is another.</returns>
    /// <exception cref="UnusableDatabaseException">It is none.</exception>
    internal byte[]? Take(string live, long size)
    {
        Clear();
        new SqliteCopy(live, _file, _context.Time, _context.Cancellation).Run((_, _) => _context.Advance(0, 0));
        if (new FileInfo(_file).Length != size)
        {
            return null;
        }
        using DatabaseHash hash = new();
        using FileStream file = new(_file, FileMode.Open, FileAccess.Read);
        byte[] buffer = new byte[1024 * 1024];
        int count;
        while ((count = file.Read(buffer)) > 0)
        {
            _context.Advance(0, 0);
            hash.Append(buffer.AsSpan(0, count));
        }
        return hash.Finish();
    }

    /// <summary>The same of a stored database.</summary>
    internal byte[] Hash(ListingEntry entry, ContentReader content)
    {
        using DatabaseHash hash = new();
        content.CopyTo(entry, hash.Append, _context.Cancellation);
        return hash.Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(_context.ScratchDirectory))
        {
            File.Delete(_file);
        }
    }

    private void Clear()
    {
        Directory.CreateDirectory(
            _context.ScratchDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Delete(_file);
    }
}
