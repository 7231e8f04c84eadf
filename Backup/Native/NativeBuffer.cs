using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>A block of memory outside the garbage collector's heap: an idle daemon gives it back at once. It begins at a
/// multiple of <see cref="DirectFile.Alignment"/>.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private byte* _bytes;

    internal NativeBuffer(int length)
    {
        Length = length;
        _bytes = (byte*)NativeMemory.AlignedAlloc((nuint)length, DirectFile.Alignment);
    }

    ~NativeBuffer() => Free();

    internal int Length { get; }

    /// <summary>The memory. The caller keeps the buffer alive while it uses the span.</summary>
    internal Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_bytes is null, this);
            return new Span<byte>(_bytes, Length);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_bytes);
        _bytes = null;
    }
}
