using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A conversation about endpoints, byte for byte.</summary>
[TestClass]
public sealed class GoldenEndpointTests
{
    [TestMethod]
    public async Task Adding_looking_changing_and_removing()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        await GoldenMessage.Exchange(client, "config", "config-none.json");
        await GoldenMessage.Exchange(client, "config-add-directory", "config-added-directory.json");
        await GoldenMessage.Exchange(client, "config-add", "config-added.json");
        await GoldenMessage.Exchange(client, "config", "config.json");
        await GoldenMessage.Exchange(client, "config-add", "error-config-duplicate.json");
        await GoldenMessage.Exchange(client, "config-move", "error-password-required.json");
        await GoldenMessage.Exchange(client, "config-update", "config-updated.json");
        await GoldenMessage.Exchange(client, "config-scheme", "error-config-host.json");
        await GoldenMessage.Exchange(client, "config-delete", "config-deleted.json");
        await GoldenMessage.Exchange(client, "config-delete", "error-config-not-found.json");
        using TestClient manager = await server.ConnectAsync(TestServer.Token(SessionRole.Manager));
        await GoldenMessage.Exchange(manager, "config-add-directory", "error-config-directory.json");
    }
}
