using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Native;

/// <summary>
/// Waits until one of many sockets has something to receive (epoll). A socket is told once each time when more has come, not as
/// long as there is some. <see cref="Wait"/> is for one thread, everything else for any.
/// </summary>
internal sealed unsafe class EventPoll : IDisposable
{
    // From sys/epoll.h and sys/eventfd.h; O_CLOEXEC and O_NONBLOCK have the same values there.
    private const int Add = 1;
    private const int Delete = 2;
    private const uint Readable = 0x1;
    private const uint Failed = 0x8;
    private const uint HungUp = 0x10;
    private const uint InputEnds = 0x2000;
    private const uint EachTime = 0x8000_0000;

    // struct epoll_event is packed on x86-64 and nowhere else.
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EventBytes = DataOffset + sizeof(long);

    private readonly SafeFileHandle _poll;
    private readonly SafeFileHandle _waker;
    private readonly byte[] _events;

    /// <param name="mostAtOnce">How many are told of by one wait.</param>
    /// <exception cref="PosixException">No descriptors are left.</exception>
    internal EventPoll(int mostAtOnce)
    {
        _events = new byte[mostAtOnce * EventBytes];
        _poll = Owned(Libc.EpollCreate(Posix.CloseOnExec));
        _waker = Owned(Libc.EventFd(0, Posix.CloseOnExec | Posix.NonBlock));
        Watch(_waker, 0);
    }

    /// <summary>From now on tells of a socket, also of what it has to receive already.</summary>
    /// <param name="socket">Forgotten when it is closed.</param>
    /// <param name="key">What it is called in <see cref="Key"/>; not 0.</param>
    /// <exception cref="PosixException">The kernel watches as many as it may.</exception>
    internal void Watch(SafeHandle socket, long key)
    {
        byte* change = stackalloc byte[EventBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(change, sizeof(uint)), Readable | InputEnds | EachTime);
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(change + DataOffset, sizeof(long)), key);
        if (Libc.EpollControl(_poll, Add, socket, change) != 0)
        {
            throw PosixException.Last("watch", "a socket");
        }
    }

    /// <summary>Tells of a socket no more.</summary>
    internal void Forget(SafeHandle socket)
    {
        byte* unused = stackalloc byte[EventBytes];
        _ = Libc.EpollControl(_poll, Delete, socket, unused);
    }

    /// <summary>Waits and says how many sockets have something, 0 when there is none after all.</summary>
    /// <param name="canWait">False only looks.</param>
    internal int Wait(bool canWait)
    {
        int count;
        fixed (byte* events = _events)
        {
            count = Libc.EpollWait(_poll, events, _events.Length / EventBytes, canWait ? -1 : 0);
        }
        return count >= 0 || Marshal.GetLastPInvokeError() == Errno.Interrupted
            ? Math.Max(count, 0)
            : throw PosixException.Last("wait for", "sockets");
    }

    /// <summary>Which socket the last wait told of at an index, 0 for <see cref="Wake"/>.</summary>
    internal long Key(int index) =>
        BinaryPrimitives.ReadInt64LittleEndian(_events.AsSpan((index * EventBytes) + DataOffset, sizeof(long)));

    /// <summary>Whether the input of that socket has an end: told once.</summary>
    internal bool Ends(int index) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(_events.AsSpan(index * EventBytes, sizeof(uint)))
            & (InputEnds | HungUp | Failed)) != 0;

    /// <summary>Lets the wait that is on end.</summary>
    internal void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(Posix.Number(_waker), (byte*)&one, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poll.Dispose();
        _waker.Dispose();
    }

    private static SafeFileHandle Owned(int file) =>
        file >= 0 ? new SafeFileHandle(file, ownsHandle: true) : throw PosixException.Last("make", "an event poll");
}
