using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Notifications;

/// <summary>Tells one target, once. Safe from any thread.</summary>
internal sealed class NotifySender
{
    // A watcher answers in a second; a program that sends a mail may wait for its server.
    internal static readonly TimeSpan PostTimeout = TimeSpan.FromSeconds(20);
    internal static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(60);

    private readonly string _agent;
    private readonly TimeProvider _time;

    /// <param name="agent">Name and version of this program.</param>
    /// <param name="time">The clock.</param>
    internal NotifySender(string agent, TimeProvider time)
    {
        _agent = agent;
        _time = time;
    }

    /// <summary>Tells a target.</summary>
    /// <exception cref="PostException">It was not told.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal async Task SendAsync(NotifyTarget target, Notice notice, CancellationToken stop)
    {
        if (target.Kind == NotifyKind.Command)
        {
            await Task.Factory.StartNew(
                () => Run(target, notice, stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            return;
        }
        NotifyPost post = Post(target, notice);
        using CancellationTokenSource patience = new(PostTimeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        try
        {
            await HttpPost.SendAsync(post, _agent, either.Token);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new PostException($"no answer within {PostTimeout.TotalSeconds} s", isFinal: false, e);
        }
    }

    // Read each time: a secret that was replaced is taken at once.
    private static NotifyPost Post(NotifyTarget target, Notice notice)
    {
        try
        {
            Uri address = NotifySecrets.Address(target);
            string token = NotifySecrets.Token(target, address);
            return NotifyPost.Make(target.Kind, address, token, notice);
        }
        catch (ConfigurationException e)
        {
            throw new PostException(e.Message, isFinal: true, e);
        }
    }

    private void Run(NotifyTarget target, Notice notice, CancellationToken stop)
    {
        ProgramRun program = new()
        {
            Argv = target.Argv,
            User = target.User,
            Variables = Variables(notice),
            Timeout = CommandTimeout,
            Time = _time,
            Tick = () => { },
            Cancellation = stop,
        };
        try
        {
            program.Run(Discard);
        }
        catch (IOException e)
        {
            throw new PostException(e.Message, isFinal: false, e);
        }
    }

    private static ImmutableArray<string> Variables(Notice notice) =>
    [
        $"BACKUPD_EVENT={notice.Word}",
        $"BACKUPD_HOST={notice.Host}",
        $"BACKUPD_TEXT={notice.Text}",
        $"BACKUPD_RUN_ID={notice.RunId}",
        $"BACKUPD_STATUS={notice.Status}",
        $"BACKUPD_EXIT_CODE={(int)notice.Code}",
        $"BACKUPD_JSON={System.Text.Encoding.UTF8.GetString(notice.ToJson())}",
    ];

    // What it prints is for nobody; a full pipe would stop it.
    private static void Discard(ChildProcess child)
    {
        Span<byte> buffer = stackalloc byte[4096];
        _ = child.ReadOutput(buffer);
    }
}
