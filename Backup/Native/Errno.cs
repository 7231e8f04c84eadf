namespace Backupd.Backup.Native;

/// <summary>Error numbers of Linux that the engine tells apart; the same on x86-64 and arm64.</summary>
internal static class Errno
{
    internal const int Perm = 1;
    internal const int NoEntry = 2;
    internal const int NoProcess = 3;
    internal const int Interrupted = 4;
    internal const int Io = 5;
    internal const int NoDeviceOrAddress = 6;
    internal const int TooLong = 7;
    internal const int TryAgain = 11;
    internal const int Access = 13;
    internal const int Busy = 16;
    internal const int Exists = 17;
    internal const int NotDirectory = 20;
    internal const int IsDirectory = 21;
    internal const int Invalid = 22;
    internal const int FileTooBig = 27;
    internal const int NoSpace = 28;
    internal const int ReadOnly = 30;
    internal const int BrokenPipe = 32;
    internal const int Range = 34;
    internal const int NameTooLong = 36;
    internal const int NoSystemCall = 38;
    internal const int NotEmpty = 39;
    internal const int TooManyLinks = 40;
    internal const int NoData = 61;
    internal const int Overflow = 75;
    internal const int NotSupported = 95;
    internal const int QuotaExceeded = 122;
}
