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
    internal Task<ProgressObject?> ShowUntilEndAsync(ProgressDisplay display, CancellationToken cancellation) =>
        ShowUntilEndAsync(display, except: "", cancellation);

    /// <summary>The same, without the events of one run.</summary>
    /// <param name="display">Where.</param>
    /// <param name="except">That run; "" for none.</param>
    /// <param name="cancellation">Gives up.</param>
    internal async Task<ProgressObject?> ShowUntilEndAsync(
        ProgressDisplay display, string except, CancellationToken cancellation)
    {
        while (await _daemon.NextEventAsync(cancellation) is string line)
        {
            DaemonClient.IsEvent(line, out string data);
            ProgressObject progress = JsonSerializer.Deserialize(data, WireJson.Default.ProgressObject)!;
            if (except.Length > 0 && progress.RunId == except)
            {
                continue;
            }
            display.Show(progress, data);
            if (!progress.Active)
            {
                return progress;
            }
        }
        return null;
    }

    /// <summary>Completes with the id of the first run that is not the one before.</summary>
    /// <param name="before">The run that was on, or had ended badly, before the start was asked for; "" for none.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="NoDaemonException">It closed the connection.</exception>
    internal async Task<string> WaitForStartAsync(string before, CancellationToken cancellation)
    {
        while (await _daemon.NextEventAsync(cancellation) is string line)
        {
            DaemonClient.IsEvent(line, out string data);
            string run = JsonSerializer.Deserialize(data, WireJson.Default.ProgressObject)!.RunId;
            if (run.Length > 0 && run != before)
            {
                return run;
            }
        }
        throw new NoDaemonException("the daemon closed the connection");
    }

    /// <inheritdoc/>
    public void Dispose() => _daemon.Dispose();
}
