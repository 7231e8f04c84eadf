using System.Globalization;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// Whether somebody works on the machine and schedules rest meanwhile. It is a file <c>state/maintenance</c>, which says
/// since when in Unix seconds, and so survives a restart. Runs that a person asks for are not affected.
/// </summary>
public sealed class MaintenanceMode
{
    private readonly BackupStore _store;
    private readonly TimeProvider _time;

    // Two that set it wait for each other, the disk included, so that the file and the value agree. Readers never do.
    private readonly Lock _setting = new();
    private volatile bool _isOn;

    /// <summary>Looks whether it is on. Disk.</summary>
    public MaintenanceMode(BackupStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        _isOn = File.Exists(Place);
    }

    /// <summary>Whether it is on. Lock-free; safe from any thread.</summary>
    public bool IsOn => _isOn;

    private string Place => Path.Combine(_store.StateDirectory, "maintenance");

    /// <summary>Turns it on or off, durably. Disk.</summary>
    /// <exception cref="BackupException">Io: it is as it was.</exception>
    public void Set(bool on)
    {
        lock (_setting)
        {
            if (on == _isOn)
            {
                return;
            }
            try
            {
                Write(on);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BackupException(
                    BackupFault.Io, $"maintenance mode was not turned {(on ? "on" : "off")}: {e.Message}", inner: e);
            }
            _isOn = on;
        }
    }

    private void Write(bool on)
    {
        if (on)
        {
            string now = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            DurableFile.Write(Place, now + "\n");
            return;
        }
        File.Delete(Place);
        Posix.FsyncDirectory(_store.StateDirectory);
    }
}
