using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Measures participants on a thread of its own until it is disposed.</summary>
/// <remarks>Where sizes of an earlier run stand in, it waits a little first: most runs change little and end before a
/// second walk over the same trees could tell anything.</remarks>
internal sealed class SizeCount : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;

    /// <param name="participants">What to measure, in this order.</param>
    /// <param name="store">The store, which is left out.</param>
    /// <param name="areKnown">Whether every size is known from an earlier run.</param>
    /// <param name="measured">Told each index and size, on the counting thread.</param>
    internal SizeCount(
        ImmutableArray<ParticipantDefinition> participants, BackupStore store, bool areKnown,
        Action<int, SourceSize> measured)
    {
        CancellationToken stop = _stop.Token;
        _thread = new Thread(() =>
        {
            if (areKnown)
            {
                stop.WaitHandle.WaitOne(Patience);
            }
            for (int i = 0; i < participants.Length && !stop.IsCancellationRequested; i++)
            {
                // A count that was cut short is no count.
                if (SourceSize.Measure(participants[i], store, stop) is SourceSize size && !stop.IsCancellationRequested)
                {
                    measured(i, size);
                }
            }
        })
        { Name = "count", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Ends the count and waits for the thread, unless a file system holds it that does not answer: it tells nothing
    /// any more and closes what it has open when it goes on.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join(Patience);
        _stop.Dispose();
    }
}
