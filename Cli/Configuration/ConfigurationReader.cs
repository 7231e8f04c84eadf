using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Schedules;

namespace Backupd.Cli.Configuration;

/// <summary>
/// Reads a configuration file: JSON with comments and trailing commas, and nothing that is not in
/// <see cref="ConfigurationKeys"/>. Every refusal shows the line and points at the place.
/// </summary>
public static class ConfigurationReader
{
    private static readonly TimeSpan LongestGrace = TimeSpan.FromDays(1);

    // The timers of the system end at 49 days.
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="ConfigurationException">With file, line, column, the line and what to do.</exception>
    public static DaemonConfiguration Read(ReadOnlySpan<byte> text, string file, Places places)
    {
        ConfigurationTokens tokens = new(text, file);
        tokens.CheckEncoding();
        try
        {
            return ReadFile(ref tokens, DaemonConfiguration.Default(places) with { File = file });
        }
        catch (JsonException e)
        {
            throw tokens.Error(e);
        }
    }

    private static DaemonConfiguration ReadFile(ref ConfigurationTokens tokens, DaemonConfiguration configuration)
    {
        string? store = null;
        int vaultPlace = 0;
        HashSet<string> seen = [];
        List<(string Name, int Place)> wanted = [];
        tokens.BeginObject("the file");
        while (tokens.NextKey("", seen) is string key)
        {
            if (key == "store")
            {
                store = tokens.AbsolutePath();
                continue;
            }
            configuration = key switch
            {
                "listen" => ListenSection.Read(ref tokens, configuration),
                "participants" => configuration with { Participants = ReadParticipants(ref tokens) },
                "schedules" => configuration with { Schedules = ReadSchedules(ref tokens, wanted) },
                "overdue" => configuration with { Overdue = ReadOverdue(ref tokens) },
                "keep" => configuration with { Keep = KeepSection.Read(ref tokens, ConfigurationKeys.Keep) },
                "vault" => configuration with { Vault = VaultSection.Read(ref tokens, out vaultPlace) },
                "notify" => configuration with { Notify = NotifySection.Read(ref tokens) },
                "keepPreRestore" => configuration with { KeepPreRestore = tokens.Duration() },
                "timeout" => configuration with { Timeout = tokens.Duration(LongestTimeout) },
                "validate" => configuration with { ValidateCold = tokens.IsSecond("new", "cold") },
                "grace" => configuration with { Grace = tokens.DurationUpTo(LongestGrace) },
                "backupOnShutdown" => configuration with { BackupOnShutdown = tokens.Flag() },
                _ => throw new InvalidOperationException($"the key {key} is in the table and not read"),
            };
        }
        if (tokens.Next())
        {
            throw tokens.Error("nothing may follow the object");
        }
        CheckNames(ref tokens, wanted, configuration.Participants);
        configuration = configuration with
        {
            Store = store ?? throw tokens.Error(0, "the key \"store\" is missing: the directory that holds the backups"),
        };
        // At the end of the file: the keys may come in any order.
        return VaultSection.WhatIsWrong(configuration) is string why ? throw tokens.Error(vaultPlace, why) : configuration;
    }

    private static TimeSpan? ReadOverdue(ref ConfigurationTokens tokens)
    {
        string text = tokens.Text();
        return text == "auto" ? null
            : text == "off" ? TimeSpan.Zero
            : Durations.TryParse(text, out TimeSpan age) ? age
            : throw tokens.Error("this must be \"auto\", \"off\" or a duration such as \"26h\" or \"8d\"");
    }

    private static ImmutableArray<ParticipantDefinition> ReadParticipants(ref ConfigurationTokens tokens)
    {
        ImmutableArray<ParticipantDefinition>.Builder participants =
            ImmutableArray.CreateBuilder<ParticipantDefinition>();
        HashSet<string> seen = [];
        tokens.BeginObject("participants");
        while (tokens.NextName() is string name)
        {
            if (!ParticipantName.IsValid(name))
            {
                throw tokens.Error(
                    "a participant's name begins with a letter or digit and has up to 64 letters, digits, dots, "
                    + "underscores and hyphens");
            }
            if (!seen.Add(name))
            {
                throw tokens.Error($"the participant {name} stands twice");
            }
            participants.Add(ParticipantSection.Read(ref tokens, name));
        }
        return participants.ToImmutable();
    }

    private static ImmutableArray<BackupSchedule> ReadSchedules(
        ref ConfigurationTokens tokens, List<(string Name, int Place)> wanted)
    {
        ImmutableArray<BackupSchedule>.Builder schedules = ImmutableArray.CreateBuilder<BackupSchedule>();
        tokens.BeginArray("of schedules, such as [ { \"cron\": \"30 2 * * *\" } ]");
        while (tokens.NextElement())
        {
            schedules.Add(ScheduleSection.Read(ref tokens, wanted));
        }
        return schedules.ToImmutable();
    }

    // Only at the end of the file: schedules may stand before the participants that they name.
    private static void CheckNames(
        ref ConfigurationTokens tokens, List<(string Name, int Place)> wanted,
        ImmutableArray<ParticipantDefinition> participants)
    {
        foreach ((string name, int place) in wanted)
        {
            if (participants.All(p => p.Name != name))
            {
                string known = participants.IsEmpty
                    ? "there are none"
                    : $"there are {string.Join(", ", participants.Select(p => p.Name))}";
                throw tokens.Error(place, $"there is no participant {name} in this file; {known}");
            }
        }
    }
}
