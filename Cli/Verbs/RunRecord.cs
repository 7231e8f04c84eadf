using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>Everything that is known of a run, with nothing left out.</summary>
internal static class RunRecord
{
    internal static void Write(FoundRun found, TextWriter output)
    {
        RunObject run = found.Run;
        output.WriteLine($"run        {run.RunId}{(run.Pinned ? "  (pinned)" : "")}");
        output.WriteLine($"status     {RunNames.Of(run.Status)}");
        if (run.ErrorSummary.Length > 0)
        {
            output.WriteLine($"error      {Units.Printable(run.ErrorSummary)}");
        }
        output.WriteLine($"trigger    {RunNames.Of(run.Trigger)}");
        string named = run.RequestedParticipants.Count > 0 ? $": {string.Join(", ", run.RequestedParticipants)}" : "";
        output.WriteLine($"type       {RunNames.Of(run.Type)}{named}");
        output.WriteLine($"began      {Units.Time(run.StartedAt)}");
        output.WriteLine(
            $"ended      {Units.Time(run.FinishedAt)}, after {Units.Seconds(run.FinishedAt - run.StartedAt)}");
        output.WriteLine($"path       {run.Path}");
        output.WriteLine(
            $"validated  {(run.ValidatedAt > 0 ? Units.Time(run.ValidatedAt) : "never since it was made")}");
        if (found.Record is not null)
        {
            output.WriteLine($"made by    backupd {found.Record.BackupdVersion} on {Units.Printable(found.Record.Host)}");
        }
        foreach (ParticipantObject participant in run.Participants)
        {
            Write(participant, output);
        }
        foreach (RemoteObject remote in run.Remotes ?? [])
        {
            output.WriteLine(
                $"{remote.ServerName}: {(remote.Ok ? "published" : "NOT PUBLISHED")}, "
                + $"step {remote.StepsDone} of {remote.StepsTotal} done");
            if (remote.Error.Length > 0)
            {
                output.WriteLine($"  error    {Units.Printable(remote.Error)}");
            }
        }
        if (found.Record is not null)
        {
            output.WriteLine("figures");
            RunFigures.Write(found.Record, output);
        }
    }

    private static void Write(ParticipantObject participant, TextWriter output)
    {
        string time = participant.StartedAt > 0
            ? $"{Units.Time(participant.StartedAt)}, {Units.Seconds(participant.FinishedAt - participant.StartedAt)}"
            : "its turn never came";
        output.WriteLine(
            $"{participant.Name}: {(participant.Ok ? "ok" : "NOT OK")}, {(participant.Critical ? "" : "not ")}critical, {time}");
        if (participant.Error.Length > 0)
        {
            output.WriteLine($"  error    {Units.Printable(participant.Error)}");
        }
        foreach (ArtifactObject artifact in participant.Artifacts)
        {
            Write(artifact, output);
        }
    }

    private static void Write(ArtifactObject artifact, TextWriter output)
    {
        output.WriteLine(
            $"  artifact {artifact.Path}: {Units.Count(artifact.Files, "file")}, {Units.Bytes(artifact.SizeBytes)}; "
            + $"new: {Units.Bytes(artifact.BytesNew)}, {Units.Bytes(artifact.BytesStored)} on disk");
        output.WriteLine($"  sha256   {artifact.Sha256}");
        if (!artifact.IntegrityOk)
        {
            output.WriteLine($"  the source is damaged: {Units.Printable(artifact.IntegrityError)}");
        }
        if (!artifact.ValidationOk)
        {
            string why = artifact.ValidationError.Length > 0 ? artifact.ValidationError : "it was not read back";
            output.WriteLine($"  not validated: {Units.Printable(why)}");
        }
        foreach (string warning in artifact.Warnings)
        {
            output.WriteLine($"  warning  {Units.Printable(warning)}");
        }
        if (artifact.WarningCount is long all && all > artifact.Warnings.Count)
        {
            output.WriteLine(
                $"  and {Units.Count(all - artifact.Warnings.Count, "more warning")}, whose sentences were not kept");
        }
    }
}
