using System.Diagnostics;

namespace Backupd.Micro;

/// <summary>How fast something was, in units a second.</summary>
/// <param name="Best">The fastest round: what the code can do when nothing else wants the processor.</param>
/// <param name="Median">The middle one; far below the best when the machine was busy.</param>
internal sealed record Measurement(double Best, double Median)
{
    /// <summary>Rounds that are timed, after one that warms up. Odd, so that one is in the middle.</summary>
    internal const int Rounds = 7;

    /// <summary>Times some work again and again.</summary>
    /// <param name="units">Bytes or lines that one round goes through.</param>
    /// <param name="work">One round; returns the units that it went through.</param>
    /// <exception cref="InvalidOperationException">A round did something else than it was meant to do.</exception>
    internal static Measurement Of(long units, Func<long> work)
    {
        double[] rates = new double[Rounds];
        for (int round = -1; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            long done = work();
            TimeSpan took = Stopwatch.GetElapsedTime(start);
            if (done != units)
            {
                throw new InvalidOperationException($"{done} of {units} units were done: what was measured is not the work");
            }
            if (round >= 0)
            {
                rates[round] = units / took.TotalSeconds;
            }
        }
        Array.Sort(rates);
        return new Measurement(rates[^1], rates[Rounds / 2]);
    }
}
