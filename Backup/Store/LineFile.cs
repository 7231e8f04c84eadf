using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>A small file with a fact a line, for its owner alone. Any number of threads and processes may read it, who always
/// meet it whole, and add to it. Every member touches the disk.</summary>
internal sealed class LineFile
{
    private const int Exclusive = 2;

    /// <param name="path">Absolute; neither the file nor its directory has to be there.</param>
    internal LineFile(string path) => Path = path;

    /// <summary>The file.</summary>
    internal string Path { get; }

    /// <summary>The lines, without white space around them; none when there is no file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal string[] Read()
    {
        try
        {
            return [.. File.ReadAllLines(Path).Select(l => l.Trim()).Where(l => l.Length > 0)];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>Adds a line, durably.</summary>
    /// <param name="line">Without line breaks, and without white space around it.</param>
    /// <returns>False when it was there already.</returns>
    /// <exception cref="IOException">The file is as it was.</exception>
    internal bool Add(string line)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!, ChunkTree.DirectoryMode);
        // From the reading to the renaming: what another adds meanwhile would be lost.
        using SafeFileHandle turn = TakeTurn();
        string[] known = Read();
        if (known.Contains(line))
        {
            return false;
        }
        DurableFile.Write(Path, string.Concat(known.Append(line).Select(l => l + "\n")));
        return true;
    }

    // A file of its own, because the one with the lines is another one after each change. The kernel gives the turn back.
    private SafeFileHandle TakeTurn()
    {
        byte[] path = Posix.Terminated(Path + ".lock");
        SafeFileHandle turn = Posix.Open(
            Posix.CurrentDirectory, path, Posix.WriteOnly | Posix.Create | Posix.NoFollow, 0b110_000_000);
        while (Libc.Flock(Posix.Number(turn), Exclusive) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Errno.Interrupted)
            {
                turn.Dispose();
                throw new PosixException("lock", Path + ".lock", error);
            }
        }
        return turn;
    }
}
