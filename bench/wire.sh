#!/usr/bin/env bash
# Measures the wire: how fast a daemon answers, beside redis in the same minute and under the same load generator, and what
# its clients cost it. Prints Markdown. Needs root only to install packages. For figures worth keeping the machine must be idle.
#
#   rate    GetBackupProgress with a token against GET of a value as long; 1 and 50 connections, 1 and 16 requests in flight;
#           both servers on processor 0, the generator on processor 1
#   fanout  events a second to 1,000 subscribers, and what 1,000 of them, 100 of which never read, do to a run's time
#   idle    memory of a connection that has shown its token and says nothing
#   start   milliseconds from start to the first answer, and memory at rest
#   busy    latency of polls while a backup uses all processors
#
# usage: bench/wire.sh [ROUNDS] [MODE...]      BACKUPD_BINARY measures another binary than out/backupd
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-5}
shift || true
modes=("$@")
[ ${#modes[@]} -gt 0 ] || modes=(rate fanout idle start busy)
binary=${BACKUPD_BINARY:-$PWD/out/backupd}
[ -x "$binary" ] || ./build.sh >&2

missing=()
need() { command -v "$2" >/dev/null || missing+=("$1"); }
need redis-server redis-server
need redis-tools redis-cli
need jq jq
need gcc gcc
need util-linux taskset
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages; install them with: sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    # In run level 1 the package does not start a server of its own.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >&2
fi
mkdir -p out/wire
wire=$PWD/out/wire/wire
gcc -O2 -Wall -Wextra -Werror -o "$wire" bench/wire/*.c

work=$(mktemp -d)
daemon=
redis=
holding=
finish() {
    for pid in $holding $daemon $redis; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap finish EXIT

free_port() {
    local port
    for port in $(shuf -i 20000-32000 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}
port=$(free_port)
redis_port=$(free_port)
config=$work/backupd.json

# write_config PARTICIPANTS: a fresh store each time.
stores=0
write_config() {
    stores=$((stores + 1))
    cat >"$config" <<JSON
{ "store": "$work/store-$stores",
  "listen": { "socket": "$work/run/backupd.sock", "tcp": "127.0.0.1:$port", "tokenSecretFile": "$work/state/token.key" },
  "participants": { $1 } }
JSON
    mkdir -p "$work/state"
    chmod 700 "$work/state"
    [ -n "${WIRE_TOKEN:-}" ] || WIRE_TOKEN=$("$binary" token new --role admin --days 1 --name bench --config "$config")
    export WIRE_TOKEN
}

# until_true COMMAND...: waits at most 20 s.
until_true() {
    local end=$((SECONDS + 20))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "waited in vain for: $*" >&2; exit 1; }
        sleep 0.02
    done
}

call() { "$binary" call "$1" --config "$config"; }

# start_daemon [PREFIX...]: PREFIX runs it, taskset for one.
start_daemon() {
    "$@" "$binary" serve --config "$config" 2>>"$work/daemon.log" &
    daemon=$!
    until_true call GetServerInfo
}

stop_daemon() {
    kill "$daemon"
    wait "$daemon" || { echo "the daemon ended badly:" >&2; tail -n 5 "$work/daemon.log" >&2; exit 1; }
    daemon=
}

median() { sort -n | awk '{ v[NR] = $1 } END { printf "%s\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# column FILE NAME: the median of a member over the lines of a file.
column() { jq -r ".$2" "$1" | median; }

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

make_tree() {
    [ ! -e "$work/tree" ] || return 0
    mkdir "$work/tree"
    local source
    for source in /usr/share/dotnet /usr/include /usr/lib/gcc; do
        if [ -d $source ]; then cp -a $source "$work/tree/"; fi
    done
    # What changed in the last two seconds is looked at twice.
    sleep 2
}

# A daemon whose last run failed shows that run to pollers: with two participants that is about 1 KiB.
measure_rate() {
    write_config "\"accounts\": { \"directory\": \"$work/none\" }, \"settings\": { \"file\": \"$work/none\" }"
    start_daemon taskset -c 0
    call StartFullBackup >/dev/null && { echo "the run ought to fail" >&2; exit 1; }
    # The generator is told nothing of sizes: the value in redis is made as long as the reply, its framing included.
    local reply
    reply=$("$wire" rate --protocol json --port "$port" --warmup-ms 0 --ms 50 | jq .reply_bytes)
    taskset -c 0 redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" \
        >"$work/redis.log" &
    redis=$!
    until_true redis-cli -p "$redis_port" ping
    head -c $((reply - 9)) /dev/zero | tr '\0' x | redis-cli -p "$redis_port" -x set k >/dev/null
    local round shape
    local shapes=("1 1" "50 1" "1 16" "50 16")
    for round in $(seq 1 "$rounds"); do
        for shape in "${shapes[@]}"; do
            measure_shape "$round" $shape
        done
    done
    kill "$redis"
    wait "$redis" || true
    redis=
    stop_daemon
    echo "Replies of $(column "$work/rate.1.1.json" reply_bytes) bytes, $(column "$work/rate.1.1.resp" reply_bytes) from" \
        "redis $(redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/'); medians of $rounds rounds."
    echo
    echo '| connections × in flight | backupd /s | redis /s | ratio | lowest to highest | p50, p99 | redis p50, p99 | CPU an answer | redis |'
    echo '|---|---|---|---|---|---|---|---|---|'
    for shape in "${shapes[@]}"; do
        print_shape $shape
    done
}

# measure_shape ROUND CONNECTIONS DEPTH: the two after each other, the other one first in each second round.
measure_shape() {
    local round=$1 result=$work/rate.$2.$3 protocol
    local protocols=(json resp)
    [ $((round % 2)) = 1 ] || protocols=(resp json)
    for protocol in "${protocols[@]}"; do
        local to=$port server=$daemon
        [ $protocol = json ] || to=$redis_port server=$redis
        taskset -c 1 "$wire" rate --protocol $protocol --port "$to" --connections "$2" --depth "$3" \
            --server "$server" >>"$result.$protocol"
    done
}

# print_shape CONNECTIONS DEPTH
print_shape() {
    local result=$work/rate.$1.$2 ratios
    ratios=$(paste <(jq .rate "$result.json") <(jq .rate "$result.resp") | awk '{ printf "%.3f\n", $1 / $2 }' | sort -n)
    printf '| %s × %s | %.0f | %.0f | **%.2f** | %.2f to %.2f | %.0f, %.0f µs | %.0f, %.0f µs | %.0f ns | %.0f ns |\n' "$1" "$2" \
        "$(column "$result.json" rate)" "$(column "$result.resp" rate)" "$(median <<<"$ratios")" \
        "$(head -n 1 <<<"$ratios")" "$(tail -n 1 <<<"$ratios")" \
        "$(column "$result.json" p50_us)" "$(column "$result.json" p99_us)" \
        "$(column "$result.resp" p50_us)" "$(column "$result.resp" p99_us)" \
        "$(column "$result.json" server_ns)" "$(column "$result.resp" server_ns)"
}

# begin_watch STALLED: 1,000 subscribers. Their machine is another one in earnest, so they yield to the run.
begin_watch() {
    hold nice -n 19 "$wire" watch --port "$port" --connections 1000 --stalled "$1"
}

# hold COMMAND...: starts a generator that is ready when it says so and ends when its input does.
hold() {
    rm -f "$work/hold.in" "$work/hold.out"
    mkfifo "$work/hold.in"
    "$@" <"$work/hold.in" >"$work/hold.out" &
    holding=$!
    exec {hold_in}>"$work/hold.in"
    until_true grep -q ready "$work/hold.out"
}

# release FILE: appends what it has to say.
release() {
    exec {hold_in}>&-
    wait "$holding" || { echo "the generator failed" >&2; exit 1; }
    holding=
    tail -n +2 "$work/hold.out" >>"$1"
}

measure_fanout() {
    # Eight participants that change fast: many snapshots of some 1.5 KB, and little else to do.
    local i participants=
    for i in 1 2 3 4 5 6 7 8; do
        participants+="${participants:+, }\"fast$i\": { \"command\": [\"/bin/echo\", \"$i\"] }"
    done
    write_config "$participants"
    start_daemon
    begin_watch 0
    for i in $(seq 1 20); do
        call StartFullBackup >/dev/null
    done
    release "$work/events"
    stop_daemon
    jq -r '"\(.subscribers) subscribers got \(.events) events of \(.bytes / .events | floor) bytes in \(.seconds) s: "
        + "**\(.rate) events/s**; every one of 20 endings reached \(.endings / 20) of them."' "$work/events"
    echo
    make_tree
    local round watchers
    for round in $(seq 1 "$rounds"); do
        for watchers in $([ $((round % 2)) = 1 ] && echo 0 1000 || echo 1000 0); do
            measure_watched_run "$watchers"
        done
    done
    paste "$work/run.0" "$work/run.1000" | awk '{ printf "%.3f\n", $2 / $1 }' | sort -n >"$work/run.ratios"
    echo "A run of $(median <"$work/run.0") ms. With 1,000 subscribers, 100 of which never read, it takes **$(median <"$work/run.ratios")** times as long" \
        "($(head -n 1 "$work/run.ratios") to $(tail -n 1 "$work/run.ratios"), $rounds pairs) and sends" \
        "$(column "$work/watched" events) events, which cost their readers $(column "$work/watched" own_cpu_seconds) s of processor."
}

# measure_watched_run WATCHERS: a first backup of the tree; milliseconds.
measure_watched_run() {
    write_config "\"tree\": { \"directory\": \"$work/tree\" }"
    start_daemon
    [ "$1" = 0 ] || begin_watch 100
    sync
    local began ended
    began=$(date +%s%N)
    call StartFullBackup >/dev/null
    ended=$(date +%s%N)
    [ "$1" = 0 ] || release "$work/watched"
    stop_daemon
    echo $(((ended - began) / 1000000)) >>"$work/run.$1"
    rm -rf "$work/store-$stores"
}

measure_idle() {
    write_config ""
    start_daemon
    local before after
    before=$(resident "$daemon")
    hold "$wire" idle --port "$port" --connections 1000
    sleep 1
    after=$(resident "$daemon")
    release /dev/null
    stop_daemon
    awk -v a="$after" -v b="$before" 'BEGIN {
        printf "1,000 connections that have shown their token: %.1f MiB before, %.1f MiB with them: **%.1f KiB each**.\n",
            b / 1024, a / 1024, (a - b) / 1000 }'
}

measure_start() {
    write_config ""
    local round
    for round in $(seq 1 $((rounds * 4))); do
        "$wire" start --port "$port" -- "$binary" serve --config "$config" 2>>"$work/daemon.log" >>"$work/starts"
    done
    echo "From start to the first answer **$(column "$work/starts" ready_ms) ms**, memory at rest" \
        "**$(column "$work/starts" idle_rss_kib | awk '{ printf "%.1f", $1 / 1024 }') MiB** (medians of $((rounds * 4)) starts)."
}

measure_busy() {
    make_tree
    local round running priority=()
    # The generator is to measure the daemon and not how long it waits for a processor itself.
    [ "$(id -u)" != 0 ] || priority=(nice -n -15)
    for round in $(seq 1 "$rounds"); do
        write_config "\"tree\": { \"directory\": \"$work/tree\" }"
        start_daemon
        call StartFullBackup >"$work/busy.run" &
        running=$!
        until_true sh -c "'$binary' call GetBackupProgress --config '$config' | jq -e .active"
        "${priority[@]}" "$wire" paced --port "$port" --connections 10 --every-us 5000 --ms 1000 >>"$work/busy"
        [ "$(call GetBackupProgress | jq .active)" = true ] || echo "the run was over before the second was" >&2
        call StopBackupServer >/dev/null || true
        wait $running || true
        stop_daemon
        rm -rf "$work/store-$stores"
    done
    echo "Ten clients that poll every 5 ms while a backup uses all processors: p50 $(column "$work/busy" p50_us) µs," \
        "p99 **$(column "$work/busy" p99_us) µs**, slowest $(jq .max_us "$work/busy" | sort -n | tail -n 1) µs" \
        "(medians of $rounds runs)."
}

echo "$(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) memory;" \
    "$("$binary" version | sed 's/^/backupd /')"
for mode in "${modes[@]}"; do
    echo
    echo "### $mode"
    echo
    case $mode in
        rate | fanout | idle | start | busy) "measure_$mode" ;;
        *) echo "there is no mode $mode" >&2; exit 2 ;;
    esac
done
