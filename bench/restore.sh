#!/usr/bin/env bash
# Times the restore of one file beside that of the whole run that it is in, interleaved, into a directory and in place, and
# prints a Markdown table of medians with their ratio. In place, the safety run that comes before is in the figures.
#
# usage: bench/restore.sh [ROUNDS] [FILES]      100,000 files by default, of 1,000 bytes, in directories of 1,000
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
files=${2:-100000}
binary=${BACKUPD_BINARY:-$PWD/out/backupd}
[ -x "$binary" ] || ./build.sh >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
directories=$(((files + 999) / 1000))
for i in $(seq 1 "$directories"); do
    mkdir -p "$work/data/d$i"
    # Different from each other and not compressible.
    head -c 1000000 /dev/urandom | split -a 4 -d -b 1000 - "$work/data/d$i/f"
done
"$binary" once "$work/data" --to "$work/store" --quiet
one=data/d$(((directories + 1) / 2))/f0500

timed() {
    local label=$1
    shift
    sync
    local start
    start=$(date +%s%N)
    "$@"
    echo "$label $(($(date +%s%N) - start))" >>"$work/times"
}

for _ in $(seq 1 "$rounds"); do
    rm -rf "$work/back" "$work/back1"
    timed whole-to "$binary" restore "$work/store/latest" --to "$work/back" --quiet
    timed one-to "$binary" restore "$work/store/latest" --to "$work/back1" --path "$one" --quiet
    cmp "$work/back1/$one" "$work/$one"
    rm -rf "$work/data"
    timed whole-place "$binary" restore "$work/store/latest" --yes --quiet
    cmp "$work/back1/$one" "$work/$one"
    echo changed >"$work/$one"
    timed one-place "$binary" restore "$work/store/latest" --yes --quiet --path "$one"
    cmp "$work/back1/$one" "$work/$one"
done

median() {
    awk -v label="$1" '$1 == label { print $2 }' "$work/times" | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

row() {
    awk -v name="$1" -v whole="$(median "$2")" -v one="$(median "$3")" \
        'BEGIN { printf "| %s | %.2f s | %.3f s | %.0f |\n", name, whole / 1e9, one / 1e9, whole / one }'
}

echo "| restore of $files files, medians of $rounds | all of them | one of them | times as fast |"
echo "|---|---|---|---|"
row "into a directory" whole-to one-to
row "in place" whole-place one-place
