using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Tests.Support;

/// <summary>
/// Makes, changes and damages trees of every kind of entry that Linux has, from a seed. Needs root. What was made is
/// counted, so that a test can tell that nothing was missed.
/// </summary>
internal sealed class EntryTreeBuilder
{
    private const int LargeBytes = 1024 * 1024;
    private const int MaxDepth = 4;

    private readonly Random _random;
    private readonly List<Node> _nodes = [];
    private readonly Dictionary<string, int> _made;
    private byte[] _root = [];

    public EntryTreeBuilder(int seed, Dictionary<string, int> made)
    {
        _random = new Random(seed);
        _made = made;
    }

    /// <summary>Device nodes and trusted attributes take more than being root: containers often lack these two rights.</summary>
    public static bool CanMakeDevices { get; } = HasCapability(27);

    public static bool CanSetTrusted { get; } = HasCapability(21);

    private enum Kind
    {
        File,
        Directory,
        Symlink,
        Link,
        Fifo,
        CharDevice,
        BlockDevice,
        Socket,
    }

    /// <summary>Fills a new directory.</summary>
    public async Task FillAsync(string root, int entries)
    {
        _root = Encoding.UTF8.GetBytes(root);
        RawFile.MakeDirectory(_root);
        _nodes.Add(new Node([], Kind.Directory, 0));
        await AddAsync(entries);
    }

    /// <summary>Changes the tree as its owner would: content, facts, names and kinds of some entries, and new ones.</summary>
    public async Task ChangeAsync()
    {
        List<Node> touched = [];
        foreach (Node node in _nodes.Where(n => n.Path.Length > 0).OrderByDescending(n => n.Depth).ToArray())
        {
            switch (_random.Next(12))
            {
                case 0 when IsLeaf(node):
                    Remove(node);
                    break;
                case 1 when IsLeaf(node):
                    Remove(node);
                    touched.Add(Make(node.Path, node.Depth, Pick()));
                    break;
                case 2 when IsLeaf(node):
                    Node moved = node with { Path = [.. Parent(node.Path), .. Name()] };
                    RawFile.Move(Full(node.Path), Full(moved.Path));
                    _nodes.Remove(node);
                    _nodes.Add(moved);
                    Count("moved");
                    break;
                case 3 when node.IsFile:
                    WriteContent(Full(node.Path));
                    Count("rewritten");
                    break;
                case 4:
                    touched.Add(node);
                    Count("facts changed");
                    break;
                default:
                    break;
            }
        }
        await GiveFactsAsync(touched);
        await AddAsync(3);
    }

    /// <summary>
    /// Damages a copy of the tree in ways that a restore over it must undo: directories stay directories and nothing is
    /// added, because a restore removes nothing that it does not know.
    /// </summary>
    public async Task DamageAsync(string copy)
    {
        byte[] own = _root;
        _root = Encoding.UTF8.GetBytes(copy);
        List<Node> touched = [];
        foreach (Node node in _nodes.Where(n => n.Kind != Kind.Socket).ToArray())
        {
            int what = _random.Next(8);
            if (what == 0)
            {
                touched.Add(node);
                Count("damaged facts");
            }
            else if (what < 5 && node.Kind != Kind.Directory)
            {
                DamageLeaf(Full(node.Path), node, what);
                Count($"damage {what}");
            }
        }
        // A file that was removed has no facts to change.
        await GiveFactsAsync([.. touched.Where(n => n.Kind == Kind.Directory || RawFile.Exists(Full(n.Path)))]);
        _root = own;
    }

    private void DamageLeaf(byte[] path, Node node, int what)
    {
        if (what == 1 && node.IsFile)
        {
            using SafeFileHandle file = RawFile.Open(path);
            RandomAccess.Write(file, [(byte)_random.Next(256)], _random.Next(5000));
            return;
        }
        RawFile.Remove(path);
        Node? other = _nodes.Where(n => n.Kind == Kind.File && n != node).OrderBy(_ => _random.Next()).FirstOrDefault();
        if (what == 2 && other is not null && RawFile.Exists(Full(other.Path)))
        {
            // Joined with a file that it has nothing to do with: writing through one name would hurt the other.
            RawFile.MakeLink(Full(other.Path), path);
        }
        else if (what == 3)
        {
            RawFile.MakeSymlink("nowhere"u8.ToArray(), path);
        }
        else if (what == 4)
        {
            WriteContent(path);
        }
    }

    private async Task AddAsync(int entries)
    {
        List<Node> made = [];
        for (int i = 0; i < entries; i++)
        {
            Node[] directories = [.. _nodes.Where(n => n.Kind == Kind.Directory && n.Depth < MaxDepth)];
            Node parent = directories[_random.Next(directories.Length)];
            byte[] prefix = parent.Path.Length == 0 ? [] : [.. parent.Path, (byte)'/'];
            made.Add(Make([.. prefix, .. Name()], parent.Depth + 1, Pick()));
        }
        await GiveFactsAsync(made);
    }

    private Node Make(byte[] path, int depth, Kind kind)
    {
        byte[] full = Full(path);
        switch (kind)
        {
            case Kind.File:
                WriteContent(full);
                break;
            case Kind.Directory:
                RawFile.MakeDirectory(full);
                break;
            case Kind.Symlink:
                RawFile.MakeSymlink(Target(), full);
                break;
            case Kind.Link:
                Node first = _nodes.Where(n => n.Kind is not (Kind.Directory or Kind.Socket)).OrderBy(_ => _random.Next()).FirstOrDefault()
                    ?? Make([.. Parent(path), .. Name()], depth, Kind.File);
                RawFile.MakeLink(Full(first.Path), full);
                Count(first.Kind is Kind.File or Kind.Symlink ? $"link of {first.Kind}" : "link of a node");
                return Add(new Node(path, first.Kind, depth));
            case Kind.Fifo:
                RawFile.MakeNode(full, RawFile.Fifo, 0, 0);
                break;
            case Kind.CharDevice:
                RawFile.MakeNode(full, RawFile.CharDevice, (uint)_random.Next(1, 4096), (uint)_random.Next(1 << 20));
                break;
            case Kind.BlockDevice:
                RawFile.MakeNode(full, RawFile.BlockDevice, (uint)_random.Next(1, 4096), (uint)_random.Next(1 << 20));
                break;
            case Kind.Socket:
                RawFile.MakeNode(full, RawFile.Socket, 0, 0);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(kind));
        }
        Count(kind.ToString());
        return Add(new Node(path, kind, depth));
    }

    private Node Add(Node node)
    {
        _nodes.Add(node);
        return node;
    }

    private void Remove(Node node)
    {
        if (node.Kind == Kind.Directory)
        {
            RawFile.RemoveDirectory(Full(node.Path));
        }
        else
        {
            RawFile.Remove(Full(node.Path));
        }
        _nodes.Remove(node);
        Count("removed");
    }

    // Half of all entries are files, so that links find something to link.
    private Kind Pick() => _random.Next(20) switch
    {
        < 7 => Kind.File,
        < 10 => Kind.Directory,
        < 12 => Kind.Symlink,
        < 15 => Kind.Link,
        15 => Kind.Fifo,
        16 or 17 when !CanMakeDevices => Kind.File,
        16 => Kind.CharDevice,
        17 => Kind.BlockDevice,
        18 => Kind.Socket,
        _ => Kind.File,
    };

    private void WriteContent(byte[] path)
    {
        using SafeFileHandle file = RawFile.Open(path);
        switch (_random.Next(16))
        {
            case 0 or 1:
                RandomAccess.SetLength(file, 0);
                Count("empty");
                break;
            case 2:
                RandomAccess.SetLength(file, 0);
                RandomAccess.Write(file, Bytes(_random.Next(LargeBytes, 2 * LargeBytes)), 0);
                Count("large");
                break;
            case 3:
                WriteSparse(file);
                Count("sparse");
                break;
            default:
                RandomAccess.SetLength(file, 0);
                RandomAccess.Write(file, Bytes(_random.Next(1, 20_000)), 0);
                Count("small");
                break;
        }
    }

    // Pieces of data between holes of at least 128 KiB, beginning and ending with either.
    private void WriteSparse(SafeFileHandle file)
    {
        RandomAccess.SetLength(file, 0);
        long position = _random.Next(2) * _random.Next(128 * 1024, LargeBytes);
        for (int i = _random.Next(4); i > 0; i--)
        {
            byte[] piece = Bytes(_random.Next(1, 50_000));
            RandomAccess.Write(file, piece, position);
            position += piece.Length + _random.Next(128 * 1024, LargeBytes);
        }
        long end = _random.Next(2) == 0 ? RandomAccess.GetLength(file) : position;
        RandomAccess.SetLength(file, Math.Max(end, 2 * LargeBytes));
    }

    // Access control lists first, then owner, mode and attributes, as each can take something of an earlier one away.
    // Directories last and from the deepest up, because what is made in one changes its time.
    private async Task GiveFactsAsync(List<Node> nodes)
    {
        await SetAclsAsync([.. nodes.Where(n => n.Kind is not (Kind.Symlink or Kind.Socket))]);
        foreach (Node node in nodes.Where(n => n.Kind != Kind.Socket).OrderBy(n => n.Kind == Kind.Directory).ThenByDescending(n => n.Depth))
        {
            byte[] path = Full(node.Path);
            RawFile.SetOwner(path, Id(), Id());
            if (node.Kind != Kind.Symlink)
            {
                RawFile.SetMode(path, (uint)_random.Next(0x1000));
            }
            SetXattrs(path, node);
            // 1906 to 2153.
            RawFile.SetTime(path, _random.NextInt64(-2_000_000_000, 5_800_000_000), _random.Next(1_000_000_000));
        }
    }

    private void SetXattrs(byte[] path, Node node)
    {
        if (node.Kind is Kind.File or Kind.Directory)
        {
            RawFile.RemoveXattr(path, "user.0"u8.ToArray());
            for (int i = _random.Next(4); i > 0; i--)
            {
                // A name of any bytes, an empty value among the values; all of them must fit into one block of ext4.
                byte[] name = _random.Next(4) == 0 ? [.. Name().Where(b => b > 127).Take(20)] : [(byte)('0' + i)];
                RawFile.SetXattr(path, [.. "user."u8, .. name, (byte)'0'], Bytes(_random.Next(200) * _random.Next(2)));
                Count("user attribute");
            }
        }
        if (CanSetTrusted && _random.Next(4) == 0)
        {
            RawFile.SetXattr(path, "trusted.backupd-test"u8.ToArray(), Bytes(_random.Next(100)));
            Count(node.Kind is Kind.File or Kind.Directory or Kind.Symlink ? $"trusted attribute of {node.Kind}" : "trusted attribute of a node");
        }
        if (node.Kind == Kind.File && _random.Next(4) == 0)
        {
            // struct vfs_cap_data, revision 2: effective, and any of the first 32 capabilities permitted.
            byte[] permitted = Bytes(4);
            RawFile.SetXattr(
                path, "security.capability"u8.ToArray(), [1, 0, 0, 2, .. permitted, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            Count("capability");
        }
    }

    private async Task SetAclsAsync(List<Node> nodes)
    {
        StringBuilder acls = new();
        foreach (Node node in nodes.Where(_ => _random.Next(4) == 0))
        {
            byte[] path = node.Path.Length == 0 ? [(byte)'.'] : node.Path;
            acls.Append("# file: ").AppendJoin("", path.Select(b => "\\" + Convert.ToString(b, 8).PadLeft(3, '0'))).Append('\n');
            AppendAcl(acls, "");
            Count(node.Kind is Kind.File or Kind.Directory ? $"access list of {node.Kind}" : "access list of a node");
            if (node.Kind == Kind.Directory && _random.Next(2) == 0)
            {
                AppendAcl(acls, "default:");
                Count("default access list");
            }
            acls.Append('\n');
        }
        using TempDirectory file = new();
        file.Write("acls", acls.ToString());
        await Shell.Ok(
            "sh", "-c", "cd \"$1\" && exec setfacl --restore=\"$2\"", "sh", Encoding.UTF8.GetString(_root), file["acls"]);
    }

    private void AppendAcl(StringBuilder acls, string scope)
    {
        string Rights() => string.Concat("rwx".Select(right => _random.Next(2) == 0 ? right : '-'));
        acls.Append(CultureInfo.InvariantCulture, $"{scope}user::{Rights()}\n{scope}user:{Id()}:{Rights()}\n");
        acls.Append(CultureInfo.InvariantCulture, $"{scope}group::{Rights()}\n{scope}group:{Id()}:{Rights()}\n");
        acls.Append(CultureInfo.InvariantCulture, $"{scope}mask::{Rights()}\n{scope}other::{Rights()}\n");
    }

    // Dangling, absolute, long, and not UTF-8.
    private byte[] Target() => _random.Next(4) switch
    {
        0 => "../nowhere"u8.ToArray(),
        1 => "/etc/hostname"u8.ToArray(),
        2 => [.. Enumerable.Range(0, _random.Next(1, 4000)).Select(i => (byte)(i % 50 == 0 ? '/' : 'a' + i % 26))],
        _ => Name(),
    };

    private byte[] Name()
    {
        int length = _random.Next(3) == 0 ? _random.Next(1, 256) : _random.Next(1, 20);
        byte[] name = Bytes(length);
        for (int i = 0; i < length; i++)
        {
            name[i] = name[i] is 0 or (byte)'/' ? (byte)'_' : name[i];
        }
        // Short names of random bytes meet each other, and the two names that every directory has.
        return length < 4 ? [.. name, .. Encoding.ASCII.GetBytes($"{_nodes.Count}-{_random.Next(1_000_000)}")] : name;
    }

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }

    private uint Id() => (uint)(_random.Next(3) == 0 ? 0 : _random.Next(70_001));

    private byte[] Full(byte[] path) => path.Length == 0 ? _root : [.. _root, (byte)'/', .. path];

    private bool IsLeaf(Node node) =>
        node.Kind != Kind.Directory || !_nodes.Exists(n => n.Path.AsSpan().StartsWith((byte[])[.. node.Path, (byte)'/']));

    private static byte[] Parent(byte[] path) => path[..(Array.LastIndexOf(path, (byte)'/') + 1)];

    private void Count(string what) => _made[what] = _made.GetValueOrDefault(what) + 1;

    private static bool HasCapability(int number)
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("CapEff:", StringComparison.Ordinal));
        return (ulong.Parse(line[7..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> number & 1) == 1;
    }

    private sealed record Node(byte[] Path, Kind Kind, int Depth)
    {
        public bool IsFile => Kind == Kind.File;
    }
}
