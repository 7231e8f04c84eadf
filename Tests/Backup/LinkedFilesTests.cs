using System.Globalization;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Tests.Backup;

/// <summary>Files with several names, of which a walk does not meet all.</summary>
[TestClass]
public sealed class LinkedFilesTests
{
    [TestMethod]
    public void What_was_met_last_is_remembered_and_not_everything()
    {
        LinkedFiles links = new();
        FileStatus status = new() { LinkCount = 2, RawMode = 0x8000 };
        ListingEntry entry = EntryFacts.Entry([], status, DateTimeOffset.UnixEpoch);
        WaitingEntry content = new();
        for (int i = 0; i < 200_000; i++)
        {
            links.Remember(string.Create(CultureInfo.InvariantCulture, $"{i}"), status, entry, content);
        }
        Assert.IsNull(links.Find("0", status));
        Assert.IsNull(links.Find("100000", status));
        Assert.IsNotNull(links.Find("180000", status));
        Assert.IsNotNull(links.Find("199999", status));
        links.Remember("199999", status, entry, content);
        Assert.IsNull(links.Find("199999", status), "that was the last of its names");
    }
}
