using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>One-shot zstd frames with content size and checksum. Not safe for two threads at once: one a worker.</summary>
internal sealed unsafe partial class Zstd : IDisposable
{
    private const string Library = "libzstd";
    private const int CompressionLevelParameter = 100;
    private const int ContentSizeFlagParameter = 200;
    private const int ChecksumFlagParameter = 201;

    private nint _compression;
    private nint _decompression;

    /// <summary>The most bytes that a frame of so many bytes can take.</summary>
    internal static int MaxCompressedSize(int length) => checked((int)CompressBound((nuint)length));

    /// <summary>The content size that a frame's header states, or -1 when there is none or it is no frame.</summary>
    internal static long ContentSize(ReadOnlySpan<byte> frame)
    {
        fixed (byte* source = frame)
        {
            ulong size = FrameContentSize(source, (nuint)frame.Length);
            // The two highest values mean "unknown" and "error".
            return size >= ulong.MaxValue - 1 || size > long.MaxValue ? -1 : (long)size;
        }
    }

    /// <summary>Compresses into a frame and returns its length.</summary>
    internal int Compress(ReadOnlySpan<byte> content, Span<byte> frame, int level)
    {
        if (_compression == 0)
        {
            _compression = CreateCompressionContext();
            SetParameter(_compression, ContentSizeFlagParameter, 1);
            SetParameter(_compression, ChecksumFlagParameter, 1);
        }
        SetParameter(_compression, CompressionLevelParameter, level);
        fixed (byte* target = frame)
        fixed (byte* source = content)
        {
            nuint result = Compress2(_compression, target, (nuint)frame.Length, source, (nuint)content.Length);
            return IsError(result) == 0
                ? (int)result
                : throw new InvalidOperationException($"zstd cannot compress: {ErrorText(result)}");
        }
    }

    /// <summary>Decompresses a frame whose content fits; returns the length, or -1 and why.</summary>
    internal int Decompress(ReadOnlySpan<byte> frame, Span<byte> content, out string error)
    {
        if (_decompression == 0)
        {
            _decompression = CreateDecompressionContext();
        }
        fixed (byte* target = content)
        fixed (byte* source = frame)
        {
            nuint result = DecompressInto(_decompression, target, (nuint)content.Length, source, (nuint)frame.Length);
            bool failed = IsError(result) != 0;
            error = failed ? ErrorText(result) : "";
            return failed ? -1 : (int)result;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        FreeCompressionContext(_compression);
        FreeDecompressionContext(_decompression);
        _compression = 0;
        _decompression = 0;
    }

    private static void SetParameter(nint context, int parameter, int value)
    {
        nuint result = SetCompressionParameter(context, parameter, value);
        if (IsError(result) != 0)
        {
            throw new InvalidOperationException($"zstd refuses parameter {parameter}={value}: {ErrorText(result)}");
        }
    }

    private static string ErrorText(nuint code) => Marshal.PtrToStringUTF8(ErrorName(code)) ?? "unknown error";

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    private static partial nint CreateCompressionContext();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    private static partial nuint FreeCompressionContext(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    private static partial nuint SetCompressionParameter(nint context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    private static partial nuint Compress2(nint context, byte* target, nuint capacity, byte* source, nuint length);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    private static partial nint CreateDecompressionContext();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint FreeDecompressionContext(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    private static partial nuint DecompressInto(
        nint context, byte* target, nuint capacity, byte* source, nuint length);

    [LibraryImport(Library, EntryPoint = "ZSTD_getFrameContentSize")]
    private static partial ulong FrameContentSize(byte* source, nuint length);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    private static partial nuint CompressBound(nuint length);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint code);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint code);
}
