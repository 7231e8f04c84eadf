using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Cli.Notifications;

namespace Backupd.Cli.Configuration;

/// <summary>Reads and writes the key <c>notify</c>.</summary>
internal static class NotifySection
{
    private const string RightAddress =
        "an address begins with https:// or http:// and holds no password; one that is a secret stands in a file, whose absolute "
        + "path is named here, or in a credential";

    /// <param name="tokens">Before the object.</param>
    internal static ImmutableArray<NotifyTarget> Read(ref ConfigurationTokens tokens)
    {
        ImmutableArray<NotifyTarget>.Builder targets = ImmutableArray.CreateBuilder<NotifyTarget>();
        HashSet<string> seen = [];
        tokens.BeginObject("notify");
        while (tokens.NextName() is string name)
        {
            if (!ParticipantName.IsValid(name))
            {
                throw tokens.Error(
                    "a name here begins with a letter or digit and has up to 64 letters, digits, dots, underscores and hyphens");
            }
            if (!seen.Add(name))
            {
                throw tokens.Error($"{name} stands twice");
            }
            targets.Add(Target(ref tokens, name));
        }
        return targets.ToImmutable();
    }

    /// <summary>Writes it so that <see cref="Read"/> reads the same; nothing when nobody is told.</summary>
    internal static void Write(Utf8JsonWriter json, ImmutableArray<NotifyTarget> targets)
    {
        if (targets.IsEmpty)
        {
            return;
        }
        json.WriteStartObject("notify");
        foreach (NotifyTarget target in targets)
        {
            json.WriteStartObject(target.Name);
            if (target.Kind == NotifyKind.Command)
            {
                WriteTexts(json, NotifyWords.Of(target.Kind), target.Argv);
                json.WriteString("user", target.User);
            }
            else
            {
                json.WriteString(NotifyWords.Of(target.Kind), target.Address);
            }
            if (target.TokenFile.Length > 0)
            {
                json.WriteString("tokenFile", target.TokenFile);
            }
            WriteTexts(json, "on", NotifyWords.Events.Where(e => target.On.HasFlag(e.Event)).Select(e => e.Word));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static NotifyTarget Target(ref ConfigurationTokens tokens, string name)
    {
        NotifyKind? kind = null;
        string address = "";
        ImmutableArray<string> argv = [];
        string user = "";
        string tokenFile = "";
        NotifyEvents? on = null;
        HashSet<string> seen = [];
        tokens.BeginObject(name);
        int place = tokens.Place;
        while (tokens.NextKey(ConfigurationKeys.Notify, seen) is string key)
        {
            switch (key)
            {
                case "webhook":
                    kind = Only(ref tokens, kind, NotifyKind.Webhook);
                    address = Address(ref tokens);
                    break;
                case "ping":
                    kind = Only(ref tokens, kind, NotifyKind.Ping);
                    address = Address(ref tokens);
                    break;
                case "ntfy":
                    kind = Only(ref tokens, kind, NotifyKind.Ntfy);
                    address = Address(ref tokens);
                    break;
                case "command":
                    kind = Only(ref tokens, kind, NotifyKind.Command);
                    argv = tokens.Texts("a program and its arguments", atLeast: 1);
                    break;
                case "user":
                    user = tokens.Text();
                    break;
                case "tokenFile":
                    tokenFile = tokens.SecretPath();
                    break;
                case "on":
                    on = Events(ref tokens);
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        if (kind is null)
        {
            throw tokens.Error(place, $"{name} tells nobody: one of \"webhook\", \"ping\", \"ntfy\" and \"command\"");
        }
        if (kind == NotifyKind.Command ? tokenFile.Length > 0 : user.Length > 0)
        {
            throw tokens.Error(
                place, kind == NotifyKind.Command ? "a command gets no \"tokenFile\"" : "\"user\" is for a \"command\"");
        }
        return new NotifyTarget
        {
            Name = name, Kind = kind.Value, Address = address, Argv = argv, User = user, TokenFile = tokenFile,
            On = on ?? Usual(kind.Value),
        };
    }

    // Whoever looks at a telephone wants to hear of trouble. A watcher of jobs wants each run, and knows by itself what has
    // not come.
    private static NotifyEvents Usual(NotifyKind kind) => kind switch
    {
        NotifyKind.Ntfy => NotifyEvents.All & ~NotifyEvents.Finished,
        NotifyKind.Ping => NotifyEvents.All & ~NotifyEvents.Overdue,
        NotifyKind.Webhook or NotifyKind.Command => NotifyEvents.All,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static NotifyKind Only(ref ConfigurationTokens tokens, NotifyKind? before, NotifyKind kind) => before is null
        ? kind
        : throw tokens.Error($"there is a \"{NotifyWords.Of(before.Value)}\" already; give the second one a name of its own");

    private static string Address(ref ConfigurationTokens tokens)
    {
        string text = tokens.Text();
        return NotifySecrets.IsFile(text) ? tokens.Secret(text)
            : NotifySecrets.Parse(text) is not null ? text
            : throw tokens.Error(RightAddress);
    }

    private static NotifyEvents Events(ref ConfigurationTokens tokens)
    {
        NotifyEvents all = NotifyEvents.None;
        tokens.BeginArray("of events, such as [\"failed\", \"partial\", \"overdue\"]");
        int place = tokens.Place;
        while (tokens.NextElement())
        {
            string word = tokens.CurrentText();
            NotifyEvents one = Array.Find(NotifyWords.Events, e => e.Word == word).Event;
            if (one == NotifyEvents.None)
            {
                throw tokens.Error($"there is no such event; {string.Join(", ", NotifyWords.Events.Select(e => e.Word))}");
            }
            all |= one;
        }
        return all != NotifyEvents.None
            ? all
            : throw tokens.Error(place, "this must name events; leave the key out for the usual ones");
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }
        json.WriteEndArray();
    }
}
