using Backupd.Tests.Support;

namespace Backupd.Tests.Hostile;

/// <summary>What a restore into an empty directory makes of a crafted store.</summary>
internal enum Verdict
{
    /// <summary>Refused as damaged, with a message that contains a text.</summary>
    Damaged,

    /// <summary>The entry is left out, all others are restored, and the damage is thrown at the end.</summary>
    LeftOut,

    /// <summary>Restored, with a warning or as incomplete, in a sentence that contains a text.</summary>
    Reported,

    /// <summary>Odd but harmless: restored, and the path that is the text is there.</summary>
    Taken,

    /// <summary>Refused by the system, with a message that contains a text.</summary>
    Io,

    /// <summary>The machine decides whether it can be made: taken or reported.</summary>
    Either,
}

/// <summary>One row of the table.</summary>
/// <param name="Name">A sentence.</param>
/// <param name="Verdict">What the restore does.</param>
/// <param name="Text">See <see cref="Verdict"/>.</param>
/// <param name="Craft">Makes the listing; the file <c>good</c> is added to it where nothing is said about it.</param>
internal sealed record HostileCase(string Name, Verdict Verdict, string Text, Action<HostileStore> Craft)
{
    /// <summary>Only who reads the contents can know: a dry run and the presence of chunks tell nothing.</summary>
    public bool IsHidden { get; init; }

    /// <summary>A tree of a root, these lines and the file <c>good</c>, in this order.</summary>
    public static HostileCase Lines(string name, Verdict verdict, string text, params string[] lines) =>
        Of(name, verdict, text, _ => lines);

    /// <summary>The same with lines that name content.</summary>
    public static HostileCase Of(string name, Verdict verdict, string text, Func<HostileStore, string[]> lines) =>
        new(name, verdict, text, store =>
        {
            string[] made = lines(store);
            store.Add(HostileStore.Dir(""));
            store.Add([.. made.Where(Before)]);
            store.Add(store.FileLine("good", "good"));
            store.Add([.. made.Where(l => !Before(l))]);
        });

    /// <summary>A good tree with something wrong around it.</summary>
    public static HostileCase Around(string name, Verdict verdict, string text, Action<HostileStore> change) =>
        new(name, verdict, text, store =>
        {
            store.Add(HostileStore.Dir(""), store.FileLine("good", "good"));
            change(store);
        });

    public override string ToString() => Name;

    // Which lines stand before the good file is told by the line: paths that sort behind it begin with a later letter.
    private static bool Before(string line) =>
        !line.StartsWith("{\"path\":\"l", StringComparison.Ordinal) && !line.StartsWith("{\"path\":\"x", StringComparison.Ordinal)
        && !line.StartsWith("{\"path_b64\":\"", StringComparison.Ordinal);
}
