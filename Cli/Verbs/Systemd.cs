using System.Diagnostics;
using Backupd.Backup;

namespace Backupd.Cli.Verbs;

/// <summary>The systemd of this machine, or of the tree below a directory.</summary>
internal sealed class Systemd
{
    internal const string UnitName = "backupd.service";

    private const string PackagedPath = "/lib/systemd/system/" + UnitName;

    private const UnixFileMode EverybodyReads =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly string _root;

    /// <param name="root">"" for this machine.</param>
    internal Systemd(string root) => _root = root.TrimEnd('/');

    /// <summary>Whether it is the manager of the running system (sd_booted(3)).</summary>
    internal bool IsRunning => Directory.Exists(_root + "/run/systemd/system");

    /// <summary>Where the unit is.</summary>
    internal string UnitPath => $"{_root}/etc/systemd/system/{UnitName}";

    /// <summary>The unit that is there; null when there is none.</summary>
    internal string? Unit => File.Exists(UnitPath) ? File.ReadAllText(UnitPath) : null;

    /// <summary>The unit that counts: that one, or else that of the package.</summary>
    internal string? UnitInForce => Unit ?? (File.Exists(_root + PackagedPath) ? File.ReadAllText(_root + PackagedPath) : null);

    /// <summary>Writes the unit, as a whole or not at all.</summary>
    internal void Write(string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(UnitPath)!);
        string temporary = UnitPath + ".tmp";
        File.Delete(temporary);
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = EverybodyReads,
        };
        using (FileStream file = new(temporary, options))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text));
        }
        // Whatever the umask says: it is no secret, and tools that look at units run as anybody.
        File.SetUnixFileMode(temporary, EverybodyReads);
        File.Move(temporary, UnitPath, overwrite: true);
    }

    /// <summary>Lets the unit start again at once, should systemd have given it up after too many failures.</summary>
    internal async Task ForgiveAsync(TextWriter messages, CancellationToken cancellation)
    {
        try
        {
            await ControlAsync(messages, cancellation, "reset-failed", UnitName);
        }
        catch (BackupException)
        {
            // A unit that never ran has nothing to be forgiven, and systemctl takes that for an error.
        }
    }

    /// <summary>Runs systemctl, whose messages go where this process's do.</summary>
    /// <exception cref="BackupException">Io: it is missing, or refused.</exception>
    internal async Task ControlAsync(TextWriter messages, CancellationToken cancellation, params string[] arguments)
    {
        ProcessStartInfo start = new(_root.Length > 0 ? _root + "/usr/bin/systemctl" : "systemctl", arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        string line = $"systemctl {string.Join(' ', arguments)}";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation);
            string said = await process.StandardError.ReadToEndAsync(cancellation) + await output;
            await process.WaitForExitAsync(cancellation);
            if (process.ExitCode != 0)
            {
                throw new BackupException(
                    BackupFault.Io, $"{line} ended with {process.ExitCode}", said.Trim().ReplaceLineEndings("; "));
            }
            await messages.WriteLineAsync($"done: {line}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new BackupException(BackupFault.Io, $"{line} cannot be run: {e.Message}", inner: e);
        }
    }
}
