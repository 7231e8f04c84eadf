using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Starts a dump program as another account. The daemon runs itself with this hidden verb as a child, which gives up
/// its rights and becomes the program: posix_spawn has no way to take another identity.
/// </summary>
public static class RunAs
{
    /// <summary>The hidden verb.</summary>
    public const string Verb = "__run-as";

    /// <summary>Becomes the program. Returns, with an exit code and a sentence on standard error, only when that fails.</summary>
    /// <param name="arguments">The verb, the account, the program and its arguments.</param>
    public static int Execute(IReadOnlyList<string> arguments)
    {
        if (arguments.Count < 3)
        {
            return Fail($"{Verb} needs an account and a program");
        }
        string error = Accounts.BecomeAndExecute(arguments[1], [.. arguments.Skip(2)]);
        return Fail(error);
    }

    private static int Fail(string text)
    {
        Posix.WriteFully(2, System.Text.Encoding.UTF8.GetBytes(text + "\n"), "standard error");
        return 127;
    }
}
