#!/usr/bin/env bash
# Writes Startup.order: the methods that a daemon runs from its start to its first answers. The build lays them side by side,
# so that a start touches a third of the pages of code and an idle daemon keeps as much less in memory. An old order still helps:
# methods that are gone are passed over, new ones lie with the rest.
#
# usage: bench/startup.sh      needs out/backupd and out/backupd.dbg (./build.sh), valgrind, jq; installs them as root
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v valgrind >/dev/null || missing+=(valgrind)
command -v jq >/dev/null || missing+=(jq)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages; install them with: sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    apt-get install -y --no-install-recommends "${missing[@]}" >&2
fi
[ -x out/backupd ] && [ -f out/backupd.dbg ] || ./build.sh

work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
# Away from its debug file, which valgrind does not understand.
cp out/backupd "$work/backupd"
export HOME=$work DOTNET_GCHeapHardLimit=0x8000000
mkdir "$work/source"
echo hello >"$work/source/file"
cat >"$work/config.json" <<JSON
{
  "store": "$work/store",
  "listen": { "socket": "$work/socket", "tcp": "127.0.0.1:27620" },
  "participants": { "source": { "directory": "$work/source" } }
}
JSON
# The certificate, the key and a run are made beforehand: most starts find them.
"$work/backupd" once "$work/source" --to "$work/store" --quiet
chmod 600 "$work/config.json"

# serve COMMAND...: a daemon until it has answered.
serve() {
    "$@" "$work/backupd" serve --config "$work/config.json" 2>"$work/log" &
    daemon=$!
    until grep -q ' ready on ' "$work/log"; do
        kill -0 "$daemon" || { cat "$work/log" >&2; exit 1; }
        read -rt 0.1 <> <(:) || true
    done
    for command in GetServerInfo GetBackupProgress GetBackupRuns; do
        "$work/backupd" call "$command" --config "$work/config.json" | jq -e . >/dev/null
    done
    kill "$daemon"
    wait "$daemon" || true
    daemon=
}

serve env
serve valgrind --tool=callgrind --dump-instr=yes --compress-pos=no --compress-strings=no --callgrind-out-file="$work/calls"

# Valgrind gives no names to code outside .text. It loads position-independent programs at this address.
nm -n --defined-only out/backupd.dbg >"$work/symbols"
perl - "$work/symbols" "$work/calls" >"$work/order" <<'PERL'
use strict;
use warnings;
my $base = 0x108000;
my (@starts, @names, %seen);
open my $symbols, '<', $ARGV[0] or die $!;
while (<$symbols>) {
    next unless /^([0-9a-f]+) [tT] (\S+)$/;
    push @starts, hex $1;
    push @names, $2;
}
# By instruction and not by function: what is only jumped to is counted as a part of what has jumped.
open my $calls, '<', $ARGV[1] or die $!;
my ($object, $isCall, $all, $strange) = ('', 0, 0, 0);
while (<$calls>) {
    if (/^ob=(.*)/) { $object = $1; next; }
    if (/^calls=/) { $isCall = 1; next; }
    next unless /^0x([0-9a-f]+) /;
    if ($isCall) { $isCall = 0; next; }
    next unless $object eq '???';
    my ($low, $high, $at) = (0, scalar @starts, hex($1) - $base);
    while ($high - $low > 1) {
        my $middle = ($low + $high) >> 1;
        if ($starts[$middle] <= $at) { $low = $middle } else { $high = $middle }
    }
    $all++;
    $strange++ if $at < $starts[0] || $at > $starts[-1] + 65536;
    $seen{$names[$low]} = 1;
}
die "the addresses of the profile are not those of the binary\n" unless $all && $strange < $all / 10;
print "$_\n" for sort keys %seen;
PERL
mv "$work/order" Startup.order
echo "Startup.order: $(wc -l <Startup.order) methods"
