using System.Collections.Immutable;
using System.Net;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Configuration;

/// <summary>Reads the key <c>listen</c>.</summary>
internal static class ListenSection
{
    private const int MostConnections = 20_000;

    internal static DaemonConfiguration Read(ref ConfigurationTokens tokens, DaemonConfiguration configuration)
    {
        HashSet<string> seen = [];
        int addressPlace = 0;
        tokens.BeginObject("listen");
        while (tokens.NextKey(ConfigurationKeys.Listen, seen) is string key)
        {
            configuration = key switch
            {
                "socket" => configuration with { Socket = Socket(ref tokens) },
                "group" => configuration with { Group = tokens.Text() },
                "tcp" => configuration with { Tcp = Address(ref tokens, out addressPlace) },
                "tls" => configuration with { Tls = Tls(ref tokens) },
                "allowPlaintext" => configuration with { AllowPlaintext = tokens.Flag() },
                "maxConnections" => configuration with { MaxConnections = (int)tokens.Number(1, MostConnections) },
                "hosts" => configuration with { Hosts = Hosts(ref tokens) },
                "envelope" => configuration with { IsEnvelopeWrapped = tokens.IsSecond("flat", "wrapped") },
                "tokenSecretFile" => configuration with { TokenSecretFile = tokens.SecretPath() },
                "revokedTokensFile" => configuration with { RevokedTokensFile = tokens.AbsolutePath() },
                _ => throw new InvalidOperationException($"the key {key} is in the table and not read"),
            };
        }
        // At the end: the three keys may come in any order.
        return configuration.IsPlaintextExposed
            ? throw tokens.Error(
                addressPlace,
                "tokens and names would travel readable, because this is no loopback address and \"tls\" is \"off\"; use TLS, "
                + "or a loopback address such as 127.0.0.1, or say \"allowPlaintext\": true")
            : configuration;
    }

    private static string Socket(ref ConfigurationTokens tokens)
    {
        string path = tokens.Text();
        return path.Length == 0 ? ""
            : !UnixListener.IsTooLong(path) ? tokens.Absolute(path)
            : throw tokens.Error($"the path of a socket has at most {UnixListener.MostPathBytes} bytes");
    }

    private static IPEndPoint? Address(ref ConfigurationTokens tokens, out int place)
    {
        string text = tokens.Text();
        place = tokens.Place;
        if (text.Length == 0)
        {
            return null;
        }
        // Without the colon an IPv6 address would be read as one without a port, and a number as an address.
        bool hasPort = text.LastIndexOf(':') > Math.Max(0, text.LastIndexOf(']'));
        return hasPort && IPEndPoint.TryParse(text, out IPEndPoint? address) && address.Port > 0
            ? address
            : throw tokens.Error("this must be an address and a port, such as \"127.0.0.1:8620\" or \"[::1]:8620\"");
    }

    private static TlsSetting Tls(ref ConfigurationTokens tokens)
    {
        tokens.Next();
        return tokens.IsObject
            ? CertificateFiles(ref tokens)
            : tokens.CurrentText() switch
            {
                "auto" => TlsSetting.Auto,
                "off" => TlsSetting.Off,
                _ => throw tokens.Error("this must be \"auto\", \"off\" or { \"certificate\": FILE, \"key\": FILE }"),
            };
    }

    private static TlsSetting CertificateFiles(ref ConfigurationTokens tokens)
    {
        int place = tokens.Place;
        string certificate = "";
        string privateKey = "";
        HashSet<string> seen = [];
        while (tokens.NextKey(ConfigurationKeys.Tls, seen) is string key)
        {
            if (key == "certificate")
            {
                certificate = tokens.SecretPath();
            }
            else
            {
                privateKey = tokens.SecretPath();
            }
        }
        return certificate.Length > 0 && privateKey.Length > 0
            ? new TlsSetting(TlsMode.Files, certificate, privateKey)
            : throw tokens.Error(place, "this must name both files, \"certificate\" and \"key\"");
    }

    private static ImmutableArray<string> Hosts(ref ConfigurationTokens tokens)
    {
        ImmutableArray<string>.Builder hosts = ImmutableArray.CreateBuilder<string>();
        tokens.BeginArray("of host names, such as [\"backup.example.org\"]");
        while (tokens.NextElement())
        {
            string host = tokens.CurrentText();
            hosts.Add(Uri.CheckHostName(host) != UriHostNameType.Unknown
                ? host
                : throw tokens.Error("this must be a host name or an address, without a port"));
        }
        return hosts.ToImmutable();
    }
}
