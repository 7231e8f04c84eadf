using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd health</c>: a plugin for Nagios, Icinga and their like.</summary>
internal static class HealthVerb
{
    /// <summary>What a check ends with when it could not find out, also when its command line is wrong.</summary>
    internal const int Unknown = 3;

    // A day and two hours: a nightly run may begin a little later and take a little longer than the one before.
    private const string UsualWarn = "26h";

    // Two days and two hours: two nights were missed.
    private const string UsualCritical = "50h";

    // Monitoring ends plugins after 10 s and knows nothing then.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    private const string Description = """
        Check for monitoring that a good full backup is young enough.

        One line with performance data, as plugins of Nagios and its like print it; the exit code is 0 OK, 1 WARNING,
        2 CRITICAL or 3 UNKNOWN.

        CRITICAL: no full run has completed within --crit, or no daemon answers. WARNING: none within --warn, or the last
        run is not completed. UNKNOWN: it could not be found out. The age counts from the start of the run, because that is
        how old its data is.

        Examples:
          backupd health
          backupd health --warn 8d --crit 15d
          backupd health --addr 10.0.0.5:8620 --token-file /etc/nagios/backupd.token
        """;

    internal static Command Create(CliContext context)
    {
        Option<string> warn = Age("--warn", "WARNING when the last good full run is older", UsualWarn);
        Option<string> critical = Age("--crit", "CRITICAL when the last good full run is older", UsualCritical);
        Verb command = new("health", Description) { warn, critical };
        command.UsageCode = Unknown;
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            HealthLimits limits = new(Duration(parsed.GetValue(warn)!), Duration(parsed.GetValue(critical)!));
            HealthState state = await CheckAsync(limits, new DaemonResolver(options, parsed, context), context, cancellation);
            await context.Output.WriteLineAsync(state.Line);
            return state.Code;
        });
        return command;
    }

    private static async Task<HealthState> CheckAsync(
        HealthLimits limits, DaemonResolver resolver, CliContext context, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = new(Patience, context.Time);
        using CancellationTokenSource stop =
            CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        try
        {
            using DaemonClient daemon = await resolver.ConnectAsync(stop.Token);
            return await AskAsync(limits, daemon, context, stop.Token);
        }
        catch (NoDaemonException e)
        {
            return HealthState.Critical(e.Message);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return HealthState.Critical($"the daemon does not answer within {Patience.TotalSeconds} s");
        }
        catch (Exception e) when (e is ErrorReplyException or BackupException or ConfigurationException
            or IOException or UnauthorizedAccessException)
        {
            return HealthState.NotKnown(e.Message);
        }
    }

    private static async Task<HealthState> AskAsync(
        HealthLimits limits, DaemonClient daemon, CliContext context, CancellationToken cancellation)
    {
        GetServerInfoReply info = await daemon.RequestAsync(
            "GetServerInfo", "{}", WireJson.Default.GetServerInfoReply, cancellation);
        // As the daemon has it: what began later comes from a clock that was ahead once, and says nothing.
        long latest = (context.Time.GetUtcNow() + StoredHistory.MaxAhead).ToUnixTimeSeconds();
        RunObject? last = null;
        RunObject? good = null;
        await foreach (RunObject run in DaemonRuns.AllAsync(daemon, 1000, withParticipants: false, cancellation))
        {
            if (run.StartedAt > latest)
            {
                continue;
            }
            last ??= run;
            if (run is { Type: RunType.Full, Status: RunStatus.Completed })
            {
                good = await DaemonRuns.GetAsync(daemon, run.RunId, cancellation);
                break;
            }
        }
        return HealthState.Of(limits, context.Time.GetUtcNow().ToUnixTimeSeconds(), last, good, info);
    }

    private static Option<string> Age(string name, string description, string usual)
    {
        Option<string> option = new(name)
        {
            Description = $"{description} than this",
            HelpName = "DURATION",
            DefaultValueFactory = _ => usual,
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !Durations.TryParse(result.Tokens[0].Value, out TimeSpan _))
            {
                result.AddError($"{name} must be a duration like 26h or 8d, at most 366d");
            }
        });
        return option;
    }

    private static TimeSpan Duration(string text) => Durations.TryParse(text, out TimeSpan duration)
        ? duration
        : throw new InvalidOperationException($"{text} was checked");
}
