using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>Shows the progress of an operation of this very process, as a client of a daemon would see it.</summary>
internal static class LocalProgress
{
    /// <summary>Follows a cell until the work has ended and its last state was shown.</summary>
    internal static async Task<T> FollowAsync<T>(ProgressCell cell, Task<T> work, ProgressDisplay display)
    {
        try
        {
            long shown = -1;
            while (true)
            {
                // Asked first: what the work said last is there by then.
                bool isOver = work.IsCompleted;
                ProgressState state = cell.Current;
                if (state.Version > shown && state.Pushed.Phase != RunPhase.Idle)
                {
                    Show(state.Pushed, display);
                    shown = state.Version;
                }
                if (isOver)
                {
                    return await work;
                }
                await Task.WhenAny(state.Changed, work);
            }
        }
        finally
        {
            display.End();
        }
    }

    private static void Show(ProgressSnapshot snapshot, ProgressDisplay display)
    {
        if (!display.IsShown)
        {
            return;
        }
        ProgressObject progress = ProgressObject.From(snapshot);
        display.Show(progress, display.IsJson ? JsonSerializer.Serialize(progress, WireJson.Default.ProgressObject) : "");
    }
}
