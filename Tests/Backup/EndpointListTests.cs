using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class EndpointListTests : IDisposable
{
    private const string Stars = Endpoint.HiddenPassword;

    private static readonly string Pinned = new string('a', 63) + "0";
    private static readonly string OtherPin = new string('b', 64);

    private static readonly EndpointChange Whole = new()
    {
        Name = "offsite",
        Host = "host",
        Login = "web1",
        Password = "secret",
        IsEnabled = false,
        IsForFullRunsOnly = true,
        IntervalSeconds = 1,
        TimeoutSeconds = 2,
        RetryAttempts = 3,
        RetryDelaySeconds = 4,
        TlsFingerprint = Pinned,
        BandwidthBytes = 6,
    };

    private readonly TempDirectory _directory = new();
    private readonly BackupStore _store;
    private readonly EndpointList _list;

    public EndpointListTests()
    {
        _store = BackupStore.OpenOrCreate(_directory["backups"]);
        _list = new EndpointList(_store);
    }

    private string Place => Path.Combine(_store.StateDirectory, "endpoints.json");

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    public void A_new_endpoint_has_the_documented_defaults()
    {
        Assert.IsEmpty(_list.All());
        Assert.IsFalse(File.Exists(Place), "looking makes nothing");
        Assert.AreEqual("a host=h:8620 login= password= on=True full=False 0/120/3/5 tls= 0", Shown(_list.Add(new EndpointChange { Name = "a", Host = "H" })));
        Assert.AreEqual("b host= login= password= on=False full=False 0/120/3/5 tls= 0", Shown(_list.Add(new EndpointChange { Name = "b" })));
        Assert.IsFalse(_list.Add(new EndpointChange { Name = "c", Host = "h", IsEnabled = false }).IsEnabled);
        Assert.AreEqual("", _list.Add(new EndpointChange { Name = "d", Host = "h", Password = Stars }).Password, "there is none to keep");
    }

    [TestMethod]
    public void Everything_comes_back_after_a_restart_and_the_file_is_for_its_owner_alone()
    {
        string expected = $"offsite host=host:8620 login=web1 password=secret on=False full=True 1/2/3/4 tls={Pinned} 6";
        Assert.AreEqual(expected, Shown(_list.Add(Whole)));
        Assert.AreEqual(expected, Shown(new EndpointList(_store).Get("offsite")));
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Place));
        _list.Update(new EndpointChange { Name = "offsite", TimeoutSeconds = 5 });
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Place));
    }

    [TestMethod]
    public void A_change_touches_what_was_given_and_nothing_else()
    {
        _list.Add(Whole);
        string rest = $"offsite host=host:8620 login=web1 password=secret on=False full=True 1/2/3/4 tls={Pinned} 6";
        Assert.AreEqual(rest, Shown(_list.Update(new EndpointChange { Name = "offsite" })));
        (EndpointChange Change, string From, string To)[] changes =
        [
            (new EndpointChange { Name = "offsite", IsEnabled = true }, "on=False", "on=True"),
            (new EndpointChange { Name = "offsite", IsForFullRunsOnly = false }, "full=True", "full=False"),
            (new EndpointChange { Name = "offsite", IntervalSeconds = 0 }, " 1/", " 0/"),
            (new EndpointChange { Name = "offsite", TimeoutSeconds = 86400 }, "/2/", "/86400/"),
            (new EndpointChange { Name = "offsite", RetryAttempts = 100 }, "/3/", "/100/"),
            (new EndpointChange { Name = "offsite", RetryDelaySeconds = 0 }, "/4 ", "/0 "),
            (new EndpointChange { Name = "offsite", BandwidthBytes = 1L << 40 }, $"{Pinned} 6", $"{Pinned} {1L << 40}"),
            (new EndpointChange { Name = "offsite", Password = "" }, "password=secret", "password="),
            // Without a password nothing can be taken elsewhere.
            (new EndpointChange { Name = "offsite", Host = "other:1", Password = Stars }, "host:8620", "other:1"),
            (new EndpointChange { Name = "offsite", Login = "" }, "login=web1", "login="),
            (new EndpointChange { Name = "offsite", TlsFingerprint = "SHA256:" + OtherPin.ToUpperInvariant() }, Pinned, OtherPin),
        ];
        foreach ((EndpointChange change, string from, string to) in changes)
        {
            Assert.Contains(from, rest);
            rest = rest.Replace(from, to, StringComparison.Ordinal);
            Assert.AreEqual(rest, Shown(_list.Update(change)));
            Assert.AreEqual(rest, Shown(_list.Get("offsite")));
        }
    }

    [TestMethod]
    public void A_stored_password_goes_nowhere_else_unless_it_is_given_again()
    {
        _list.Add(Whole);
        foreach (string? kept in (string?[])[null, Stars])
        {
            foreach ((EndpointChange change, string what) in ((EndpointChange, string)[])
                [
                    (new EndpointChange { Name = "offsite", Password = kept, Host = "host:1" }, "host"),
                    (new EndpointChange { Name = "offsite", Password = kept, Host = "" }, "host"),
                    (new EndpointChange { Name = "offsite", Password = kept, Host = "file:///mnt" }, "host"),
                    (new EndpointChange { Name = "offsite", Password = kept, Login = "web2" }, "login"),
                    (new EndpointChange { Name = "offsite", Password = kept, TlsFingerprint = OtherPin }, "tls_fingerprint"),
                    (new EndpointChange { Name = "offsite", Password = kept, TlsFingerprint = "" }, "tls_fingerprint"),
                ])
            {
                BackupException e = Assert.ThrowsExactly<BackupException>(() => _list.Update(change));
                Assert.AreEqual(BackupFault.PasswordRequired, e.Fault);
                Assert.Contains($"another {what}:", e.Message);
            }
            // The same in other words is no change.
            Endpoint same = _list.Update(new EndpointChange
            {
                Name = "offsite", Password = kept, Host = "HOST:8620", Login = "web1", TlsFingerprint = Pinned.ToUpperInvariant(),
            });
            Assert.AreEqual("secret", same.Password);
        }
        Assert.AreEqual("host:8620", _list.Get("offsite").Host);
        Assert.AreEqual("new", _list.Update(new EndpointChange { Name = "offsite", Host = "other", Password = "new" }).Password);
        Assert.AreEqual("", _list.Update(new EndpointChange { Name = "offsite", Login = "x", Password = "" }).Password);
    }

    [TestMethod]
    public void Names_are_found_exactly_and_once()
    {
        _list.Add(new EndpointChange { Name = "a" });
        _list.Add(new EndpointChange { Name = "A" });
        Assert.AreEqual(BackupFault.EndpointExists, Fault(() => _list.Add(new EndpointChange { Name = "a", Host = "h" })));
        Assert.AreEqual("", _list.Get("a").Host);
        foreach (Action missing in (Action[])
            [
                () => _list.Get("b"), () => _list.Delete("b"), () => _list.Update(new EndpointChange { Name = "b" }), () => _list.Get("a "),
            ])
        {
            Assert.AreEqual(BackupFault.EndpointNotFound, Fault(missing));
        }
        Assert.AreEqual("a", _list.Delete("a").Name);
        Assert.AreEqual("A", string.Join(' ', _list.All().Select(e => e.Name)));
    }

    [TestMethod]
    [DataRow("name", "")]
    [DataRow("name", "a/b")]
    [DataRow("name", "..")]
    [DataRow("name", "ä")]
    [DataRow("name", "65")]
    [DataRow("host", "host:0")]
    [DataRow("login", "65")]
    [DataRow("login", "a\tb")]
    [DataRow("password", "1025")]
    [DataRow("password", "a\nb")]
    [DataRow("timeinterval", "-1")]
    [DataRow("timeinterval", "31536001")]
    [DataRow("timeout", "0")]
    [DataRow("timeout", "86401")]
    [DataRow("retry_attempts", "0")]
    [DataRow("retry_attempts", "101")]
    [DataRow("retry_delay", "-1")]
    [DataRow("retry_delay", "86401")]
    [DataRow("bandwidth", "-1")]
    [DataRow("bandwidth", "1099511627777")]
    [DataRow("tls_fingerprint", "aa")]
    public void A_member_out_of_its_bounds_is_refused_and_named(string member, string value)
    {
        string text = int.TryParse(value, out int length) && member is "name" or "login" or "password" ? new string('x', length) : value;
        long Number(string of) => member == of ? long.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : 1;
        EndpointChange change = new()
        {
            Name = member == "name" ? text : "n",
            Host = member == "host" ? text : null,
            Login = member == "login" ? text : null,
            Password = member == "password" ? text : null,
            IntervalSeconds = (int)Number("timeinterval"),
            TimeoutSeconds = (int)Number("timeout"),
            RetryAttempts = (int)Number("retry_attempts"),
            RetryDelaySeconds = (int)Number("retry_delay"),
            BandwidthBytes = Number("bandwidth"),
            TlsFingerprint = member == "tls_fingerprint" ? text : null,
        };
        foreach (Action work in (Action[])[() => _list.Add(change), () => _list.Update(change)])
        {
            BackupException e = Assert.ThrowsExactly<BackupException>(work);
            Assert.AreEqual(BackupFault.InputInvalid, e.Fault);
            Assert.StartsWith($"{member} must ", e.Message);
        }
        Assert.IsFalse(File.Exists(Place));
    }

    [TestMethod]
    public void Members_that_contradict_each_other_are_refused()
    {
        _list.Add(new EndpointChange { Name = "usb", Host = "file:///mnt/usb" });
        foreach ((string told, Action work) in ((string, Action)[])
            [
                ("enable must be 0", () => _list.Add(new EndpointChange { Name = "a", IsEnabled = true })),
                ("enable must be 0", () => _list.Update(new EndpointChange { Name = "usb", Host = "" })),
                ("login, password and", () => _list.Add(new EndpointChange { Name = "a", Host = "file:///mnt/a", Password = "x" })),
                ("login, password and", () => _list.Update(new EndpointChange { Name = "usb", Login = "x" })),
                ("login, password and", () => _list.Update(new EndpointChange { Name = "usb", TlsFingerprint = Pinned })),
                ("host must be outside", () => _list.Add(new EndpointChange { Name = "a", Host = "file://" + _store.Directory })),
                ("host must be outside", () => _list.Update(new EndpointChange { Name = "usb", Host = $"file://{_store.Directory}/x/" })),
            ])
        {
            Assert.StartsWith(told, Assert.ThrowsExactly<BackupException>(work).Message);
        }
        _list.Add(new EndpointChange { Name = "beside", Host = $"file://{_store.Directory}2" });
        Assert.AreEqual("beside usb", string.Join(' ', _list.All().Select(e => e.Name)));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("null")]
    [DataRow("[]")]
    [DataRow("{}")]
    [DataRow("{\"endpoints\":null}")]
    [DataRow("{\"endpoints\":[null]}")]
    [DataRow("{\"endpoints\":[],\"endpoints\":[]}")]
    [DataRow("{\"endpoints\":[],\"more\":1}")]
    [DataRow("{\"endpoints\":[{\"name\":\"a\"}]}")]
    [DataRow("WHOLE,\"more\":1")]
    [DataRow("WHOLE|\"host\":\"host:8620\"|\"host\":null")]
    [DataRow("WHOLE|\"timeout\":2|\"timeout\":0")]
    [DataRow("WHOLE|\"timeout\":2|\"timeout\":\"2\"")]
    [DataRow("WHOLE|host:8620|host:0")]
    [DataRow("WHOLE|\"name\":\"offsite\"|\"name\":\"..\"")]
    [DataRow("TWICE")]
    public void A_damaged_file_is_named_and_never_an_empty_list(string content)
    {
        _list.Add(Whole);
        string good = File.ReadAllText(Place).Replace(": ", ":", StringComparison.Ordinal);
        File.WriteAllText(Place, good);
        Assert.AreEqual("offsite", _list.All().Single().Name, "the file is good before it is damaged");
        string one = good[(good.IndexOf('[') + 1)..good.LastIndexOf(']')].Trim();
        string[] parts = content.Split('|');
        string bad = content switch
        {
            "TWICE" => $"{{\"endpoints\":[{one},{one}]}}",
            "WHOLE,\"more\":1" => $"{{\"endpoints\":[{one[..^1]},\"more\":1}}]}}",
            _ when parts.Length == 3 => good.Replace(parts[1], parts[2], StringComparison.Ordinal),
            _ => content,
        };
        Assert.AreNotEqual(good, bad);
        File.WriteAllText(Place, bad);
        foreach (Action work in (Action[])
            [
                () => _list.All(), () => _list.Get("offsite"), () => _list.Add(new EndpointChange { Name = "b" }),
                () => _list.Update(new EndpointChange { Name = "offsite" }), () => _list.Delete("offsite"),
            ])
        {
            BackupException e = Assert.ThrowsExactly<BackupException>(work);
            Assert.AreEqual(BackupFault.StoreInvalid, e.Fault, e.Message);
            Assert.Contains(Place, e.Message);
            Assert.DoesNotContain("secret", e.Message);
        }
        Assert.AreEqual(bad, File.ReadAllText(Place));
    }

    [TestMethod]
    public void What_the_disk_refuses_is_told_with_the_file_and_changes_nothing()
    {
        _list.Add(Whole);
        string before = File.ReadAllText(Place);
        Directory.CreateDirectory(Place + ".tmp/x");
        BackupException e = Assert.ThrowsExactly<BackupException>(() => _list.Delete("offsite"));
        Assert.AreEqual(BackupFault.Io, e.Fault);
        Assert.Contains($"{Place}, was not written", e.Message);
        Assert.AreEqual(before, File.ReadAllText(Place));
        Directory.Delete(_store.StateDirectory, recursive: true);
        e = Assert.ThrowsExactly<BackupException>(() => _list.All());
        Assert.AreEqual(BackupFault.Io, e.Fault);
        Assert.Contains(Place, e.Message);
    }

    [TestMethod]
    public async Task Many_at_once_are_all_there_afterwards()
    {
        const int count = 16;
        await Deadline.Of(
            Task.WhenAll(Enumerable.Range(0, count).Select(i => Task.Run(() => _list.Add(new EndpointChange { Name = $"e{i:D2}" })))),
            "the additions");
        Assert.AreEqual(count, _list.All().Length);
        Task<bool>[] same = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            try
            {
                _list.Add(new EndpointChange { Name = "same" });
                return true;
            }
            catch (BackupException e) when (e.Fault == BackupFault.EndpointExists)
            {
                // Somebody else was first.
                return false;
            }
        }))];
        bool[] added = await Deadline.Of(Task.WhenAll(same), "the additions of one name");
        Assert.AreEqual(1, added.Count(a => a));
    }

    [TestMethod]
    public void There_are_only_so_many()
    {
        EndpointChange[] all = [.. Enumerable.Range(0, EndpointList.MaxEndpoints).Select(i => new EndpointChange { Name = $"e{i}" })];
        foreach (EndpointChange change in all)
        {
            _list.Add(change);
        }
        Assert.AreEqual(BackupFault.InputInvalid, Fault(() => _list.Add(new EndpointChange { Name = "more" })));
        _list.Delete("e0");
        _list.Add(new EndpointChange { Name = "more" });
    }

    private static BackupFault Fault(Action work) => Assert.ThrowsExactly<BackupException>(work).Fault;

    private static string Shown(Endpoint e) =>
        $"{e.Name} host={e.Host} login={e.Login} password={e.Password} on={e.IsEnabled} full={e.IsForFullRunsOnly} "
        + $"{e.IntervalSeconds}/{e.TimeoutSeconds}/{e.RetryAttempts}/{e.RetryDelaySeconds} tls={e.TlsFingerprint} {e.BandwidthBytes}";
}
