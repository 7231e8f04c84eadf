using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd web</c>: the address of the daemon's page, with a token in it.</summary>
internal static class WebVerb
{
    private const int MostHours = 24 * 30;

    private const string Description = """
        Print the address of the daemon's web page, with a token that signs the browser in.

        Whoever has the address may do what a manager may do until the token expires. The part after # never leaves the
        browser. From another machine the page of a daemon on a loopback address is reached through ssh -L.

        Examples:
          backupd web
          backupd web --hours 1
          ssh -L 8620:127.0.0.1:8620 backup.example.org sudo backupd web
        """;

    internal static Command Create(CliContext context)
    {
        Option<int> hours = Hours();
        Verb command = new("web", Description) { hours };
        CommonOptions options = new CommonOptions(command).WithConfig().WithJson();
        command.SetAction(parsed =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.Load(options.Config(parsed), context.Places);
            string page = PageOf(configuration);
            if (Secret(configuration, context) is not byte[] secret)
            {
                return (int)ExitCode.Denied;
            }
            // Enough for every button; what is an administrator's alone has no button.
            AccessToken token = new(
                Id: 0,
                SessionRole.Manager,
                context.Time.GetUtcNow().AddHours(parsed.GetValue(hours)).ToUnixTimeSeconds(),
                "web",
                Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
            Print(page, token, token.Sign(secret), options.Json(parsed), context);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void Print(string page, AccessToken token, string signed, bool asJson, CliContext context)
    {
        if (!asJson)
        {
            context.Output.WriteLine($"{page}#token={signed}");
            return;
        }
        using JsonLines lines = new();
        lines.Write(context.Output, json =>
        {
            json.WriteString("url", $"{page}#token={signed}");
            json.WriteString("token", signed);
            json.WriteNumber("expires_at", token.ExpiresAtUnix);
        });
    }

    /// <summary>Where a browser on this machine, or one that knows its name, finds the page.</summary>
    /// <exception cref="BackupException">The daemon listens on no TCP address.</exception>
    private static string PageOf(DaemonConfiguration configuration)
    {
        IPEndPoint tcp = configuration.Tcp ?? throw new BackupException(
            BackupFault.InputInvalid,
            "the daemon listens on its Unix socket alone, which no browser can reach",
            "give it an address in the configuration: \"listen\": { \"tcp\": \"127.0.0.1:8620\" }");
        bool isLoopback = IPAddress.IsLoopback(tcp.Address);
        bool isPlain = isLoopback || configuration.Tls.Mode == TlsMode.Off;
        bool isAny = tcp.Address.Equals(IPAddress.Any) || tcp.Address.Equals(IPAddress.IPv6Any);
        // A certificate is for a name, and the daemon answers to those that the configuration has.
        string host = !isLoopback && configuration.Hosts is [string name, ..]
            ? name
            : isAny && tcp.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Loopback.ToString()
            : isAny ? IPAddress.Loopback.ToString()
            : tcp.Address.ToString();
        string bracketed = host.Contains(':') ? $"[{host}]" : host;
        return $"{(isPlain ? "http" : "https")}://{bracketed}:{tcp.Port.ToString(CultureInfo.InvariantCulture)}/";
    }

    // Null when it is not this user's to read, which was said then.
    private static byte[]? Secret(DaemonConfiguration configuration, CliContext context)
    {
        string path = configuration.TokenSecretFile;
        // Without a configuration and a daemon of one's own, root's daemon is meant.
        bool isOfRoot = context.Places.SystemSocket.Length > 0 && configuration.File.Length == 0 && !File.Exists(path);
        try
        {
            return TokenSecret.Read(path);
        }
        catch (BackupException e) when (isOfRoot || e.InnerException is UnauthorizedAccessException)
        {
            context.Error.WriteLine($"backupd: {path} is not for this user to read, and without it there is no token");
            context.Error.WriteLine("  as the daemon's own user, or as root: sudo backupd web");
            return null;
        }
    }

    private static Option<int> Hours() => new("--hours")
    {
        Description = $"How long the token is valid, 1 to {MostHours}",
        HelpName = "N",
        DefaultValueFactory = _ => 12,
        CustomParser = result =>
        {
            string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
                || count is < 1 or > MostHours)
            {
                result.AddError($"--hours must be a number from 1 to {MostHours}");
            }
            return count;
        },
    };
}
