using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>Receives and sends what can be at once. A handle that is closed meanwhile is closed for others only when the call has
/// returned.</summary>
internal static unsafe class SocketCalls
{
    // SIOCOUTQ of linux/sockios.h.
    private const nuint OutputQueue = 0x5411;

    // From sys/socket.h.
    private const int Peek = 0x2;
    private const int AtOnce = 0x40;
    private const int NoSignal = 0x4000;

    /// <summary>Receives: 0 at the end of the input, -1 when nothing is there.</summary>
    /// <param name="socket">A connected one.</param>
    /// <param name="space">Not empty.</param>
    /// <param name="peeks">Leaves the bytes where they are.</param>
    /// <exception cref="PosixException">The connection has failed.</exception>
    /// <exception cref="ObjectDisposedException">The handle is closed.</exception>
    internal static int Receive(SafeHandle socket, Span<byte> space, bool peeks)
    {
        while (true)
        {
            nint count;
            fixed (byte* bytes = space)
            {
                count = Libc.Receive(socket, bytes, space.Length, peeks ? AtOnce | Peek : AtOnce);
            }
            if (count >= 0)
            {
                return (int)count;
            }
            int error = Marshal.GetLastPInvokeError();
            if (error == Errno.TryAgain)
            {
                return -1;
            }
            if (error != Errno.Interrupted)
            {
                throw new PosixException("receive from", "a client", error);
            }
        }
    }

    /// <summary>Sends as many bytes as there is room for and says how many; less than 1 for none, whatever the reason.</summary>
    /// <exception cref="ObjectDisposedException">The handle is closed.</exception>
    internal static int Send(SafeHandle socket, ReadOnlySpan<byte> data)
    {
        fixed (byte* bytes = data)
        {
            return (int)Libc.Send(socket, bytes, data.Length, AtOnce | NoSignal);
        }
    }
    /// <summary>How many bytes were sent that the other side has not taken; -1 when the socket is closed or does not
    /// say.</summary>
    internal static int Unread(SafeHandle socket)
    {
        try
        {
            int bytes = 0;
            return Libc.DeviceControl(socket, OutputQueue, &bytes) == 0 ? bytes : -1;
        }
        catch (ObjectDisposedException)
        {
            // Closed on another thread, which is no reason to fail here.
            return -1;
        }
    }
}
