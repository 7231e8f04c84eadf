using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Cli;

StandardDescriptors.Fill();

// Before the first socket: replies leave on the thread that received the request, which nearly doubles the rate of
// small messages. In return no handler may block that thread.
Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");

return RunAs.IsMeant(args) ? RunAs.Execute(args) : await CommandLine.RunAsync(args);
