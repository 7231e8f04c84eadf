using System.Text.Json.Serialization;

namespace Backupd.Protocol.Contracts;

/// <summary>Generated serialisers of everything that goes over the wire.</summary>
/// <remarks>The default encoder stays: one client of this family turns every apostrophe into a quotation mark before
/// it parses, and the default encoder writes <c>\u0027</c>.</remarks>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ProgressObject))]
[JsonSerializable(typeof(RunObject))]
[JsonSerializable(typeof(SubscribeReply))]
[JsonSerializable(typeof(StopBackupServerReply))]
[JsonSerializable(typeof(GetBackupRunsReply))]
[JsonSerializable(typeof(DeleteBackupRunReply))]
[JsonSerializable(typeof(GetBackupParticipantsReply))]
[JsonSerializable(typeof(GetServerInfoReply))]
[JsonSerializable(typeof(SetMaintenanceReply))]
[JsonSerializable(typeof(PruneBackupRunsReply))]
[JsonSerializable(typeof(RestoreObject))]
[JsonSerializable(typeof(GetRestoreRunsReply))]
[JsonSerializable(typeof(EndpointObject))]
[JsonSerializable(typeof(GetBackupConfigReply))]
[JsonSerializable(typeof(DeleteBackupConfigReply))]
[JsonSerializable(typeof(DeleteRemoteBackupRunReply))]
public sealed partial class WireJson : JsonSerializerContext;
