namespace Backupd.Backup.Store;

/// <summary>Sums that stay at the largest number: a sparse file alone may have that size, and a record may say
/// anything.</summary>
internal static class CappedSum
{
    /// <summary>The sum of numbers that are not negative.</summary>
    internal static long SumCapped<T>(this IEnumerable<T> items, Func<T, long> number)
    {
        long sum = 0;
        foreach (T item in items)
        {
            sum = Add(sum, number(item));
        }
        return sum;
    }

    /// <summary>The same of two, of which the second may take something back.</summary>
    internal static long Add(long a, long b) => b > 0 && a > long.MaxValue - b ? long.MaxValue : a + b;
}
