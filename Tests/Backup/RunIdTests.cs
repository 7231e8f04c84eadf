using Backupd.Backup.Runs;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RunIdTests
{
    [TestMethod]
    [DataRow("20260102-030405-000001", true)]
    [DataRow("20260102-030405-999999", true)]
    [DataRow("", false)]
    [DataRow(null, false)]
    [DataRow("20260102-030405-00001", false)]
    [DataRow("20260102-030405-0000011", false)]
    [DataRow("20260102_030405-000001", false)]
    [DataRow("../60102-030405-000001", false)]
    [DataRow("20260102-030405-00000/", false)]
    [DataRow("20260102-030405-00000.", false)]
    [DataRow("2026010２-030405-000001", false)]
    [DataRow(" 0260102-030405-000001", false)]
    public void Only_the_documented_shape_is_a_run_id(string? text, bool valid)
    {
        Assert.AreEqual(valid, RunId.TryParse(text, out RunId id));
        Assert.AreEqual(valid ? text : "", id.ToString());
    }

    [TestMethod]
    public void An_id_tells_when_the_run_started_and_its_number()
    {
        RunId id = RunId.Create(new DateTimeOffset(2026, 1, 2, 5, 4, 5, TimeSpan.FromHours(2)), 1_000_007);
        Assert.AreEqual("20260102-030405-000007", id.ToString());
    }

    [TestMethod]
    public void Ids_order_by_time_and_then_by_number()
    {
        RunId first = RunId.Create(DateTimeOffset.UnixEpoch, 9);
        RunId second = RunId.Create(DateTimeOffset.UnixEpoch, 10);
        RunId third = RunId.Create(DateTimeOffset.UnixEpoch.AddSeconds(1), 1);
        Assert.IsTrue(first < second && second < third && third > first);
    }
}
