using System.Text.Encodings.Web;
using System.Text.Json;

namespace Backupd.Cli.Configuration;

/// <summary>The commented configuration that <c>backupd init</c> writes.</summary>
internal static class ConfigurationTemplate
{
    /// <summary>What is surely there and worth a backup: the system's configuration for root, the documents for everybody
    /// else.</summary>
    /// <param name="isRoot">Whose machine it is.</param>
    /// <param name="home">The home directory; "" when unknown.</param>
    /// <returns>Name and directory; null when nothing is sure.</returns>
    internal static (string Name, string Directory)? Sure(bool isRoot, string home)
    {
        (string Name, string Directory) found = isRoot ? ("etc", "/etc") : ("documents", Path.Combine(home, "Documents"));
        return Path.IsPathRooted(found.Directory) && Directory.Exists(found.Directory) ? found : null;
    }

    /// <summary>The file's text. Everything in it that is commented out can be taken in as it stands.</summary>
    /// <param name="defaults">Where things are.</param>
    /// <param name="sure">A first participant; null for none.</param>
    internal static string Text(DaemonConfiguration defaults, (string Name, string Directory)? sure)
    {
        string participant = sure is (string name, string directory)
            ? $"{Json(name)}: {{ \"directory\": {Json(directory)}, \"exclude\": [\"*.bak\", \"*.tmp\"] }},"
            : "// \"documents\": { \"directory\": \"/home/me/Documents\", \"exclude\": [\"*.bak\", \"*.tmp\"] },";
        // A schedule without anything to back up would fail every night.
        string comment = sure is null ? "// " : "";
        return $$"""
            // The configuration of backupd: JSON with comments and trailing commas. It is read when the daemon starts, and
            // again on SIGHUP. Every key: backupd config keys. Is it right? backupd config check
            {
              // The directory that holds the backups; best on another disk than what is backed up.
              "store": {{Json(defaults.Store)}},

              "listen": {
                // For programs of this machine. Root and the daemon's own user need no token there.
                "socket": {{Json(defaults.Socket)}},
                // Nor does this group, which must exist.
                // "group": "backupd",

                // For everybody else, with a token: backupd token new. "" for none.
                "tcp": {{Json(defaults.Tcp!.ToString())}},
                // TLS and plain share the port; elsewhere than on a loopback address only TLS is spoken.
                "tls": "auto",
                // "hosts": ["backup.example.org"],
              },

              // What is backed up, each under a name of its own. When a critical one fails (all are, unless they say
              // otherwise), the run fails.
              "participants": {
                {{participant}}
                // A directory tree; patterns as in .gitignore. "restoreDelete": true lets a restore in place remove what the
                // backup does not have.
                // "www": { "directory": "/var/www", "exclude": ["cache/", "*.log"], "unreadable": "warn" },
                // One file.
                // "hosts": { "file": "/etc/hosts" },
                // A live SQLite database, copied while others write to it.
                // "app": { "sqlite": "/srv/app/app.db" },
                // What a program prints; no shell is involved.
                // "pg": { "command": ["pg_dump", "-Fc", "shop"], "user": "postgres", "timeout": "30m", "critical": false },
                // The same with a way back into place: what a program reads on its standard input.
                // "crm": { "command": ["pg_dump", "-Fc", "crm"], "restoreCommand": ["pg_restore", "-c", "-d", "crm"] },
                // Programs before and after.
                // "wiki": { "directory": "/srv/wiki", "before": ["/usr/local/bin/freeze"], "after": ["/usr/local/bin/thaw"] },
              },

              // When backups begin by themselves: minute hour day month weekday, in this host's time zone.
              // Try one out: backupd schedule test '30 2 * * *'
              "schedules": [
                {{comment}}{ "cron": "30 2 * * *", "jitter": "10m", "catchUp": true },
                // { "cron": "@hourly", "participants": [{{Json(sure?.Name ?? "documents")}}] },
              ],

              // When the next good full run is late, for monitoring: two hours after the schedules have asked for it. Or say how
              // old the last one may be, such as "26h", or "off".
              "overdue": "auto",

              // What stays after a successful run. The last good run always does, and so do pinned ones.
              "keep": { "last": 3, "daily": 7, "weekly": 4, "monthly": 6 },

              // Copies that other machines keep here: a store for each login, which also may have "appendOnly" and "quota".
              // "vault": { "path": "/srv/vault", "logins": { "web1": { "passwordFile": "/etc/backupd/web1.password" } } },

              // Who is told how runs end, and that one has not come. Try them out: backupd notify test
              // "notify": {
              //   "chat": { "webhook": "https://chat.example.org/hooks/backups", "on": ["failed", "partial", "overdue"] },
              //   "watcher": { "ping": "/etc/backupd/ping-address" },
              //   "phone": { "ntfy": "https://ntfy.example.org/backups", "tokenFile": "/etc/backupd/ntfy.token" },
              //   "mail": { "command": ["/usr/local/bin/mail-backup-state"], "on": ["failed", "overdue"] },
              // },

              // How long a restore in place can be undone.
              "keepPreRestore": "30d",

              // A run that takes longer ends.
              "timeout": "6h",
              // Everything new is read back after a run; "cold" reads it from the disk and not from memory.
              "validate": "new",
              // How long a stop waits for a run, and whether it backs up once more.
              "grace": "20s",
              "backupOnShutdown": false,
            }

            """;
    }

    private static string Json(string text) =>
        $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
