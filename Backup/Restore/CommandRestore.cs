using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Gives a dump back to the program that takes it.</summary>
internal sealed class CommandRestore(CommandParticipant command, InPlaceItem item, InPlaceContext context)
{
    // A pipe takes no more at a time.
    private const int ZerosAtATime = 64 * 1024;

    private readonly RestoreTally _tally = new();
    private readonly ChangeList _changes = new(context.MaxChanges);
    private byte[] _piece = [];
    private long _zeros;

    /// <summary>Restores, or tells what would be done.</summary>
    /// <exception cref="IOException">There is no program for it; or it failed, took too long or did not read everything.
    /// </exception>
    /// <exception cref="BackupException">RunDamaged: the program was ended before it had read everything.</exception>
    internal RestoreFigures Run()
    {
        string target = ParticipantRestore.Target(command);
        if (FileRestore.SingleEntry(context.Store, item.Wanted) is not ListingEntry dump)
        {
            // The safety run of a restore that could not give anything back. There is nothing to undo.
            return _tally.Figures(_changes, target);
        }
        if (!ParticipantRestore.IsPossible(command))
        {
            throw new IOException("restore callback is not registered");
        }
        if (context.IsDryRun)
        {
            context.Advance(0, dump.Size);
        }
        else
        {
            Give(dump);
        }
        _tally.AddBytes(dump.Size);
        _changes.Add(RestoreChangeKind.Rewrite, target);
        context.Advance(1, 0);
        return _tally.Figures(_changes, target);
    }

    private void Give(ListingEntry dump)
    {
        using ContentReader content = new(context.Store);
        using IEnumerator<Segment> segments = dump.Segments.AsEnumerable().GetEnumerator();
        ProgramRun program = new()
        {
            Argv = command.RestoreArgv,
            User = command.User,
            Timeout = command.Timeout,
            Time = context.Time,
            Tick = () => Advance(0),
            Cancellation = context.Cancellation,
            Input = () => Next(dump, segments, content),
            InputBytes = dump.Size,
        };
        program.Run(Discard);
    }

    // Every chunk is hashed before a byte of it is given away.
    private ReadOnlyMemory<byte> Next(ListingEntry dump, IEnumerator<Segment> segments, ContentReader content)
    {
        if (_zeros == 0)
        {
            if (!segments.MoveNext())
            {
                return default;
            }
            if (!segments.Current.IsHole)
            {
                ReadOnlySpan<byte> chunk = content.Read(segments.Current, dump);
                // Of the largest size at once: the next one may be larger than this one.
                _piece = _piece.Length >= chunk.Length ? _piece : new byte[Chunker.MaxBytes];
                chunk.CopyTo(_piece);
                Advance(chunk.Length);
                return _piece.AsMemory(0, chunk.Length);
            }
            _zeros = segments.Current.Length;
        }
        int count = (int)Math.Min(_zeros, ZerosAtATime);
        _zeros -= count;
        Advance(count);
        return new byte[count];
    }

    // What is cancelled is asked to end before it is made to: progress must not throw in between.
    private void Advance(long bytes)
    {
        if (!context.Cancellation.IsCancellationRequested)
        {
            context.Advance(0, bytes);
        }
    }

    // What it prints is for nobody; a full pipe would stop it.
    private static void Discard(ChildProcess child)
    {
        Span<byte> buffer = stackalloc byte[4096];
        _ = child.ReadOutput(buffer);
    }
}
