using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Tests.Support;

/// <summary>
/// A store as somebody would make it who can write to it: the listing, the artifact and the manifest say whatever a test wants,
/// and every hash is right, so that nothing but the reader's own checks stands between them and the disk. Beside it lie what a
/// restore may write to and what it may not.
/// </summary>
internal sealed class HostileStore : IDisposable
{
    private const string RunName = "20260101-000000-000001";

    private readonly TempDirectory _directory = TempDirectory.InMemory();
    private readonly List<byte[]> _lines = [];

    public HostileStore()
    {
        Store = BackupStore.OpenOrCreate(_directory["backups"]);
        Store.MakeDirectories();
        // Readers make it where it is missing, which is a change in the store's directory.
        StoreLock.TryShared(Store)!.Dispose();
        Run = RunId.TryParse(RunName, out RunId id) ? id : default;
        Directory.CreateDirectory(RunDirectory);
        _directory.Write("canary/secret", "not yours\n");
        _directory.Write("canary/d/inside", "nor this\n");
        Directory.CreateSymbolicLink(_directory["canary/link"], "secret");
        _directory.MakeDirectory("out/new");
        _directory.Write("out/beside", "stays\n");
    }

    public BackupStore Store { get; }

    public RunId Run { get; }

    /// <summary>What the artifact is said to be.</summary>
    public string Kind { get; set; } = "directory";

    /// <summary>What the tree is to be called.</summary>
    public string Name { get; set; } = "t";

    /// <summary>Changes the artifact's JSON before it is hashed.</summary>
    public Action<JsonObject>? Artifact { get; set; }

    /// <summary>Changes the manifest's JSON before it is hashed.</summary>
    public Action<JsonObject>? Manifest { get; set; }

    /// <summary>Makes the listing's chunks of its bytes in another way than one chunk.</summary>
    public Func<byte[], JsonArray>? Listing { get; set; }

    /// <summary>Changes files after everything is written.</summary>
    public Action? Afterwards { get; set; }

    public string RunDirectory => Path.Combine(Store.CompletedDirectory, RunName);

    public string this[string relative] => _directory[relative];

    /// <summary>A directory that restores may write to, with traps in the places where entries will be: links that lead outside,
    /// a hard link of a file outside, a file and a directory.</summary>
    public string MakeTraps(string name)
    {
        string tree = Directory.CreateDirectory(this[$"out/{name}/t"]).FullName;
        Directory.CreateSymbolicLink(tree + "/a", this["canary"]);
        Directory.CreateSymbolicLink(tree + "/b", this["canary/secret"]);
        Directory.CreateSymbolicLink(tree + "/d", "../../../canary/d");
        Directory.CreateSymbolicLink(tree + "/l", this["canary/new"]);
        RawFile.MakeLink(Encoding.UTF8.GetBytes(this["canary/secret"]), Encoding.UTF8.GetBytes(tree + "/x"));
        File.WriteAllText(tree + "/good", "good but older");
        return this[$"out/{name}"];
    }

    /// <summary>Adds a line to the listing, as it is.</summary>
    public void Add(params string[] lines) => _lines.AddRange(lines.Select(l => Encoding.UTF8.GetBytes(l)));

    public void AddRaw(byte[] line) => _lines.Add(line);

    public void Clear() => _lines.Clear();

    /// <summary>A line of an entry, with more members behind those that all have.</summary>
    public static string Entry(string path, string type, string more = "", string mode = "0644") =>
        $"{{\"path\":{Json(path)},{Facts(type, more, mode)}";

    /// <summary>The same for a path of any bytes.</summary>
    public static string Entry(byte[] path, string type, string more = "") =>
        $"{{\"path_b64\":\"{Convert.ToBase64String(path)}\",{Facts(type, more, "0644")}";

    public static string Dir(string path) => Entry(path, "dir", mode: "0755");

    public static string Symlink(string path, string target) => Entry(path, "symlink", $",\"target\":{Json(target)}");

    /// <summary>A line of a file with content that is there and right.</summary>
    public string FileLine(string path, string content, string more = "", string mode = "0644") =>
        Entry(path, "file", Content(content) + more, mode);

    /// <summary>The members of a file's line that name its content.</summary>
    public string Content(string content) => $",\"size\":{content.Length},\"seg\":[{Segment(content)}]";

    /// <summary>A segment that is all of a new chunk.</summary>
    public string Segment(string content)
    {
        (string id, long stored) = Chunk(Encoding.UTF8.GetBytes(content));
        return $"[\"{id}\",0,{content.Length},{stored}]";
    }

    /// <summary>Stores a chunk under its right name.</summary>
    public (string Id, long Stored) Chunk(byte[] content)
    {
        string id = ChunkId.Of(content).ToString();
        using ChunkCodec codec = new();
        (Backupd.Backup.Native.NativeBuffer file, int length) = codec.Encode(content);
        return (id, WriteChunk(id, file.Span[..length].ToArray()));
    }

    /// <summary>Makes the file of a chunk of any bytes.</summary>
    public long WriteChunk(string id, byte[] file)
    {
        string path = ChunkFile(id);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, file);
        return file.Length;
    }

    public string ChunkFile(string id) => Path.Combine(Store.ChunksDirectory, id[..2], id);

    /// <summary>Writes artifact, manifest and sums; all hashes fit.</summary>
    public void Seal()
    {
        byte[] listing = [.. _lines.SelectMany(l => (byte[])[.. l, (byte)'\n'])];
        JsonObject artifact = new()
        {
            ["format"] = 1,
            ["kind"] = Kind,
            ["participant"] = "p",
            ["source"] = "/from/t",
            ["name"] = Name,
            ["created_at"] = 1_767_225_600,
            ["totals"] = new JsonObject(
                new[] { "files", "directories", "bytes", "seen", "stored", "excluded", "failed", "vanished" }
                    .Select(n => KeyValuePair.Create(n, (JsonNode?)JsonValue.Create(1)))),
            ["listing"] = Listing is null ? [ListingChunk(listing, FirstPath())] : Listing(listing),
        };
        Artifact?.Invoke(artifact);
        Seal(Encoding.UTF8.GetBytes(artifact.ToJsonString()));
    }

    /// <summary>The same with an artifact of any bytes.</summary>
    public void Seal(byte[] artifact)
    {
        JsonObject manifest = ManifestOf(Sha(artifact));
        Manifest?.Invoke(manifest);
        Seal(artifact, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
    }

    /// <summary>The same with a manifest of any bytes.</summary>
    public void Seal(byte[] artifact, byte[] manifest)
    {
        File.WriteAllBytes(RunDirectory + "/p.snapshot", artifact);
        File.WriteAllBytes(RunDirectory + "/manifest.json", manifest);
        File.WriteAllText(RunDirectory + "/SHA256SUMS", $"{Sha(manifest)}  manifest.json\n{Sha(artifact)}  p.snapshot\n");
        Afterwards?.Invoke();
    }

    /// <summary>A chunk of a listing, as an artifact names it.</summary>
    public JsonObject ListingChunk(byte[] lines, string firstPath)
    {
        (string id, long stored) = Chunk(lines);
        return new JsonObject
        {
            ["chunk"] = id, ["length"] = lines.Length, ["stored_size"] = stored, ["first_path"] = firstPath,
        };
    }

    public static string Sha(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    public static string Json(string text) => JsonValue.Create(text).ToJsonString();

    /// <summary>Everything about every file that no restore may touch: all but the directories to restore into and what any
    /// reader of a store may change. The secret has a second name in a trap, which may go. Rights that a restore has given
    /// inside, to programs and as devices, are among them, too: there must be none.</summary>
    public Task<string> FactsOutsideAsync() => Shell.Ok(
        "sh", "-c",
        """
        cd "$1" && find . \( -path ./backups/trash -o -path ./backups/lock -o -path ./backups/state -o -path './out/*' -type d \) -prune \
            -o -path ./canary/secret -printf '%y %m %U %G %T@ %s %p\n' -o -printf '%y %m %U %G %T@ %C@ %n %s %l %p\n'
        cat canary/secret canary/d/inside out/beside
        find out -type f -perm /6000 -o -type b -o -type c
        getfattr -R -P -h -m - out 2>/dev/null | grep security.capability; true
        """,
        "sh", _directory.Path);

    public void Dispose() => _directory.Dispose();

    private static string Facts(string type, string more, string mode) =>
        $"\"type\":\"{type}\",\"mode\":\"{mode}\",\"uid\":0,\"gid\":0,\"mtime\":\"1700000000.000000000\"{more}}}";

    private string FirstPath()
    {
        try
        {
            return JsonNode.Parse(_lines[0])?["path"]?.GetValue<string>() ?? "";
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException or InvalidOperationException or FormatException)
        {
            // A line that is to be refused anyway.
            return "";
        }
    }

    private static JsonObject ManifestOf(string sha256) => new()
    {
        ["run_id"] = RunName,
        ["type"] = "full",
        ["backup_format_version"] = 1,
        ["trigger"] = "manual",
        ["status"] = "completed",
        ["started_at"] = 1_767_225_600,
        ["finished_at"] = 1_767_225_601,
        ["error_summary"] = "",
        ["requested_participants"] = new JsonArray(),
        ["host"] = "h",
        ["backupd_version"] = "backupd 0.1.0",
        ["participants"] = new JsonArray(Participant("p", sha256)),
    };

    /// <summary>A participant of a manifest, as it ought to be.</summary>
    public static JsonObject Participant(string name, string sha256) => new()
    {
        ["name"] = name,
        ["critical"] = true,
        ["ok"] = true,
        ["status"] = "completed",
        ["started_at"] = 1_767_225_600,
        ["finished_at"] = 1_767_225_601,
        ["error"] = "",
        ["artifacts"] = new JsonArray(new JsonObject
        {
            ["logical_name"] = name + ".snapshot",
            ["path"] = $"backups/completed/{RunName}/{name}.snapshot",
            ["size_bytes"] = 4,
            ["sha256"] = sha256,
            ["integrity_ok"] = true,
            ["integrity_error"] = "",
            ["validation_ok"] = true,
            ["validation_error"] = "",
            ["files"] = 1,
            ["bytes_new"] = 4,
            ["bytes_stored"] = 4,
            ["warnings"] = new JsonArray(),
        }),
    };
}
