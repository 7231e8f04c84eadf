using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup.Remote;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd endpoint</c>: the places to which the daemon publishes runs.</summary>
internal static class EndpointVerb
{
    private const string ListDescription = """
        List the endpoints of the daemon, by name.

        Examples:
          backupd endpoint list
          backupd endpoint list --json | jq '.rows[] | select(.enable == 0).name'
        """;

    private const string AddDescription = """
        Add an endpoint: another backupd, or a directory.

        HOST is HOST:PORT or [IPv6]:PORT of a backupd that has a vault (port 8620 without :PORT), or file:///DIRECTORY, a
        mounted disk for one. A backupd shows its fingerprint when it starts; without --fingerprint its certificate must come
        from an authority that this machine trusts.

        Examples:
          backupd endpoint add offsite 10.10.10.20:8620 --login web1 --password-file offsite.pw --fingerprint SHA256
          backupd endpoint add usb file:///mnt/usb/backups --runs full --interval 1d
          pass show offsite | backupd endpoint add offsite backup.example.org --login web1 --password-file -
        """;

    private const string SetDescription = """
        Change an endpoint. What is not given stays as it is.

        With another host, login or fingerprint the password must be given again: it was meant for the old one.

        Examples:
          backupd endpoint set offsite --bandwidth 10M --attempts 5
          backupd endpoint set usb --disabled
          backupd endpoint set offsite 10.10.10.21 --password-file offsite.pw
        """;

    private const string RemoveDescription = """
        Remove an endpoint. What was published there stays there.

        Example:
          backupd endpoint remove usb
        """;

    private const string TestDescription = """
        Let the daemon ask an endpoint for its newest run, to see whether it can be reached and lets this machine in.

        Example:
          backupd endpoint test offsite
        """;

    internal static Command Create(CliContext context) => new("endpoint", "Say where the daemon publishes runs to.")
    {
        List(context),
        Add(context),
        Set(context),
        Remove(context),
        Test(context),
    };

    private static Verb List(CliContext context)
    {
        Verb command = new("list", ListDescription);
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            GetBackupConfigReply reply = await daemon.RequestAsync(
                "GetBackupConfig", "{}", WireJson.Default.GetBackupConfigReply, cancellation);
            if (options.Json(parsed))
            {
                await context.Output.WriteLineAsync(JsonSerializer.Serialize(reply, WireJson.Default.GetBackupConfigReply));
            }
            else
            {
                Write(reply.Rows, context);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Verb Add(CliContext context)
    {
        Argument<string> name = new("NAME") { Description = "How it is called here" };
        Argument<string> host = new("HOST") { Description = "HOST:PORT, [IPv6]:PORT or file:///DIRECTORY" };
        Verb command = new("add", AddDescription) { name, host };
        EndpointOptions endpoint = new(command, isNew: true);
        Option<string> root = ServiceVerb.Root(command);
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemonButFingerprint();
        command.SetAction(async (parsed, cancellation) =>
        {
            EndpointChange change = await endpoint.ReadAsync(
                parsed, parsed.GetValue(name)!, parsed.GetValue(host), cancellation);
            Systemd systemd = new(parsed.GetValue(root)!);
            return await ChangeAsync("AddBackupConfig", "added", change, systemd, options, parsed, context, cancellation);
        });
        return command;
    }

    private static Verb Set(CliContext context)
    {
        Argument<string> name = Named();
        Argument<string?> host = new("HOST") { Description = "Where it is now", Arity = ArgumentArity.ZeroOrOne };
        Verb command = new("set", SetDescription) { name, host };
        EndpointOptions endpoint = new(command, isNew: false);
        Option<string> root = ServiceVerb.Root(command);
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemonButFingerprint();
        command.SetAction(async (parsed, cancellation) =>
        {
            EndpointChange change = await endpoint.ReadAsync(
                parsed, parsed.GetValue(name)!, parsed.GetValue(host), cancellation);
            Systemd systemd = new(parsed.GetValue(root)!);
            return await ChangeAsync("UpdateBackupConfig", "changed", change, systemd, options, parsed, context, cancellation);
        });
        return command;
    }

    private static Verb Remove(CliContext context)
    {
        Argument<string> name = Named();
        Verb command = new("remove", RemoveDescription) { name };
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            DeleteBackupConfigReply reply = await daemon.RequestAsync(
                "DeleteBackupConfig", new JsonObject { ["name"] = parsed.GetValue(name) }.ToJsonString(),
                WireJson.Default.DeleteBackupConfigReply, cancellation);
            await context.Error.WriteLineAsync($"endpoint {reply.Name} is removed; what was published there stays there");
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Verb Test(CliContext context)
    {
        Argument<string> name = Named();
        Verb command = new("test", TestDescription) { name };
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            GetBackupRunsReply reply = await daemon.RequestAsync(
                "GetRemoteBackupRuns",
                new JsonObject { ["server_name"] = parsed.GetValue(name), ["limit"] = 1 }.ToJsonString(),
                WireJson.Default.GetBackupRunsReply, cancellation);
            string newest = reply.Rows.Count == 0
                ? "it holds no run yet"
                : $"its newest run is {reply.Rows[0].RunId} of {Units.Time(reply.Rows[0].StartedAt)}";
            await context.Output.WriteLineAsync(options.Json(parsed)
                ? JsonSerializer.Serialize(reply, WireJson.Default.GetBackupRunsReply)
                : $"endpoint {parsed.GetValue(name)} answers; {newest}");
            return (int)ExitCode.Ok;
        });
        return command;
    }

    // Its name is what completion asks the daemon for.
    private static Argument<string> Named() => new("ENDPOINT") { Description = "The name of an endpoint" };

    private static async Task<int> ChangeAsync(
        string request, string done, EndpointChange change, Systemd systemd, CommonOptions options, ParseResult parsed,
        CliContext context, CancellationToken cancellation)
    {
        using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
        EndpointObject reply = await daemon.RequestAsync(
            request, EndpointOptions.ToJson(change), WireJson.Default.EndpointObject, cancellation);
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(JsonSerializer.Serialize(reply, WireJson.Default.EndpointObject));
        }
        else
        {
            await context.Error.WriteLineAsync(
                $"endpoint {reply.Name} is {done}; see whether it answers: backupd endpoint test {reply.Name}");
            // Whoever asks a daemon elsewhere knows that this is about the one here.
            if (systemd.UnitInForce is string unit && ServiceUnit.Shuts(unit, reply.Host))
            {
                await context.Error.WriteLineAsync(
                    "  The unit of the daemon does not let it go there. So first: "
                    + "sudo backupd service install && sudo systemctl restart backupd");
            }
        }
        return (int)ExitCode.Ok;
    }

    private static void Write(IReadOnlyList<EndpointObject> endpoints, CliContext context)
    {
        if (endpoints.Count == 0)
        {
            context.Error.WriteLine("no endpoints yet; add one with: backupd endpoint add");
            return;
        }
        int name = Math.Max(4, endpoints.Max(e => e.Name.Length));
        int host = Math.Max(4, endpoints.Max(e => OrDash(e.Host).Length));
        int login = Math.Max(5, endpoints.Max(e => OrDash(e.Login).Length));
        context.Output.WriteLine(
            $"{"NAME".PadRight(name)}  {"HOST".PadRight(host)}  {"LOGIN".PadRight(login)}  ENABLED  {"CERTIFICATE",-16}  WHEN");
        foreach (EndpointObject endpoint in endpoints)
        {
            context.Output.WriteLine(
                $"{endpoint.Name.PadRight(name)}  {OrDash(endpoint.Host).PadRight(host)}  "
                + $"{OrDash(endpoint.Login).PadRight(login)}  {(endpoint.Enable == 1 ? "yes" : "no"),-7}  "
                + $"{Certificate(endpoint),-16}  {When(endpoint)}");
        }
    }

    private static string OrDash(string text) => text.Length > 0 ? Units.Printable(text) : "-";

    // Enough of a fingerprint to tell two apart.
    private static string Certificate(EndpointObject endpoint) =>
        endpoint.TlsFingerprint.Length > 16 ? endpoint.TlsFingerprint[..16] : OrDash(endpoint.TlsFingerprint);

    private static string When(EndpointObject endpoint) =>
        (endpoint.Mode == 1 ? "full runs" : "every run")
        + (endpoint.TimeInterval > 0
            ? $", not within {Configuration.Durations.Format(TimeSpan.FromSeconds(endpoint.TimeInterval))}"
            : "");
}
