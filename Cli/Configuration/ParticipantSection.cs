using Backupd.Backup.Participants;

namespace Backupd.Cli.Configuration;

/// <summary>Reads what is below a participant's name.</summary>
internal static class ParticipantSection
{
    internal static ParticipantDefinition Read(ref ConfigurationTokens tokens, string name)
    {
        ParticipantDraft draft = new(name);
        HashSet<string> seen = [];
        tokens.BeginObject(name);
        int place = tokens.Place;
        while (tokens.NextKey(ConfigurationKeys.Participant, seen) is string key)
        {
            if (draft.Refuses(key) is string why)
            {
                throw tokens.Error(why);
            }
            switch (key)
            {
                case "directory" or "file" or "sqlite":
                    draft.SetKind(key, tokens.AbsolutePath());
                    break;
                case "command":
                    draft.SetKind(key, tokens.Texts("a program and its arguments", atLeast: 1));
                    break;
                case "critical":
                    draft.Critical = tokens.Flag();
                    break;
                case "before":
                    draft.Before = tokens.Texts("a program and its arguments", atLeast: 1);
                    break;
                case "after":
                    draft.After = tokens.Texts("a program and its arguments", atLeast: 1);
                    break;
                default:
                    ReadForKind(ref tokens, key, draft);
                    break;
            }
        }
        return draft.Finish() ?? throw tokens.Error(
            place, $"{name} says nothing to back up: one of \"directory\", \"file\", \"sqlite\" and \"command\"");
    }

    // The keys that only one kind has.
    private static void ReadForKind(ref ConfigurationTokens tokens, string key, ParticipantDraft draft)
    {
        switch (key)
        {
            case "exclude":
                draft.Exclude = tokens.Texts("patterns", atLeast: 0);
                break;
            case "oneFileSystem":
                draft.OneFileSystem = tokens.Flag();
                break;
            case "unreadable":
                draft.UnreadableIsWarning = tokens.IsSecond("fail", "warn");
                break;
            case "allowEmpty":
                draft.AllowEmpty = tokens.Flag();
                break;
            case "restoreDelete":
                draft.RestoreDelete = tokens.Flag();
                break;
            case "user":
                draft.User = tokens.Text();
                break;
            case "timeout":
                draft.Timeout = tokens.Duration();
                break;
            case "minBytes":
                draft.MinBytes = tokens.Number(0, long.MaxValue);
                break;
            case "restoreCommand":
                draft.RestoreCommand = tokens.Texts("a program and its arguments", atLeast: 1);
                break;
            default:
                throw new InvalidOperationException($"the key {key} is in the table and not read");
        }
    }
}
