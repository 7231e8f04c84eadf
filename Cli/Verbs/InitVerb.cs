using System.CommandLine;
using System.Text;
using Backupd.Backup;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd init</c>: the first configuration.</summary>
internal static class InitVerb
{
    private const string Description = """
        Write a commented configuration and make the key of access tokens.

        It asks nothing and overwrites nothing. The configuration that it writes is taken as it is; read it and name in
        it what is to be backed up.

        Examples:
          sudo backupd init
          backupd init --config backupd.json
        """;

    private const UnixFileMode FileMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    private const UnixFileMode DirectoryMode =
        FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    internal static Command Create(CliContext context)
    {
        Verb command = new("init", Description);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            string? named = options.Config(parsed);
            string path = Path.GetFullPath(named ?? context.Places.Config);
            (string Name, string Directory)? sure = ConfigurationTemplate.Sure(context.Places.IsRoot, context.Places.Home);
            DaemonConfiguration defaults = DaemonConfiguration.Default(context.Places);
            Write(path, ConfigurationTemplate.Text(defaults, sure));
            bool isNew = !File.Exists(defaults.TokenSecretFile);
            TokenSecret.ReadOrMake(defaults.TokenSecretFile);
            Tell(context.Output, path, named is not null, sure?.Directory, isNew ? defaults.TokenSecretFile : null);
        });
        return command;
    }

    private static void Write(string path, string text)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, DirectoryMode);
            if (Path.Exists(path))
            {
                throw new BackupException(
                    BackupFault.Io, $"{path} exists and is not overwritten; look at it with: backupd config check {path}");
            }
            // Beside it and then into place, so that a full disk leaves nothing behind. Moving fails if somebody
            // was faster.
            string made = $"{path}.new";
            File.Delete(made);
            using (FileStream file = new(made, new FileStreamOptions
            {
                Mode = System.IO.FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = FileMode,
            }))
            {
                file.Write(Encoding.UTF8.GetBytes(text));
                file.Flush(flushToDisk: true);
            }
            File.Move(made, path, overwrite: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"cannot write the configuration: {e.Message}", inner: e);
        }
    }

    private static void Tell(TextWriter output, string path, bool isNamed, string? directory, string? secret)
    {
        output.WriteLine(directory is null
            ? $"wrote {path}; name in it what is to be backed up"
            : $"wrote {path}; it backs up {directory} every night at 02:30, name in it what else");
        if (secret is not null)
        {
            output.WriteLine($"wrote {secret}, the key of access tokens");
        }
        string option = isNamed ? $" --config {path}" : "";
        output.WriteLine();
        output.WriteLine("Next:");
        output.WriteLine($"  backupd config check{(isNamed ? $" {path}" : "")}");
        output.WriteLine($"  backupd serve{option}        # the daemon, in this terminal");
        output.WriteLine($"  backupd run{option}          # in another one: the first backup");
    }
}
