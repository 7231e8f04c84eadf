#!/usr/bin/env bash
# The main job of the arm64 binary under emulation: every kind of entry, a database and a command there and back. Prints
# a line a check and ends with "N passed, N failed".
#
# usage: Tests/arm64.sh BINARY
set -uo pipefail

binary=$(realpath "$1")
work=$(mktemp -d)
passed=0
failed=0

check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok arm64: $name"
    else
        failed=$((failed + 1))
        echo "FAIL arm64: $name: $(tail -c 500 "$work/output")"
    fi
}

finish() {
    rm -rf "$work"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit $?
}
trap finish EXIT

backupd() { timeout 120 qemu-aarch64-static "$binary" "$@"; }

mkdir -p "$work/tree/deep"
printf 'hello\n' >"$work/tree/hello"
ln "$work/tree/hello" "$work/tree/deep/second"
ln -s ../hello "$work/tree/deep/link"
head -c 5000000 /dev/urandom >"$work/tree/noise"
truncate -s 3M "$work/tree/hole"
# Root alone restores such a bit, and when it is asked to.
special=()
chmod 750 "$work/tree/hello"
if [ "$(id -u)" = 0 ]; then
    special=(--preserve-special)
    chmod 4750 "$work/tree/hello"
fi
touch -d '2001-02-03 04:05:06.789 UTC' "$work/tree/hello" "$work/tree/deep"
sqlite3 "$work/app.db" 'CREATE TABLE t (n); INSERT INTO t VALUES (42);'

facts() { (cd "$1" && find . -printf '%y %m %U %G %T@ %l %p\n' | LC_ALL=C sort); }
same_facts() { [ "$(facts "$work/tree")" = "$(facts "$work/back/tree")" ]; }
same_link() { [ "$(stat -c %i "$work/back/tree/hello")" = "$(stat -c %i "$work/back/tree/deep/second")" ]; }
has_row() { [ "$(sqlite3 "$work/back/app.db" 'SELECT n FROM t')" = 42 ]; }
has_words() { [ "$(cat "$work/back/words")" = 'some words' ]; }
is_sparse() { [ "$(stat -c %b "$work/back/tree/hole")" -lt 64 ]; }

check 'it says its version' backupd version
check 'a backup' backupd once "$work/tree" "$work/app.db" --to "$work/store" --command words -- echo some words
check 'a validation' backupd validate "$work/store/latest"
check 'a restore' backupd restore "$work/store/latest" --to "$work/back" "${special[@]}"
check 'contents come back' diff -r --no-dereference "$work/tree" "$work/back/tree"
check 'modes, owners, times and links come back' same_facts
check 'hard links come back' same_link
check 'holes come back' is_sparse
check 'the database comes back' has_row
check 'the output of the command comes back' has_words
check 'the binary of this machine reads the store' "$(dirname "$binary")/../backupd" validate "$work/store/latest"
