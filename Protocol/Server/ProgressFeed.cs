using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Protocol.Server;

/// <summary>
/// Progress as bytes. A snapshot is serialised once, whoever asks first, and the bytes are shared by all sessions.
/// </summary>
public sealed class ProgressFeed
{
    /// <summary>The one channel there is, and the name of its events.</summary>
    public const string Channel = "backup.progress";

    // The constant 3 stands for "event" in this family of protocols.
    private static readonly byte[] EventStart = "{\"event\":\"backup.progress\",\"type\":3,\"data\":"u8.ToArray();

    private readonly ProgressCell _cell;

    // Two threads may both encode a new snapshot; they get the same bytes and the last one stays.
    private Encoded? _polled;
    private Encoded? _pushed;

    // Apart from what is pushed: subscribers that are behind ask for it while others are sent what is new.
    private Encoded? _ended;

    /// <summary>Makes a feed of a cell.</summary>
    public ProgressFeed(ProgressCell cell) => _cell = cell;

    /// <summary>The newest state.</summary>
    public ProgressState Current => _cell.Current;

    /// <summary>The progress object for a poller.</summary>
    public ReadOnlyMemory<byte> PolledObject() => Encode(_cell.Current.Polled, ref _polled).Object;

    /// <summary>The event for a subscriber, without a line end.</summary>
    public ReadOnlyMemory<byte> Event(ProgressSnapshot snapshot) => Encode(snapshot, ref _pushed).Event;

    /// <summary>The same for what a poller is told in a state.</summary>
    internal ReadOnlyMemory<byte> PolledEvent(ProgressState state) => Encode(state.Polled, ref _polled).Event;

    /// <summary>How long the event of the newest ending is; 0 when nothing has ended.</summary>
    public int LastEndingBytes() =>
        _cell.Current.LastEnding.Snapshot is ProgressSnapshot ending ? Encode(ending, ref _ended).Event.Length : 0;

    private static Encoded Encode(ProgressSnapshot snapshot, ref Encoded? last)
    {
        Encoded? known = Volatile.Read(ref last);
        if (known is not null && ReferenceEquals(known.Snapshot, snapshot))
        {
            return known;
        }
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(ProgressObject.From(snapshot), WireJson.Default.ProgressObject);
        Encoded encoded = new(snapshot, json, [.. EventStart, .. json, (byte)'}']);
        Volatile.Write(ref last, encoded);
        return encoded;
    }

    private sealed record Encoded(ProgressSnapshot Snapshot, byte[] Object, byte[] Event);
}
