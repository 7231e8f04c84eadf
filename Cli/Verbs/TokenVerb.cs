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

    internal static Command Create(CliContext context) => new("token", "Make access tokens for TCP clients")
    {
        New(context),
    };

    private static Command New(CliContext context)
    {
        Option<string> role = new("--role")
        {
            Description = "admin and manager have access to backups; the others may ask for GetServerInfo",
            HelpName = "ROLE",
            Required = true,
        };
        role.AcceptOnlyFromAmong([.. Roles.Keys]);
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
        Option<string> name = new("--name")
        {
            Description = "Who it is for; shows in the daemon's log",
            HelpName = "NAME",
            DefaultValueFactory = _ => "",
        };
        Command command = new("new", "Print a new token, and nothing else") { role, days, name };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.Load(options.Config(parsed), context.Places);
            byte[] secret = TokenSecret.ReadOrMake(configuration.TokenSecretFile);
            AccessToken token = new(
                Id: 0,
                Roles[parsed.GetValue(role)!],
                context.Time.GetUtcNow().AddDays(parsed.GetValue(days)).ToUnixTimeSeconds(),
                parsed.GetValue(name)!,
                Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
            context.Output.WriteLine(token.Sign(secret));
        });
        return command;
    }
}
