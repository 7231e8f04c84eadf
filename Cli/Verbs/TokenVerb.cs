using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd token</c>: access tokens for TCP clients.</summary>
internal static class TokenVerb
{
    private static readonly Dictionary<string, SessionRole> Roles = new()
    {
        ["user"] = SessionRole.User,
        ["manager"] = SessionRole.Manager,
        ["dealer"] = SessionRole.Dealer,
        ["admin"] = SessionRole.Admin,
        ["system"] = SessionRole.System,
        ["fix"] = SessionRole.Fix,
        ["customer"] = SessionRole.Customer,
        ["crm_manager"] = SessionRole.CrmManager,
        ["crm_admin"] = SessionRole.CrmAdmin,
    };

    private const string NewDescription = """
        Print a new token, and nothing else.

        Whoever has it may do what its role may do until it expires. Its id, by which it can be revoked, is --jti, or else
        made up; backupd token revoke reads it from the token.

        Examples:
          T=$(backupd token new --role admin --days 30)
          backupd token new --role manager --days 365 --name panel --jti panel-2026 > panel.token
        """;

    private const string RevokeDescription = """
        Refuse a token from now on, although it has not expired.

        Give its id (what --jti said) or the token itself. The running daemon reads the list when it is reloaded.

        Examples:
          backupd token revoke panel-2026
          backupd token revoke "$(cat panel.token)" && systemctl reload backupd
        """;

    internal static Command Create(CliContext context) => new("token", "Make and revoke access tokens for TCP clients.")
    {
        New(context),
        Revoke(context),
    };

    private static Verb Revoke(CliContext context)
    {
        Argument<string> jti = new("JTI") { Description = "The id of a token, or the token" };
        Verb command = new("revoke", RevokeDescription) { jti };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            string id = RevokedTokens.IdOf(parsed.GetValue(jti)!);
            RevokedTokens list = RevokedTokens.Of(options.Config(parsed), context.Places);
            context.Error.WriteLine(list.Add(id)
                ? $"{id} is revoked in {list.Path}; the running daemon refuses it after a reload: "
                    + "systemctl reload backupd, or kill -HUP to its process"
                : $"{id} was revoked before, in {list.Path}");
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Verb New(CliContext context)
    {
        Option<string> role = new("--role")
        {
            Description = "admin and manager have access to backups; the others may ask for GetServerInfo",
            HelpName = "ROLE",
            Required = true,
        };
        role.AcceptOnlyFromAmong([.. Roles.Keys]);
        Option<int> days = Days();
        Option<string> name = new("--name")
        {
            Description = "Who it is for; shows in the daemon's log",
            HelpName = "NAME",
            DefaultValueFactory = _ => "",
        };
        Option<string?> jti = new("--jti") { Description = "Its id, to revoke it by; made up without it", HelpName = "JTI" };
        Verb command = new("new", NewDescription) { role, days, name, jti };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            string id = parsed.GetValue(jti) is string given
                ? RevokedTokens.IdOf(given)
                : Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
            DaemonConfiguration configuration = DaemonConfiguration.Load(options.Config(parsed), context.Places);
            byte[] secret = TokenSecret.ReadOrMake(configuration.TokenSecretFile);
            AccessToken token = new(
                Id: 0,
                Roles[parsed.GetValue(role)!],
                context.Time.GetUtcNow().AddDays(parsed.GetValue(days)).ToUnixTimeSeconds(),
                parsed.GetValue(name)!,
                id);
            context.Output.WriteLine(token.Sign(secret));
        });
        return command;
    }

    private static Option<int> Days()
    {
        Option<int> days = new("--days")
        {
            Description = "How long it is valid",
            HelpName = "N",
            Required = true,
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
                    || count is < 1 or > 3660)
                {
                    result.AddError("--days must be a number from 1 to 3660");
                }
                return count;
            },
        };
        return days;
    }
}
