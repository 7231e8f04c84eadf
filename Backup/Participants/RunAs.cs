using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Starts a program as another account, or one that takes a dump back. The daemon runs itself with a hidden verb as a child,
/// which gives up its rights, or has an <see cref="InputGuard"/> started, and becomes the program: posix_spawn has no way to do
/// either.
/// </summary>
public static class RunAs
{
    /// <summary>The hidden verb for an account.</summary>
    public const string Verb = "__run-as";

    /// <summary>The hidden verb for a program that is given something; the account may be empty.</summary>
    public const string FeedVerb = "__feed";

    /// <summary>The hidden verb of the guard.</summary>
    public const string GuardVerb = "__guard";

    private const string Stay = "stay";

    /// <summary>This program, to be started once more.</summary>
    internal static string Program { get; set; } = Environment.ProcessPath!;

    /// <summary>Whether arguments are for <see cref="Execute"/>.</summary>
    public static bool IsMeant(IReadOnlyList<string> arguments) =>
        arguments.Count > 0 && arguments[0] is Verb or FeedVerb or GuardVerb;

    /// <summary>Becomes the program. Returns, with an exit code and a sentence on standard error, only when that fails; and at
    /// the end of a guard.</summary>
    /// <param name="arguments">The verb, the account, the program and its arguments.</param>
    public static int Execute(IReadOnlyList<string> arguments)
    {
        if (arguments[0] == GuardVerb)
        {
            return Guard(isStaying: arguments.Count > 1 && arguments[1] == Stay);
        }
        if (arguments.Count < 3)
        {
            return Fail($"{arguments[0]} needs an account and a program");
        }
        if (arguments[0] == FeedVerb)
        {
            // Before rights are given up: it has to be able to end whatever the program becomes.
            string failure = InputGuard.Start([Program, GuardVerb]);
            if (failure.Length > 0)
            {
                return Fail(failure);
            }
        }
        string[] argv = [.. arguments.Skip(2)];
        return Fail(arguments[1].Length == 0 ? Accounts.Execute(argv) : Accounts.BecomeAndExecute(arguments[1], argv));
    }

    // Started by one that ends at once, so that the program has no child that it knows nothing of.
    private static int Guard(bool isStaying)
    {
        if (isStaying)
        {
            InputGuard.Stand();
            return 0;
        }
        return ChildProcess.SpawnBeside([Program, GuardVerb, Stay], out _) == 0 ? 0 : 1;
    }

    private static int Fail(string text)
    {
        Posix.WriteFully(2, System.Text.Encoding.UTF8.GetBytes(text + "\n"), "standard error");
        return 127;
    }
}
