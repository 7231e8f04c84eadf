using System.Text.Json;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>A second connection that is subscribed to progress and shows it.</summary>
internal sealed class RunFollower : IDisposable
{
    private readonly DaemonClient _daemon;

    private RunFollower(DaemonClient daemon, IReadOnlyDictionary<string, string> sources)
    {
        _daemon = daemon;
        Sources = sources;
    }

    /// <summary>What each participant is, for people.</summary>
    internal IReadOnlyDictionary<string, string> Sources { get; }

    internal static async Task<RunFollower> SubscribeAsync(DaemonResolver resolver, CancellationToken cancellation)
    {
        DaemonClient daemon = await resolver.ConnectAsync(cancellation);
        try
        {
            GetBackupParticipantsReply participants = await daemon.RequestAsync(
                "GetBackupParticipants", "{}", WireJson.Default.GetBackupParticipantsReply, cancellation);
            await daemon.RequestAsync("SubscribeAll", "{}", WireJson.Default.SubscribeReply, cancellation);
            return new RunFollower(daemon, participants.Rows.ToDictionary(r => r.Name, r => r.Kind));
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Shows events until one says that the operation has ended; its object. Null when the daemon is gone.</summary>
    internal async Task<ProgressObject?> ShowUntilEndAsync(ProgressDisplay display, CancellationToken cancellation)
    {
        while (await _daemon.NextEventAsync(cancellation) is string line)
        {
            DaemonClient.IsEvent(line, out string data);
            ProgressObject progress = JsonSerializer.Deserialize(data, WireJson.Default.ProgressObject)!;
            display.Show(progress, data);
            if (!progress.Active)
            {
                return progress;
            }
        }
        return null;
    }

    /// <summary>Completes with the first event of an active run.</summary>
    internal async Task WaitForStartAsync(CancellationToken cancellation) =>
        await _daemon.NextEventAsync(cancellation);

    /// <inheritdoc/>
    public void Dispose() => _daemon.Dispose();
}
