using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;

namespace Backupd.Cli.Configuration;

/// <summary>
/// Writes a configuration as strict JSON with every key that holds, defaults included.
/// <see cref="ConfigurationReader"/> reads the same configuration back.
/// </summary>
public static class ConfigurationWriter
{
    /// <summary>The whole configuration. It holds no secrets, because no configuration does: it names files.</summary>
    /// <param name="configuration">What to write.</param>
    /// <param name="indented">Over several lines, for people.</param>
    public static string Write(DaemonConfiguration configuration, bool indented)
    {
        ArrayBufferWriter<byte> buffer = new();
        JsonWriterOptions options = new()
        {
            Indented = indented,
            // Read by people and by this program, never put into a page.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (Utf8JsonWriter json = new(buffer, options))
        {
            json.WriteStartObject();
            json.WriteString("store", configuration.Store);
            WriteListen(json, configuration);
            json.WriteStartObject("participants");
            foreach (ParticipantDefinition participant in configuration.Participants)
            {
                json.WriteStartObject(participant.Name);
                WriteParticipant(json, participant);
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteStartArray("schedules");
            foreach (BackupSchedule schedule in configuration.Schedules)
            {
                WriteSchedule(json, schedule);
            }
            json.WriteEndArray();
            json.WriteString("overdue", configuration.Overdue is not TimeSpan age ? "auto"
                : age > TimeSpan.Zero ? Durations.Format(age) : "off");
            WriteKeep(json, configuration.Keep);
            WriteVault(json, configuration.Vault);
            NotifySection.Write(json, configuration.Notify);
            json.WriteString("keepPreRestore", Durations.Format(configuration.KeepPreRestore));
            json.WriteString("timeout", Durations.Format(configuration.Timeout));
            json.WriteString("validate", configuration.ValidateCold ? "cold" : "new");
            json.WriteString("grace", Durations.Format(configuration.Grace));
            json.WriteBoolean("backupOnShutdown", configuration.BackupOnShutdown);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteListen(Utf8JsonWriter json, DaemonConfiguration configuration)
    {
        json.WriteStartObject("listen");
        json.WriteString("socket", configuration.Socket);
        json.WriteString("group", configuration.Group);
        json.WriteString("tcp", configuration.Tcp?.ToString() ?? "");
        if (configuration.Tls.Mode == TlsMode.Files)
        {
            json.WriteStartObject("tls");
            json.WriteString("certificate", configuration.Tls.Certificate);
            json.WriteString("key", configuration.Tls.Key);
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("tls", configuration.Tls.Mode == TlsMode.Auto ? "auto" : "off");
        }
        json.WriteBoolean("allowPlaintext", configuration.AllowPlaintext);
        json.WriteNumber("maxConnections", configuration.MaxConnections);
        WriteTexts(json, "hosts", configuration.Hosts);
        json.WriteString("envelope", configuration.IsEnvelopeWrapped ? "wrapped" : "flat");
        json.WriteString("tokenSecretFile", configuration.TokenSecretFile);
        json.WriteString("revokedTokensFile", configuration.RevokedTokensFile);
        json.WriteEndObject();
    }

    private static void WriteParticipant(Utf8JsonWriter json, ParticipantDefinition participant)
    {
        switch (participant)
        {
            case DirectoryParticipant directory:
                json.WriteString("directory", directory.Root);
                WriteTexts(json, "exclude", directory.Excludes);
                json.WriteBoolean("oneFileSystem", directory.OneFileSystem);
                json.WriteString("unreadable", directory.UnreadableIsWarning ? "warn" : "fail");
                json.WriteBoolean("allowEmpty", directory.AllowEmpty);
                json.WriteBoolean("restoreDelete", directory.RestoreDeletes);
                break;
            case FileParticipant file:
                json.WriteString("file", file.Path);
                break;
            case SqliteParticipant database:
                json.WriteString("sqlite", database.Path);
                break;
            case CommandParticipant command:
                WriteTexts(json, "command", command.Argv);
                json.WriteString("user", command.User);
                json.WriteString("timeout", Durations.Format(command.Timeout));
                json.WriteNumber("minBytes", command.MinBytes);
                WriteProgram(json, "restoreCommand", command.RestoreArgv);
                break;
            default:
                throw new InvalidOperationException($"a {participant.Kind} is not written");
        }
        json.WriteBoolean("critical", participant.Critical);
        WriteProgram(json, "before", participant.Before);
        WriteProgram(json, "after", participant.After);
    }

    // An empty array would be refused: it names no program.
    private static void WriteProgram(Utf8JsonWriter json, string name, ImmutableArray<string> argv)
    {
        if (!argv.IsEmpty)
        {
            WriteTexts(json, name, argv);
        }
    }

    private static void WriteSchedule(Utf8JsonWriter json, BackupSchedule schedule)
    {
        json.WriteStartObject();
        json.WriteString("cron", schedule.Cron.ToString());
        json.WriteString("jitter", Durations.Format(schedule.Jitter));
        json.WriteBoolean("catchUp", schedule.CatchUp);
        if (!schedule.Participants.IsEmpty)
        {
            WriteTexts(json, "participants", schedule.Participants);
        }
        json.WriteEndObject();
    }

    private static void WriteKeep(Utf8JsonWriter json, RetentionPolicy? keep)
    {
        if (keep is null)
        {
            return;
        }
        json.WriteStartObject("keep");
        json.WriteNumber("last", keep.Last);
        json.WriteNumber("hourly", keep.Hourly);
        json.WriteNumber("daily", keep.Daily);
        json.WriteNumber("weekly", keep.Weekly);
        json.WriteNumber("monthly", keep.Monthly);
        json.WriteNumber("yearly", keep.Yearly);
        json.WriteString("within", Durations.Format(keep.Within));
        json.WriteEndObject();
    }

    private static void WriteVault(Utf8JsonWriter json, VaultSettings? vault)
    {
        if (vault is null)
        {
            return;
        }
        json.WriteStartObject("vault");
        json.WriteString("path", vault.Path);
        WriteKeep(json, vault.Keep);
        json.WriteStartObject("logins");
        foreach (VaultLogin login in vault.Logins)
        {
            json.WriteStartObject(login.Name);
            json.WriteString("passwordFile", login.PasswordFile);
            json.WriteBoolean("appendOnly", login.IsAppendOnly);
            if (login.QuotaBytes is long quota)
            {
                WriteSize(json, "quota", quota);
            }
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    // A size that has no unit is a number of bytes.
    private static void WriteSize(Utf8JsonWriter json, string name, long bytes)
    {
        if (Sizes.TryFormat(bytes) is string text)
        {
            json.WriteString(name, text);
        }
        else
        {
            json.WriteNumber(name, bytes);
        }
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, ImmutableArray<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }
        json.WriteEndArray();
    }
}
