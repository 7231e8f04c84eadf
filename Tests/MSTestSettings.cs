// Tests use sockets, threads and child processes of their own; classes run side by side, the methods of one class in turn. A fourth
// class at a time gains nothing on two processors.
[assembly: Parallelize(Workers = 3, Scope = ExecutionScope.ClassLevel)]
