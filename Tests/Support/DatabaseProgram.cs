using System.Diagnostics;

namespace Backupd.Tests.Support;

/// <summary>Another program with a database open: sqlite3, told what to do line by line.</summary>
internal sealed class DatabaseProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    /// <param name="database">The file.</param>
    /// <param name="arguments">Of sqlite3; -bail unless there are any.</param>
    public DatabaseProgram(string database, params string[] arguments)
    {
        _process = Shell.Start("sqlite3", [.. arguments.Length == 0 ? ["-bail"] : arguments, database]);
        _errors = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Runs statements and returns the lines that they print.</summary>
    public async Task<string[]> DoAsync(string sql)
    {
        await _process.StandardInput.WriteLineAsync(sql);
        // On a line of its own: what fails costs the rest of its line.
        await _process.StandardInput.WriteLineAsync("SELECT 'done';");
        await _process.StandardInput.FlushAsync();
        List<string> lines = [];
        while (true)
        {
            string? line = await Deadline.Of(_process.StandardOutput.ReadLineAsync(), $"sqlite3 to have done {sql}");
            Assert.IsNotNull(line, $"sqlite3 ended at {sql}");
            if (line == "done")
            {
                return [.. lines];
            }
            lines.Add(line);
        }
    }

    /// <summary>Ends it and returns what it complained of.</summary>
    public async Task<string> EndAsync()
    {
        _process.StandardInput.Close();
        await Deadline.Of(_process.WaitForExitAsync(), "sqlite3 to end");
        return await _errors;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _process.Dispose();
    }
}
