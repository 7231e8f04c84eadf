using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>Accounts of the system.</summary>
internal static unsafe partial class Accounts
{
    private const string Library = "libc";
    private const int BrokenPipe = 13;

    /// <summary>The user that this process acts as.</summary>
    internal static uint EffectiveUserId => Libc.GetEffectiveUserId();

    /// <summary>A group's number by its name; null when there is no such group.</summary>
    internal static uint? GroupId(string group)
    {
        fixed (byte* name = Posix.Terminated(group))
        {
            GroupEntry* entry = GetGroupEntry(name);
            return entry is null ? null : entry->Gid;
        }
    }

    /// <summary>Gives a path to a group; returns the error number, 0 when it is done.</summary>
    internal static int TrySetGroup(string path, uint gid)
    {
        fixed (byte* name = Posix.Terminated(path))
        {
            // The owner, -1, stays.
            return Libc.FchownAt(Posix.CurrentDirectory, name, uint.MaxValue, gid, 0) == 0
                ? 0
                : Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Takes an account's identity for good and becomes a program. Returns only on failure, with the reason.</summary>
    internal static string BecomeAndExecute(string account, IReadOnlyList<string> argv)
    {
        PasswordEntry* entry;
        fixed (byte* name = Posix.Terminated(account))
        {
            entry = GetPasswordEntry(name);
            if (entry is null)
            {
                return $"there is no account named {account}";
            }
            // Programs look there for passwords of databases, keys and the like. First: later calls may use the entry's place.
            SetVariable("HOME\0"u8, entry->Home);
            SetVariable("USER\0"u8, entry->Name);
            SetVariable("LOGNAME\0"u8, entry->Name);
            // Groups first: afterwards there is no right left to change them.
            (uint uid, uint gid) = (entry->Uid, entry->Gid);
            if (InitGroups(name, gid) != 0 || SetGid(gid) != 0 || SetUid(uid) != 0)
            {
                return PosixException.Last("become", account).Message;
            }
        }
        return Execute(argv);
    }

    private static void SetVariable(ReadOnlySpan<byte> terminated, nint value)
    {
        fixed (byte* name = terminated)
        {
            // Fails only without memory, and then the program starts without it.
            _ = SetEnvironmentVariable(name, value, overwrite: 1);
        }
    }

    /// <summary>Becomes a program. Returns only on failure, with the reason.</summary>
    internal static string Execute(IReadOnlyList<string> argv)
    {
        // The runtime ignores this one, and what is ignored stays so.
        _ = SetHandler(BrokenPipe, 0);
        nint* arguments = (nint*)NativeMemory.AllocZeroed((nuint)(argv.Count + 1), (nuint)sizeof(nint));
        for (int i = 0; i < argv.Count; i++)
        {
            arguments[i] = Marshal.StringToCoTaskMemUTF8(argv[i]);
        }
        _ = ExecutePath(arguments[0], arguments);
        return PosixException.Last("start", argv[0]).Message;
    }

    /// <summary>struct passwd, as far as it is used.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PasswordEntry
    {
        internal nint Name;
        internal nint Password;
        internal uint Uid;
        internal uint Gid;
        internal nint RealName;
        internal nint Home;
    }

    /// <summary>struct group, as far as it is used.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct GroupEntry
    {
        internal nint Name;
        internal nint Password;
        internal uint Gid;
    }

    [LibraryImport(Library, EntryPoint = "getgrnam", SetLastError = true)]
    private static partial GroupEntry* GetGroupEntry(byte* name);

    [LibraryImport(Library, EntryPoint = "getpwnam", SetLastError = true)]
    private static partial PasswordEntry* GetPasswordEntry(byte* name);

    [LibraryImport(Library, EntryPoint = "initgroups", SetLastError = true)]
    private static partial int InitGroups(byte* name, uint gid);

    [LibraryImport(Library, EntryPoint = "setgid", SetLastError = true)]
    private static partial int SetGid(uint gid);

    [LibraryImport(Library, EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    [LibraryImport(Library, EntryPoint = "setuid", SetLastError = true)]
    private static partial int SetUid(uint uid);

    // Of this process alone, which becomes another at once.
    [LibraryImport(Library, EntryPoint = "setenv")]
    private static partial int SetEnvironmentVariable(byte* name, nint value, int overwrite);

    [LibraryImport(Library, EntryPoint = "execvp", SetLastError = true)]
    private static partial int ExecutePath(nint file, nint* arguments);
}
