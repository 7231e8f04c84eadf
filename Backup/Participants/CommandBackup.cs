using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Runs a dump program and stores what it writes to its standard output.</summary>
internal sealed class CommandBackup
{
    private readonly CommandParticipant _participant;
    private readonly ParticipantContext _context;

    internal CommandBackup(CommandParticipant participant, ParticipantContext context)
    {
        _participant = participant;
        _context = context;
    }

    /// <summary>Runs the program to its end and fills <paramref name="content"/>.</summary>
    /// <exception cref="IOException">It failed, took too long or wrote too little; the message says which and ends with
    /// its last errors.</exception>
    internal void Run(StreamedFile content)
    {
        ProgramRun program = new()
        {
            Argv = _participant.Argv,
            User = _participant.User,
            Timeout = _participant.Timeout,
            Time = _context.Time,
            Tick = () => _context.Advance(0, 0),
            Cancellation = _context.Cancellation,
        };
        program.Run(child => ReadOutput(child, content));
        if (content.Length < _participant.MinBytes)
        {
            throw new IOException(
                $"{_participant.Argv[0]} wrote {content.Length} bytes; at least {_participant.MinBytes} were expected "
                + $"(minBytes){program.LastErrors()}");
        }
    }

    private void ReadOutput(ChildProcess child, StreamedFile content)
    {
        int count = child.ReadOutput(content.Space());
        if (count > 0)
        {
            content.Advance(count);
            _context.BytesRead += count;
            _context.Advance(0, count);
        }
    }
}
