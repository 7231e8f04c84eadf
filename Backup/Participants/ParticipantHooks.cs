using System.Collections.Immutable;
using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Runs what a participant names as <c>before</c> and <c>after</c>: the programs that flush or freeze its source and
/// thaw it again. The runner's thread.
/// </summary>
internal sealed class ParticipantHooks
{
    // A flush, a freeze or a volume's snapshot takes seconds, and on the slowest of disks minutes. A participant that is a
    // program has a timeout in the configuration, and then that is the bound.
    internal static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(10);

    private readonly ParticipantDefinition _participant;
    private readonly ImmutableArray<string> _variables;
    private readonly ParticipantContext _context;
    private readonly Action<string> _tell;

    /// <param name="participant">Whose programs they are.</param>
    /// <param name="runId">The run, for the programs' environment.</param>
    /// <param name="trigger">What started it, in the word of the wire.</param>
    /// <param name="context">Clock, cancellation and progress.</param>
    /// <param name="tell">Told what is going on, for people.</param>
    internal ParticipantHooks(
        ParticipantDefinition participant, string runId, string trigger, ParticipantContext context, Action<string> tell)
    {
        _participant = participant;
        _context = context;
        _tell = tell;
        _variables = [$"BACKUPD_RUN_ID={runId}", $"BACKUPD_PARTICIPANT={participant.Name}", $"BACKUPD_TRIGGER={trigger}"];
    }

    /// <summary>Whether a participant's source is only there, or only still, between two programs. Nobody but its backup may
    /// look at it then.</summary>
    internal static bool HasAny(ParticipantDefinition participant) =>
        !participant.Before.IsEmpty || !participant.After.IsEmpty;

    /// <summary>Runs <c>before</c>, if there is one. A cancel ends it.</summary>
    /// <exception cref="IOException">It failed; nothing may be read.</exception>
    internal void Before()
    {
        if (!_participant.Before.IsEmpty)
        {
            _tell($"before {_participant.Name}");
            Run("before", _participant.Before, _variables, _context.Cancellation);
            _tell($"dumping {_participant.Name}");
        }
    }

    /// <summary>Runs <c>after</c>, if there is one, to its end or its bound: no cancel leaves a file system frozen.</summary>
    /// <param name="ok">Whether everything was read.</param>
    /// <returns>Why it failed; "" when it did not.</returns>
    internal string After(bool ok)
    {
        if (_participant.After.IsEmpty)
        {
            return "";
        }
        try
        {
            _tell($"after {_participant.Name}");
            Run("after", _participant.After, [.. _variables, $"BACKUPD_OK={(ok ? 1 : 0)}"], CancellationToken.None);
            return "";
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    private void Run(string name, ImmutableArray<string> argv, ImmutableArray<string> variables, CancellationToken cancellation)
    {
        CommandParticipant? command = _participant as CommandParticipant;
        ProgramRun program = new()
        {
            Argv = argv,
            User = command?.User ?? "",
            Variables = variables,
            Timeout = command?.Timeout ?? DefaultTimeout,
            Time = _context.Time,
            Tick = () => _context.Advance(0, 0),
            Cancellation = cancellation,
        };
        try
        {
            program.Run(Discard);
        }
        catch (IOException e)
        {
            throw new IOException($"{name}: {e.Message}", e);
        }
    }

    // What it prints is for nobody; a full pipe would stop it.
    private static void Discard(ChildProcess child)
    {
        Span<byte> buffer = stackalloc byte[4096];
        _ = child.ReadOutput(buffer);
    }
}
