using Backupd.Backup.Remote;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class EndpointAddressTests
{
    [TestMethod]
    [DataRow("10.10.10.20:8620", "10.10.10.20:8620", "10.10.10.20", 8620)]
    [DataRow("10.10.10.20", "10.10.10.20:8620", "10.10.10.20", 8620)]
    [DataRow("Backup.Example.org:1", "backup.example.org:1", "backup.example.org", 1)]
    [DataRow("nas_2:65535", "nas_2:65535", "nas_2", 65535)]
    [DataRow("[2001:DB8::1]:8621", "[2001:db8::1]:8621", "2001:db8::1", 8621)]
    [DataRow("[::1]", "[::1]:8620", "::1", 8620)]
    [DataRow("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1", 1)]
    public void Another_backupd_is_a_host_and_a_port(string text, string same, string host, int port)
    {
        EndpointAddress address = EndpointAddress.TryParse(text, out string problem)!;
        Assert.AreEqual(
            (same, "", host, port, false, ""),
            (address.Text, address.Directory, address.Host, address.Port, address.IsDirectory, problem));
        Assert.AreEqual(same, EndpointAddress.TryParse(same, out _)!.Text);
    }

    [TestMethod]
    [DataRow("file:///mnt/usb/backups", "/mnt/usb/backups")]
    [DataRow("FILE:///mnt//Usb/", "/mnt/Usb")]
    [DataRow("file:///mnt/a b%20c:1/.hidden/..x", "/mnt/a b%20c:1/.hidden/..x")]
    public void A_directory_is_an_absolute_path_as_it_is(string text, string directory)
    {
        EndpointAddress address = EndpointAddress.TryParse(text, out string problem)!;
        Assert.AreEqual(
            ("file://" + directory, directory, "", 0, true, ""),
            (address.Text, address.Directory, address.Host, address.Port, address.IsDirectory, problem));
    }

    [TestMethod]
    [DataRow("", "HOST:PORT")]
    [DataRow(":8620", "HOST:PORT")]
    [DataRow("host:", "from 1 to 65535")]
    [DataRow("host:0", "from 1 to 65535")]
    [DataRow("host:65536", "from 1 to 65535")]
    [DataRow("host:+1", "from 1 to 65535")]
    [DataRow("host: 1", "from 1 to 65535")]
    [DataRow("host:1:2", "from 1 to 65535")]
    [DataRow("2001:db8::1", "[IPv6]:PORT")]
    [DataRow("::1", "[IPv6]:PORT")]
    [DataRow("[::1", "[IPv6]:PORT")]
    [DataRow("[::1]8620", "[IPv6]:PORT")]
    [DataRow("[]:1", "[IPv6]:PORT")]
    [DataRow("[host]:1", "[IPv6]:PORT")]
    [DataRow("-host:1", "HOST:PORT")]
    [DataRow("ho st:1", "HOST:PORT")]
    [DataRow("höst:1", "HOST:PORT")]
    [DataRow("host/x:1", "HOST:PORT")]
    [DataRow("ho\nst:1", "control characters")]
    [DataRow("s3+https://s3.example.org/bucket", "does not speak s3+https")]
    [DataRow("https://host:8620", "does not speak https")]
    [DataRow("/mnt/usb", "file:///mnt/usb")]
    [DataRow("file://", "file:///DIRECTORY")]
    [DataRow("file:///", "below /")]
    [DataRow("file:////", "below /")]
    [DataRow("file://host/mnt", "file:///DIRECTORY")]
    [DataRow("file://./mnt", "file:///DIRECTORY")]
    [DataRow("file:///mnt/../etc", "without . and ..")]
    [DataRow("file:///./mnt", "without . and ..")]
    [DataRow("file:///mnt/\u0000x", "control characters")]
    public void What_is_neither_is_told_what_is_possible(string text, string told)
    {
        Assert.IsNull(EndpointAddress.TryParse(text, out string problem), text);
        Assert.StartsWith("must ", problem);
        Assert.Contains(told, problem);
    }

    [TestMethod]
    public void Its_length_has_a_bound()
    {
        Assert.IsNotNull(EndpointAddress.TryParse("file:///" + new string('x', 1024 - 8), out _));
        Assert.IsNull(EndpointAddress.TryParse("file:///" + new string('x', 1024 - 7), out string problem));
        Assert.Contains("1024", problem);
        Assert.IsNotNull(EndpointAddress.TryParse(new string('x', 253), out _));
        Assert.IsNull(EndpointAddress.TryParse(new string('x', 254), out _));
    }
}
