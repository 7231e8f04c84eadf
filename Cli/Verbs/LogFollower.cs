using System.CommandLine;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>
/// Runs in the order in which they end, first those that there are and then each as soon as it is told of. A daemon tells of
/// endings; a store that is read directly is looked at again and again, since whoever backs up into it need not be a daemon.
/// </summary>
internal sealed class LogFollower : IDisposable
{
    // 1 s: a person does not wait for longer, and a look at a store costs two listings of directories.
    private static readonly TimeSpan LookPause = TimeSpan.FromSeconds(1);

    private readonly RunSource _source;
    private readonly DaemonClient? _events;
    private readonly TimeProvider _time;
    private readonly HashSet<string> _seen = [];

    // Every run that was there at the last look. Not only the newest counts: one that a clock ahead of the time has dated stays
    // the newest.
    private HashSet<RunId> _known = [];

    private LogFollower(RunSource source, DaemonClient? events, TimeProvider time)
    {
        _source = source;
        _events = events;
        _time = time;
    }

    /// <summary>Begins to follow: what ends from now on is told.</summary>
    /// <exception cref="NoDaemonException">As for <see cref="RunSource.OpenAsync"/>.</exception>
    internal static async Task<LogFollower> OpenAsync(
        CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        RunSource source = await RunSource.OpenAsync(options, parsed, context, cancellation);
        DaemonClient? events = null;
        try
        {
            if (source is DaemonRuns)
            {
                // A connection of its own, on which no event comes between a request and its reply.
                events = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
                await events.RequestAsync("SubscribeAll", "{}", WireJson.Default.SubscribeReply, cancellation);
            }
            return new LogFollower(source, events, context.Time);
        }
        catch
        {
            events?.Dispose();
            source.Dispose();
            throw;
        }
    }

    /// <summary>Runs that were not given yet, the oldest first.</summary>
    /// <param name="limit">So many of the newest at most.</param>
    /// <param name="cancellation">Gives up.</param>
    internal async Task<IReadOnlyList<RunObject>> NewAsync(int limit, CancellationToken cancellation)
    {
        _known = [.. _source.Ids()];
        IReadOnlyList<RunObject> runs = await _source.ListAsync(limit, cancellation);
        return [.. runs.Where(r => _seen.Add(r.RunId)).Reverse()];
    }

    /// <summary>Run directories without a manifest that can be read, each given once.</summary>
    internal IReadOnlyList<string> NewUnreadable() => [.. _source.Unreadable.Where(_seen.Add)];

    /// <summary>Waits until there may be more.</summary>
    /// <exception cref="NoDaemonException">The daemon has closed the connection.</exception>
    internal async Task WaitAsync(CancellationToken cancellation)
    {
        if (_events is not null)
        {
            await WaitForEndAsync(_events, cancellation);
            return;
        }
        do
        {
            await Task.Delay(LookPause, _time, cancellation);
        }
        while (_source.Ids().All(_known.Contains));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _events?.Dispose();
        _source.Dispose();
    }

    private static async Task WaitForEndAsync(DaemonClient events, CancellationToken cancellation)
    {
        while (await events.NextEventAsync(cancellation) is string line)
        {
            DaemonClient.IsEvent(line, out string data);
            if (!JsonSerializer.Deserialize(data, WireJson.Default.ProgressObject)!.Active)
            {
                return;
            }
        }
        throw new NoDaemonException("the daemon closed the connection");
    }
}
