namespace Backupd.Cli.Terminal;

/// <summary>What is known of the terminal at standard error.</summary>
public static class ScreenInfo
{
    /// <summary>Bars on a terminal, lines elsewhere.</summary>
    public static ProgressMode DefaultMode =>
        Console.IsErrorRedirected || Environment.GetEnvironmentVariable("TERM") == "dumb"
            ? ProgressMode.Plain
            : ProgressMode.Tty;

    /// <summary>The shape of the terminal now.</summary>
    /// <param name="noColor">Whether colours were refused on the command line; NO_COLOR refuses them too
    /// (https://no-color.org).</param>
    public static TerminalShape Shape(bool noColor)
    {
        int columns = 80;
        int rows = 24;
        try
        {
            if (!Console.IsErrorRedirected || !Console.IsOutputRedirected)
            {
                columns = Console.WindowWidth > 0 ? Console.WindowWidth : columns;
                rows = Console.WindowHeight > 0 ? Console.WindowHeight : rows;
            }
        }
        catch (IOException)
        {
            // A terminal that does not tell its size gets the usual one.
        }
        bool refused = noColor || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return new TerminalShape(columns, rows, !IsUtf8(), !refused && !Console.IsErrorRedirected);
    }

    /// <summary>Whether no other characters may be used.</summary>
    internal static bool IsAscii => !IsUtf8();

    private static bool IsUtf8()
    {
        // The order in which the C library looks for the character set (locale(7)).
        foreach (string name in (string[])["LC_ALL", "LC_CTYPE", "LANG"])
        {
            string? value = Environment.GetEnvironmentVariable(name);
            if (!string.IsNullOrEmpty(value))
            {
                return value.Contains("UTF-8", StringComparison.OrdinalIgnoreCase)
                    || value.Contains("utf8", StringComparison.OrdinalIgnoreCase);
            }
        }
        return false;
    }
}
