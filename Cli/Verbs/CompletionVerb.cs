using System.CommandLine;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd completion</c>: makes a shell complete command lines of backupd.</summary>
internal static class CompletionVerb
{
    private const string Description = """
        Print a script that makes a shell complete verbs, options, their values, participants, endpoints and run ids.

        Examples:
          backupd completion bash > /etc/bash_completion.d/backupd
          backupd completion zsh > /usr/local/share/zsh/site-functions/_backupd
          backupd completion fish > ~/.config/fish/completions/backupd.fish
        """;

    // The scripts ask the program itself (see CompleteVerb), so they fit every version. Where it has nothing to offer,
    // the shell completes file names.
    private const string Bash = """
        # bash completion for backupd
        _backupd() {
            local IFS=$'\n'
            COMPREPLY=($(backupd complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
        }
        complete -o default -F _backupd backupd
        """;

    private const string Zsh = """
        #compdef backupd
        # zsh completion for backupd
        _backupd() {
            local -a found
            found=("${(@f)$(backupd complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
            if (( ${#found} )) && [[ -n ${found[1]} ]]; then
                compadd -a found
            else
                _files
            fi
        }
        if [ "$funcstack[1]" = _backupd ]; then
            _backupd "$@"
        else
            compdef _backupd backupd
        fi
        """;

    private const string Fish = """
        # fish completion for backupd
        function __backupd_complete
            set -l typed (commandline -opc) (commandline -ct)
            set -l found (backupd complete -- $typed[2..-1] 2>/dev/null)
            if test (count $found) -gt 0
                printf '%s\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c backupd -f -a '(__backupd_complete)'
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        Verb command = new("completion", Description) { shell };
        command.SetAction(parsed => context.Output.WriteLine(parsed.GetValue(shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        }));
        return command;
    }
}
