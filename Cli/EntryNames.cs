using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;

namespace Backupd.Cli;

/// <summary>Entries of runs as people and scripts are shown them: the same in every verb.</summary>
internal static class EntryNames
{
    /// <summary><c>PARTICIPANT/path</c> for people.</summary>
    internal static string Shown(string participant, byte[] path) =>
        Units.Printable(path.Length == 0 ? participant : $"{participant}/{Encoding.UTF8.GetString(path)}");

    /// <summary>Writes <c>path</c>, or <c>path_b64</c> where it is not UTF-8.</summary>
    internal static void WritePath(Utf8JsonWriter json, byte[] path) => WriteBytes(json, "path", path);

    /// <summary>Writes path, type, mode, owner, size and time, and what a symbolic link says, as listings name
    /// them.</summary>
    internal static void WriteMembers(Utf8JsonWriter json, ListingEntry entry)
    {
        WritePath(json, entry.Path);
        json.WriteString("type", ListingLineWriter.TypeText(entry.Type));
        json.WriteString("mode", Convert.ToString(entry.Mode, 8).PadLeft(4, '0'));
        json.WriteNumber("uid", entry.Uid);
        json.WriteNumber("gid", entry.Gid);
        json.WriteNumber("size", entry.Size);
        json.WriteString("mtime", entry.Mtime.ToString());
        if (entry.Type == EntryType.Symlink)
        {
            WriteBytes(json, "target", entry.Target);
        }
    }

    private static void WriteBytes(Utf8JsonWriter json, string member, byte[] bytes)
    {
        if (Utf8.IsValid(bytes))
        {
            json.WriteString(member, bytes);
        }
        else
        {
            json.WriteBase64String(member + "_b64", bytes);
        }
    }
}
