using System.Globalization;
using System.Runtime.InteropServices;

namespace Backupd.Micro;

/// <summary>
/// Measures what a backup spends a processor on, each alone on one thread and on data in memory: cutting, hashing,
/// compressing, and recognising unchanged files. Prints Markdown.
/// </summary>
internal static class Program
{
    // Cutting reads everything that is new and is the one step that other code does not do for us: below this it would
    // show beside hashing.
    private const double WantedChunkerGigabytes = 2.5;

    /// <returns>1 when the chunker is slower than wanted.</returns>
    private static int Main()
    {
        Say($"{Processor()}, one thread of {Environment.ProcessorCount}; best and median of {Measurement.Rounds}");
        using SampleData mixed = SampleData.Mixed();
        using SampleData random = SampleData.Random();
        Say($"mixed data: {mixed.Description}, {mixed.Chunks.Count} chunks");
        Say("");
        Say("| per core | best | median | core-seconds per GB |");
        Say("|---|---|---|---|");
        Measurement cutMixed = ContentCases.Cut(mixed);
        Measurement cutRandom = ContentCases.Cut(random);
        Report("cut, mixed data", cutMixed);
        Report("cut, random data", cutRandom);
        Report("SHA-256", ContentCases.Hash(mixed));
        using CompressedData compressed = new(mixed);
        Report("zstd, compress", compressed.Compress());
        Report("zstd, decompress", compressed.Decompress());
        Say("");
        Say(string.Create(CultureInfo.InvariantCulture, $"compressed {compressed.Ratio:F2} to 1"));
        Say("");
        Say("| lines of a listing, per core | best | median | core-seconds per million files |");
        Say("|---|---|---|---|");
        ListingCases listing = new(200_000);
        ReportLines("recognise an unchanged file", listing.Match());
        ReportLines("parse its line", listing.Parse());
        Say("");
        double slower = Math.Min(cutMixed.Best, cutRandom.Best) / 1e9;
        bool met = slower >= WantedChunkerGigabytes;
        Say(string.Create(
            CultureInfo.InvariantCulture,
            $"chunker: {slower:F2} GB/s, at least {WantedChunkerGigabytes:F1} wanted: {(met ? "met" : "MISSED")}"));
        return met ? 0 : 1;
    }

    private static void Report(string what, Measurement bytes) => Say(string.Create(
        CultureInfo.InvariantCulture,
        $"| {what} | {bytes.Best / 1e9:F2} GB/s | {bytes.Median / 1e9:F2} GB/s | {1e9 / bytes.Best:F2} |"));

    private static void ReportLines(string what, Measurement lines) => Say(string.Create(
        CultureInfo.InvariantCulture,
        $"| {what} | {lines.Best / 1e6:F2} million/s | {lines.Median / 1e6:F2} million/s | {1e6 / lines.Best:F2} |"));

    private static void Say(string line) => Console.WriteLine(line);

    // Processors of arm64 tell no name.
    private static string Processor() =>
        File.ReadLines("/proc/cpuinfo")
            .Where(l => l.StartsWith("model name", StringComparison.Ordinal))
            .Select(l => l[(l.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim())
            .FirstOrDefault() ?? RuntimeInformation.OSArchitecture.ToString();
}
