using System.Collections;
using System.Collections.Immutable;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;
using Backupd.Tests.Support;
using Cronos;
using CsCheck;

namespace Backupd.Tests.Cli;

/// <summary>What <c>config show</c> prints is a configuration and means the same.</summary>
[TestClass]
public sealed class ConfigurationWriterTests
{
    private static readonly Places Places = Places.Of(isRoot: true, _ => null);
    private static readonly string[] Texts = ["a", "ü/%", "it's \"quoted\"", "\\", "<&>", "back\tslash\n", "\u202e", "😀", "*.bak", " "];
    private static readonly string[] Crons = ["30 2 * * *", "@daily", "*/5 0 1,15 * MON-FRI", "15 30 2 * * *", "0 0 L * *", "0 4 * * 5#2", "0 0 15W * *"];

    [TestMethod]
    public void Whatever_is_written_is_read_back_as_the_same()
    {
        int tried = 0;
        Gen.Int.Sample(
            seed =>
            {
                DaemonConfiguration written = Any(new Random(seed));
                foreach (bool indented in (bool[])[true, false])
                {
                    string text = ConfigurationWriter.Write(written, indented);
                    using JsonDocument strict = JsonDocument.Parse(text);
                    DaemonConfiguration read = ConfigurationReader.Read(Encoding.UTF8.GetBytes(text), written.File, Places);
                    Assert.AreEqual(Describe(written), Describe(read));
                    Assert.AreEqual(indented, text.Contains('\n'));
                }
                Interlocked.Increment(ref tried);
            },
            iter: 500);
        Assert.IsGreaterThan(400, tried);
    }

    [TestMethod]
    public void Every_key_of_the_table_is_written()
    {
        HashSet<string> written = [];
        for (int seed = 0; seed < 50; seed++)
        {
            using JsonDocument json = JsonDocument.Parse(ConfigurationWriter.Write(Any(new Random(seed)), indented: false));
            Collect(json.RootElement, "", written);
        }
        string[] missing = [.. ConfigurationKeys.All.Select(k => k.FullName).Where(k => !written.Contains(k))];
        Assert.IsEmpty(missing, string.Join(' ', missing));
    }

    [TestMethod]
    public async Task The_verb_shows_defaults_and_its_output_is_a_file_that_is_taken()
    {
        using TempDirectory directory = new();
        directory.Write("c.json", "{ \"store\": \"/s\", /* comment */ \"participants\": { \"etc\": { \"directory\": \"/etc\" }, }, }");
        string shown = await InProcess.Ok("config", "show", directory["c.json"], "--json");
        Assert.AreEqual(1, shown.Count(c => c == '\n'));
        JsonElement json = JsonDocument.Parse(shown).RootElement;
        Assert.AreEqual("20s", json.GetProperty("grace").GetString());
        Assert.IsTrue(json.GetProperty("participants").GetProperty("etc").GetProperty("oneFileSystem").GetBoolean());
        directory.Write("again.json", await InProcess.Ok("config", "show", directory["c.json"]));
        Assert.AreEqual("ok: 1 participant, no schedules\n", await InProcess.Ok("config", "check", directory["again.json"]));
        Assert.AreEqual("ok: 1 participant, no schedules\n", await InProcess.Ok("config", "check", "--config", directory["again.json"]));
        Assert.Contains("\"directory\":\"/etc\"", await InProcess.Ok("config", "show", "--config", directory["c.json"], "--json"));
        Assert.AreEqual(2, (await InProcess.Run("config", "show", directory["c.json"], "--config", directory["c.json"])).Code);
    }

    private static void Collect(JsonElement element, string path, HashSet<string> names)
    {
        foreach (JsonProperty member in element.EnumerateObject())
        {
            string name = path.Length == 0 ? member.Name : $"{path}.{member.Name}";
            names.Add(name);
            bool isArray = member.Value.ValueKind == JsonValueKind.Array;
            JsonElement[] values = isArray ? [.. member.Value.EnumerateArray()] : [member.Value];
            foreach (JsonElement below in values.Where(v => v.ValueKind == JsonValueKind.Object))
            {
                Collect(below, path is "participants" or "vault.logins" or "notify" ? $"{path}.NAME" : isArray ? name + "[]" : name, names);
            }
        }
    }

    private static DaemonConfiguration Any(Random random)
    {
        ImmutableArray<ParticipantDefinition> participants = [.. Enumerable.Range(0, random.Next(6)).Select(i => Participant(random, $"p{i}.x-Y"))];
        TlsSetting tls = random.Next(3) switch
        {
            0 => TlsSetting.Auto,
            1 => new TlsSetting(TlsMode.Files, Path(random), Path(random)),
            _ => TlsSetting.Off,
        };
        string store = Path(random);
        IPEndPoint? tcp = Flip(random) ? null : new IPEndPoint(tls.Mode == TlsMode.Off ? IPAddress.IPv6Loopback : IPAddress.Any, random.Next(1, 65536));
        return new DaemonConfiguration
        {
            File = "f",
            Store = store,
            Socket = Flip(random) ? "" : Path(random),
            Group = Flip(random) ? "" : Text(random),
            Tcp = tcp,
            Tls = tls,
            AllowPlaintext = Flip(random),
            MaxConnections = random.Next(1, 20_001),
            Hosts = Flip(random) ? [] : ["a.example", "10.0.0.1"],
            IsEnvelopeWrapped = Flip(random),
            TokenSecretFile = Path(random),
            RevokedTokensFile = Path(random),
            Participants = participants,
            Overdue = random.Next(3) switch { 0 => null, 1 => TimeSpan.Zero, _ => TimeSpan.FromSeconds(random.Next(1, 86400 * 366)) },
            Schedules = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Schedule(random, participants))],
            Keep = Keep(random),
            Vault = tls.Mode == TlsMode.Off || tcp is null ? null : new VaultSettings(store + "-vault", Keep(random),
                [.. Enumerable.Range(0, random.Next(1, 4)).Select(i => new VaultLogin($"l{i}.x-Y", Path(random), Flip(random), Quota(random)))]),
            Notify = [.. Enumerable.Range(0, random.Next(5)).Select(i => Target(random, $"n{i}.x-Y"))],
            KeepPreRestore = Seconds(random, 1),
            Timeout = TimeSpan.FromSeconds(random.Next(1, (30 * 86_400) + 1)),
            ValidateCold = Flip(random),
            Grace = TimeSpan.FromSeconds(random.Next(86_401)),
            BackupOnShutdown = Flip(random),
        };
    }

    private static ParticipantDefinition Participant(Random random, string name)
    {
        ParticipantDefinition participant = random.Next(4) switch
        {
            0 => new DirectoryParticipant(name, Flip(random), Path(random))
            {
                Excludes = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Text(random))],
                OneFileSystem = Flip(random), UnreadableIsWarning = Flip(random), AllowEmpty = Flip(random),
                RestoreDeletes = Flip(random),
            },
            1 => new FileParticipant(name, Flip(random), Path(random)),
            2 => new SqliteParticipant(name, Flip(random), Path(random)),
            _ => new CommandParticipant(name, Flip(random), [Text(random), Text(random)])
            {
                User = Flip(random) ? "" : Text(random), Timeout = Seconds(random, 1), MinBytes = random.NextInt64(),
                RestoreArgv = Flip(random) ? [] : [Text(random), Text(random)],
            },
        };
        return participant with { Before = Flip(random) ? [] : [Text(random)], After = Flip(random) ? [] : [Text(random), Text(random)] };
    }

    private static NotifyTarget Target(Random random, string name)
    {
        NotifyKind kind = (NotifyKind)random.Next(4);
        bool isCommand = kind == NotifyKind.Command;
        return new NotifyTarget
        {
            Name = name,
            Kind = kind,
            Address = isCommand ? "" : Flip(random) ? Path(random) : "https://example.org:8443/a?b=c",
            Argv = isCommand ? [Text(random), Text(random)] : [],
            User = isCommand && Flip(random) ? Text(random) : "",
            TokenFile = isCommand || Flip(random) ? "" : Path(random),
            On = (NotifyEvents)random.Next(1, 32),
        };
    }

    private static BackupSchedule Schedule(Random random, ImmutableArray<ParticipantDefinition> participants)
    {
        Assert.IsTrue(BackupSchedule.TryParseCron(Crons[random.Next(Crons.Length)], out CronExpression? cron));
        return new BackupSchedule(cron!)
        {
            Jitter = TimeSpan.FromSeconds(random.Next(86_401)),
            CatchUp = Flip(random),
            Participants = [.. participants.Where(_ => Flip(random)).Select(p => p.Name)],
        };
    }

    private static RetentionPolicy? Keep(Random random) => Flip(random) ? null : new RetentionPolicy
    {
        Last = random.Next(1, 9), Hourly = random.Next(9), Daily = random.Next(9), Weekly = random.Next(9), Monthly = random.Next(9),
        Yearly = random.Next(9), Within = Seconds(random, 0),
    };

    private static long? Quota(Random random) => random.Next(4) switch
    {
        0 => null,
        1 => random.NextInt64(VaultLogin.LeastQuotaBytes, long.MaxValue),
        2 => random.NextInt64(1, 1000) << (20 + (10 * random.Next(3))),
        _ => random.Next(2) == 0 ? VaultLogin.LeastQuotaBytes : long.MaxValue,
    };

    private static bool Flip(Random random) => random.Next(2) == 0;

    private static string Text(Random random) => Texts[random.Next(Texts.Length)];

    private static string Path(Random random) => "/" + Text(random);

    private static TimeSpan Seconds(Random random, int least) => TimeSpan.FromSeconds(random.Next(least, 366 * 86_400 + 1));

    // Every public property, so that one that is forgotten by reader or writer is seen. A cron expression is what it
    // means: its own text is what is being tested.
    private static string Describe(object? value) => value switch
    {
        null => "null",
        CronExpression cron => string.Join(' ', ScheduleSlots.Next(cron, TimeZoneInfo.Utc, DateTimeOffset.UnixEpoch, 5)),
        string or bool or int or long or TimeSpan or Enum or IPEndPoint => $"{value}",
        IEnumerable list => $"[{string.Join(", ", list.Cast<object>().Select(Describe))}]",
        _ => $"{value.GetType().Name} {{ {string.Join(", ", Members(value))} }}",
    };

    private static IEnumerable<string> Members(object value) =>
        value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .OrderBy(p => p.Name, StringComparer.Ordinal)
            .Select(p => $"{p.Name} = {Describe(p.GetValue(value))}");
}
