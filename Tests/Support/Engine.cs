using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Tests.Support;

/// <summary>A real engine with a real store in a temporary directory.</summary>
internal sealed class Engine : IDisposable
{
    private readonly TempDirectory _directory;

    public Engine(params ParticipantDefinition[] participants)
        : this(new EngineSettings(), participants)
    {
    }

    public Engine(EngineSettings settings, params ParticipantDefinition[] participants)
        : this(settings, TimeProvider.System, participants)
    {
    }

    public Engine(EngineSettings settings, TimeProvider time, params ParticipantDefinition[] participants)
        : this(new TempDirectory(), settings, time, participants)
    {
    }

    private Engine(TempDirectory directory, EngineSettings settings, TimeProvider time, ParticipantDefinition[] participants)
    {
        _directory = directory;
        Store = BackupStore.OpenOrCreate(_directory["backups"]);
        Supervisor = new BackupSupervisor(Store, [.. participants], settings, time);
    }

    public BackupStore Store { get; }

    public BackupSupervisor Supervisor { get; }

    /// <summary>One whose store is in memory.</summary>
    public static Engine InMemory(params ParticipantDefinition[] participants) =>
        new(TempDirectory.InMemory(), new EngineSettings(), TimeProvider.System, participants);

    /// <summary>Runs a full backup to its end.</summary>
    public async Task<BackupRun> Run(params string[] participants)
    {
        StartedRun started = Supervisor.Start(new RunRequest(RunTrigger.Manual, [.. participants]));
        return await Deadline.Of(started.Completion, "the run to end");
    }

    /// <summary>Runs a full backup that must be completed.</summary>
    public async Task<BackupRun> RunOk()
    {
        BackupRun run = await Run();
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
        return run;
    }

    /// <summary>Restores a run with all that it holds and returns the directory.</summary>
    public string Restore(BackupRun run, string name, params string[] participants)
    {
        string target = _directory[name];
        new RunRestorer(Store, TimeProvider.System).Restore(
            new RestoreRequest
            {
                Run = run.Id,
                TargetDirectory = target,
                Participants = [.. participants],
                PreserveSpecial = true,
            },
            new ProgressCell(0),
            CancellationToken.None);
        return target;
    }

    /// <summary>Restores in place to the end, whatever that is.</summary>
    public async Task<RestoreEnd> RestoreInPlace(RestoreRunRequest request)
    {
        StartedRestore started = Supervisor.StartRestore(request with { IsForced = true });
        return await Deadline.Of(started.Completion, "the restore to end");
    }

    /// <summary>Restores a run, or undoes a restore, in place; it must be completed.</summary>
    public async Task<RestoreRun> RestoreInPlaceOk(RunId source, params string[] paths)
    {
        RestoreEnd end = await RestoreInPlace(new RestoreRunRequest(source) { Paths = [.. paths], PreserveSpecial = true });
        Assert.AreEqual(RunStatus.Completed, end.Restore.Status, end.Restore.ErrorSummary);
        return end.Restore;
    }

    public BackupRun Validate(BackupRun run) => Supervisor.Validate(run.Id, [], false, null, CancellationToken.None);

    /// <summary>Every chunk file of the store.</summary>
    public ImmutableArray<string> Chunks() =>
        [.. Directory.GetFiles(Store.ChunksDirectory, "*", SearchOption.AllDirectories)];

    public void Dispose()
    {
        Supervisor.Dispose();
        _directory.Dispose();
    }
}

/// <summary>A command participant that waits until the test lets it go on.</summary>
internal sealed class Gate : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly string _started;
    private readonly string _pipe;

    public Gate()
    {
        _started = _directory["started"];
        _pipe = _directory["pipe"];
        using System.Diagnostics.Process made = Shell.Start("mkfifo", [_pipe]);
        made.WaitForExit();
    }

    /// <summary>The participant: says that it has begun, then reads the pipe to its end.</summary>
    public CommandParticipant Participant(string name, bool critical = true) =>
        new(name, critical, ["sh", "-c", "touch \"$1\"; cat \"$2\"", "sh", _started, _pipe]);

    /// <summary>Waits until the participant is being dumped.</summary>
    public Task Entered() => Deadline.Until(() => File.Exists(_started), "the gated participant has begun");

    /// <summary>Lets it end.</summary>
    public void Open()
    {
        using FileStream pipe = new(_pipe, FileMode.Open, FileAccess.Write);
        pipe.Write("through the gate\n"u8);
    }

    public void Dispose() => _directory.Dispose();
}
