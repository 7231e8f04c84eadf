using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;

namespace Backupd.Tests.Backup;

/// <summary>The words of manifests and of the wire.</summary>
[TestClass]
public sealed class WordConverterTests
{
    [TestMethod]
    public void Every_enumeration_with_words_has_one_for_each_member_and_reads_what_it_writes()
    {
        Type[] worded =
        [
            .. typeof(RunStatus).Assembly.GetTypes().Where(
                t => t.IsEnum && t.GetCustomAttribute<JsonConverterAttribute>() is not null),
        ];
        Assert.IsGreaterThanOrEqualTo(8, worded.Length);
        foreach (Type type in worded)
        {
            string[] words = [.. Enum.GetValues(type).Cast<object>().Select(v => JsonSerializer.Serialize(v, type))];
            Assert.HasCount(Enum.GetNames(type).Length, words.Distinct());
            foreach (string word in words)
            {
                Assert.MatchesRegex("^\"[a-z_]+\"$", word, $"{type}");
                Assert.AreEqual(word, JsonSerializer.Serialize(JsonSerializer.Deserialize(word, type), type));
            }
        }
        Assert.AreEqual("\"pre_update\"", JsonSerializer.Serialize(RunTrigger.PreUpdate));
        Assert.AreEqual(RestoreChangeKind.Extra, JsonSerializer.Deserialize<RestoreChangeKind>("\"extra\""));
        Assert.AreEqual(RunStatus.Partial, JsonSerializer.Deserialize<RunStatus>("\"p\\u0061rtial\""), "an escape is the same word");
    }

    [TestMethod]
    [DataRow("\"Completed\"", "another case")]
    [DataRow("\"complete\"", "a part of a word")]
    [DataRow("\"\"", "no word")]
    [DataRow("\"1\"", "a number in a string")]
    [DataRow("1", "a number")]
    [DataRow("null", "nothing")]
    [DataRow("[\"completed\"]", "a list")]
    public void Nothing_else_is_read(string json, string what) =>
        Assert.ThrowsExactly<JsonException>(() => JsonSerializer.Deserialize<RunStatus>(json), what);

    [TestMethod]
    public void A_value_without_a_word_is_not_written() =>
        Assert.ThrowsExactly<JsonException>(() => JsonSerializer.Serialize((RunStatus)99));
}
