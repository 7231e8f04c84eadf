using System.Diagnostics;
using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>
/// Decides by measuring whether files are written around the page cache. On a disk that takes them at once that saves a
/// copy and the memory; a disk that seeks for each, or a network, is better served by the kernel, which collects and sorts.
/// Safe from any number of threads.
/// </summary>
internal sealed class DirectWrites
{
    // Judged after so many bytes. Hard disks stay below the rate when each chunk is a seek, solid ones are far above.
    private const long TrialBytes = 8 * 1024 * 1024;
    private const double MinBytesPerSecond = 50e6;

    private long _bytes;
    private long _ticks;

    // Only ever goes from true to false.
    private volatile bool _isWorthIt = true;

    internal bool IsWorthIt => _isWorthIt;

    /// <summary>Takes a measurement.</summary>
    /// <param name="bytes">What was written.</param>
    /// <param name="started">The <see cref="Stopwatch"/>'s time before.</param>
    internal void Measure(long bytes, long started)
    {
        long ticks = Interlocked.Add(ref _ticks, Stopwatch.GetTimestamp() - started);
        bytes = Interlocked.Add(ref _bytes, bytes);
        if (bytes > TrialBytes && bytes / ((double)ticks / Stopwatch.Frequency) < MinBytesPerSecond)
        {
            _isWorthIt = false;
        }
    }

    /// <summary>Writes a whole file so if that pays; false when it does not and nothing was written.</summary>
    /// <inheritdoc cref="DirectFile.TryWrite"/>
    internal bool TryWrite(int file, NativeBuffer buffer, int length, string display)
    {
        if (!_isWorthIt)
        {
            return false;
        }
        long started = Stopwatch.GetTimestamp();
        if (!DirectFile.TryWrite(file, buffer, length, display))
        {
            return false;
        }
        Measure(length, started);
        return true;
    }
}
