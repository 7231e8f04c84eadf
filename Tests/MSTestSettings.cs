// Tests use sockets, threads and child processes of their own; classes run side by side, the methods of one class in turn.
// Twice the processors: half of the time they wait for a disk or for each other.
[assembly: Parallelize(Workers = 4, Scope = ExecutionScope.ClassLevel)]
