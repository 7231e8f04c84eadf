#!/usr/bin/env bash
# Times backupd beside restic and Borg on the same trees, interleaved, and prints a Markdown table of medians with ratios
# to the better of the two. backupd's figures include its validation. Needs root only to install the tools.
#
# usage: bench/compare.sh [--cold] [ROUNDS] [TREE...]      trees: mixed small big
#
# Each backup begins with its tree in the page cache, so that it is the tool that is timed; with --cold (root) each begins
# with an empty one. Either way all begin alike: Borg drops what it has read from the cache, and whoever came after it
# would read from the disk.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=warm
if [ "${1:-}" = --cold ]; then
    cache=cold
    shift
fi
rounds=${1:-3}
shift || true
trees=("${@:-mixed small big}")
read -ra trees <<<"${trees[*]}"
binary=$PWD/out/backupd
[ -x "$binary" ] || ./build.sh
tools=(backupd restic borg)
missing=()
command -v restic >/dev/null || missing+=(restic)
command -v borg >/dev/null || missing+=(borgbackup)
[ -x /usr/bin/time ] || missing+=(time)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages; install them with: sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    apt-get install -y --no-install-recommends "${missing[@]}" >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RESTIC_PASSWORD=x
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes

make_tree() {
    local to=$1/data
    mkdir -p "$to"
    case $2 in
        mixed)
            for source in /usr/share/dotnet /usr/include /usr/lib/gcc; do
                if [ -d $source ]; then cp -a $source "$to/"; fi
            done
            ;;
        small)
            local i
            for i in $(seq 1 100); do
                mkdir -p "$to/d$i"
                # 500 files of one to ten kilobytes each, compressible and all different: no number is in two directories.
                seq "$((i * 1000000))" "$((i * 1000000 + 800000))" | split -a 3 -b "$((1000 + i * 90))" - "$to/d$i/f" 2>/dev/null || true
                find "$to/d$i" -type f | LC_ALL=C sort | tail -n +501 | xargs -r rm
            done
            ;;
        big)
            head -c 1000000000 /dev/urandom >"$to/random"
            tar -C / -cf "$to/system.tar" usr/lib/x86_64-linux-gnu 2>/dev/null || true
            ;;
    esac
}

# Every tool: first backup, unchanged, one file in a hundred changed, validation, restore.
run() {
    local tool=$1 step=$2 tree=$3 repo=$4 back=$5
    case $tool-$step in
        backupd-first | backupd-unchanged | backupd-changed) "$binary" once "$tree/data" --to "$repo" --quiet ;;
        backupd-validate) "$binary" validate "$repo/latest" --quiet ;;
        backupd-restore) "$binary" restore "$repo/latest" --to "$back" --quiet ;;
        restic-first | restic-unchanged | restic-changed)
            restic backup -q --repo "$repo" --compression auto "$tree/data"
            ;;
        restic-validate) restic check -q --read-data --repo "$repo" ;;
        restic-restore) restic restore -q latest --repo "$repo" --target "$back" ;;
        borg-first | borg-unchanged | borg-changed)
            borg create --compression zstd,1 "$repo::$step" "$tree/data"
            ;;
        borg-validate) borg check --verify-data "$repo" ;;
        borg-restore) mkdir -p "$back" && cd "$back" && borg extract "$repo::changed" ;;
    esac
}

prepare_cache() {
    sync
    if [ $cache = cold ]; then
        echo 3 >/proc/sys/vm/drop_caches
    elif [[ $1 = first || $1 = unchanged || $1 = changed ]]; then
        find "$work/$tree/source" -type f -exec cat {} + >/dev/null
    fi
}

# measure RESULT TOOL STEP...: wall seconds, processor seconds, peak memory in KiB.
measure() {
    local result=$1
    shift
    export -f run
    export binary
    prepare_cache "$2"
    # shellcheck disable=SC2016
    /usr/bin/time -f '%e %U %S %M' -o "$work/time" bash -c 'run "$@"' run "$@" >"$work/output" 2>&1 ||
        { echo "$* failed" >&2; tail -n 5 "$work/output" >&2; exit 1; }
    awk '{ printf "%s %.2f %d\n", $1, $2 + $3, $4 }' "$work/time" >>"$result"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

column() { awk -v c="$2" '{ print $c }' "$1" | median; }

echo "$(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) memory, $rounds rounds;" \
    "$("$binary" version | sed 's/^/backupd /'), $(restic version | cut -d' ' -f1,2), $(borg --version); $cache page cache"
echo
echo '| tree | step | backupd | restic | Borg | times as fast as the better | CPU s, in this order | peak MiB |'
echo '|---|---|---|---|---|---|---|---|'
for tree in "${trees[@]}"; do
    mkdir -p "$work/$tree/source"
    make_tree "$work/$tree/source" "$tree"
    for round in $(seq 1 "$rounds"); do
        # Each round in a place of its own, and nothing is removed before the end: ext4 goes slowly about making files for a
        # minute after many were removed, which would be measured.
        place=$work/$tree/$round
        mkdir -p "$place"
        export RESTIC_CACHE_DIR=$place/restic-cache BORG_BASE_DIR=$place/borg-base
        # Not timed: restic's takes three seconds, which it spends on making its password hard to guess.
        restic init -q --repo "$place/restic"
        borg init -e none "$place/borg"
        # What changed in the last two seconds is read again by backupd; give every tool the same old tree.
        sleep 3
        for step in first unchanged changed validate restore; do
            if [ "$step" = changed ]; then
                find "$work/$tree/source" -type f | LC_ALL=C sort | awk 'NR % 100 == 1' |
                    while read -r file; do echo changed >>"$file"; done
                sleep 3
            fi
            # Another tool begins in each round.
            for n in 0 1 2; do
                tool=${tools[$(((n + round) % 3))]}
                measure "$work/$tree.$step.$tool" "$tool" "$step" "$work/$tree/source" "$place/$tool" "$place/$tool-back"
            done
        done
        diff -r --no-dereference "$work/$tree/source/data" "$place/backupd-back/data" >/dev/null || { echo "not restored right" >&2; exit 1; }
    done
    for step in first unchanged changed validate restore; do
        figures=()
        for n in 1 2 3; do
            for tool in "${tools[@]}"; do
                figures+=("$(column "$work/$tree.$step.$tool" $n)")
            done
        done
        echo "$tree $step ${figures[*]}" | awk '{
            best = $4 < $5 ? $4 : $5
            printf "| %s | %s | %.2f s | %.2f s | %.2f s | %.1f | %.1f / %.1f / %.1f | %.0f / %.0f / %.0f |\n", $1, $2, $3, $4, $5,
                best / ($3 > 0 ? $3 : 0.005), $6, $7, $8, $9 / 1024, $10 / 1024, $11 / 1024 }'
    done
    for tool in "${tools[@]}"; do
        for round in $(seq 1 "$rounds"); do
            du -sb "$work/$tree/$round/$tool" | cut -f1
        done | median
    done | paste -sd ' ' | awk -v t="$tree" '{
        printf "| %s | store | %.0f MB | %.0f MB | %.0f MB | %.2f times restic\047s size | | |\n", t, $1 / 1e6, $2 / 1e6, $3 / 1e6, $1 / $2 }'
done
