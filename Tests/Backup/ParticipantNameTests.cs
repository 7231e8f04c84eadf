using Backupd.Backup.Participants;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ParticipantNameTests
{
    [TestMethod]
    [DataRow("etc", true)]
    [DataRow("a.b_c-9", true)]
    [DataRow("9lives", true)]
    [DataRow("", false)]
    [DataRow(".hidden", false)]
    [DataRow("-rf", false)]
    [DataRow("a/b", false)]
    [DataRow("a b", false)]
    [DataRow("ä", false)]
    public void The_rule_leaves_no_room_for_paths(string name, bool valid) =>
        Assert.AreEqual(valid, ParticipantName.IsValid(name));

    [TestMethod]
    public void Sixty_four_characters_are_a_name_and_sixty_five_are_not()
    {
        Assert.IsTrue(ParticipantName.IsValid(new string('a', 64)));
        Assert.IsFalse(ParticipantName.IsValid(new string('a', 65)));
    }

    [TestMethod]
    public void Base_names_become_names_and_a_taken_one_gets_a_number()
    {
        Assert.AreEqual("my_file_1_.txt", ParticipantName.FromBaseName("my file(1).txt", new HashSet<string>()));
        Assert.AreEqual("p.hidden", ParticipantName.FromBaseName(".hidden", new HashSet<string>()));
        Assert.AreEqual("etc-3", ParticipantName.FromBaseName("etc", new HashSet<string> { "etc", "etc-2" }));
        string taken = new('a', 64);
        string other = ParticipantName.FromBaseName(taken, new HashSet<string> { taken });
        Assert.AreEqual(new string('a', 62) + "-2", other);
    }
}
