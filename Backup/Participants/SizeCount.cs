using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Measures participants on a thread of its own until it is disposed.</summary>
internal sealed class SizeCount : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;

    /// <param name="participants">What to measure, in this order.</param>
    /// <param name="store">The store, which is left out.</param>
    /// <param name="measured">Told each index and size, on the counting thread.</param>
    internal SizeCount(
        ImmutableArray<ParticipantDefinition> participants, BackupStore store, Action<int, SourceSize> measured)
    {
        CancellationToken stop = _stop.Token;
        _thread = new Thread(() =>
        {
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

    /// <summary>Ends the count and waits for the thread.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _stop.Dispose();
    }
}
