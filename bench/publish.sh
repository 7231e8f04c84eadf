#!/usr/bin/env bash
# Times a publish to another backupd on the loopback, over TLS, beside what bounds it: copying the same new chunks with cp to the
# same disk, and sending as many bytes through TLS with socat. Beside it, restic copies the same tree to a second
# repository. All of them end with their bytes synced. Prints a Markdown table of medians.
#
# usage: bench/publish.sh [ROUNDS] [TREE...]      trees: mixed big; needs root only to install the tools
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
shift || true
trees=("$@")
[ ${#trees[@]} -gt 0 ] || trees=(mixed big)
binary=${BACKUPD_BINARY:-$PWD/out/backupd}
[ -x "$binary" ] || ./build.sh >&2
missing=()
command -v restic >/dev/null || missing+=(restic)
command -v openssl >/dev/null || missing+=(openssl)
command -v socat >/dev/null || missing+=(socat)
command -v jq >/dev/null || missing+=(jq)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages; install them with: sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >&2
fi

work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$work/restic-cache

make_tree() {
    mkdir -p "$2"
    if [ "$1" = big ]; then
        head -c 1000000000 /dev/urandom >"$2/random"
    else
        for source in /usr/share/dotnet /usr/include /usr/lib/gcc; do
            [ ! -d $source ] || cp -a $source "$2/"
        done
    fi
}

# A free port below the kernel's own range, so that no connection has it meanwhile.
free_port() {
    local port
    for port in $(shuf -i 20000-30000 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

wait_for() {
    local n
    for n in $(seq 1 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    echo "waited in vain for: $*" >&2
    exit 1
}

timed() {
    local label=$1
    shift
    sync
    local start
    start=$(date +%s%N)
    "$@" >"$work/output" 2>&1 || { cat "$work/output" >&2; exit 1; }
    echo "$label $(($(date +%s%N) - start))" >>"$work/times"
}

copy_chunks() {
    cp -r "$1" "$2"
    sync -f "$2"
}

through_tls() {
    socat -b 131072 -u "FILE:$2" "OPENSSL:127.0.0.1:$1,verify=0"
}

restic_copy() {
    restic copy -q --repo "$2" --from-repo "$1" --from-password-file <(echo x)
    sync -f "$2"
}

median() { awk -v l="$1" '$1 == l { print $2 }' "$work/times" | sort -n |
    awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) / 1e9 }'; }

port=$(free_port)
logins=""
for round in $(seq 1 "$rounds"); do
    logins+="\"r$round\": { \"passwordFile\": \"$work/password\" }, "
done
head -c 24 /dev/urandom | base64 >"$work/password"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bench -keyout "$work/key" -out "$work/cert" 2>/dev/null
cat "$work/cert" "$work/key" >"$work/both"
chmod 600 "$work/password" "$work/key" "$work/both"
fingerprint=$(openssl x509 -in "$work/cert" -noout -fingerprint -sha256 | cut -d= -f2)

echo "$(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) memory, $rounds rounds;" \
    "$("$binary" version | sed 's/^/backupd /'), $(restic version | cut -d' ' -f1,2), $(openssl version | cut -d' ' -f1,2)"
echo
echo '| tree | stored | publish | cp | TLS alone | of the speed that both leave | restic copy | times as fast as restic |'
echo '|---|---|---|---|---|---|---|---|'
for tree in "${trees[@]}"; do
    : >"$work/times"
    place=$work/$tree
    mkdir -p "$place"
    make_tree "$tree" "$place/data"
    cat >"$place/vault.json" <<JSON
{ "store": "$place/vault-store",
  "listen": { "socket": "$place/vault.sock", "tcp": "127.0.0.1:$port", "tokenSecretFile": "$place/vault.key",
              "tls": { "certificate": "$work/cert", "key": "$work/key" } },
  "vault": { "path": "$place/vault", "logins": { $logins } } }
JSON
    cat >"$place/sender.json" <<JSON
{ "store": "$place/store", "listen": { "socket": "$place/sender.sock", "tcp": "", "tokenSecretFile": "$place/sender.key" },
  "participants": { "data": { "directory": "$place/data" } } }
JSON
    "$binary" serve --config "$place/vault.json" 2>"$place/vault.log" &
    pids=($!)
    "$binary" serve --config "$place/sender.json" 2>"$place/sender.log" &
    pids+=($!)
    wait_for "$binary" status --config "$place/sender.json"
    wait_for "$binary" status --config "$place/vault.json"
    "$binary" run --config "$place/sender.json" --quiet
    for round in $(seq 1 "$rounds"); do
        "$binary" endpoint add "r$round" "127.0.0.1:$port" --login "r$round" --password-file "$work/password" \
            --fingerprint "$fingerprint" --disabled --config "$place/sender.json" >/dev/null 2>&1
    done
    find "$place/store/chunks" -type f -exec cat {} + >"$place/bytes"
    restic init -q --repo "$place/restic"
    restic backup -q --repo "$place/restic" "$place/data"
    tls_port=$(free_port)
    socat -b 131072 -u "OPENSSL-LISTEN:$tls_port,bind=127.0.0.1,cert=$work/both,verify=0,reuseaddr,fork" OPEN:/dev/null &
    pids+=($!)
    for round in $(seq 1 "$rounds"); do
        timed publish "$binary" publish latest "r$round" --config "$place/sender.json" --quiet
        timed cp copy_chunks "$place/store/chunks" "$place/copy$round"
        timed tls through_tls "$tls_port" "$place/bytes"
        restic init -q --repo "$place/restic$round" --from-repo "$place/restic" --from-password-file <(echo x) --copy-chunker-params
        timed restic restic_copy "$place/restic" "$place/restic$round"
    done
    awk -v t="$tree" -v s="$(du -sh --apparent-size "$place/store/chunks" | cut -f1)" -v p="$(median publish)" -v c="$(median cp)" \
        -v l="$(median tls)" -v r="$(median restic)" \
        'BEGIN { printf "| %s | %s | %.2f s | %.2f s | %.2f s | **%.0f %%** | %.2f s | %.1f |\n", t, s, p, c, l, 100 * (c + l) / p, r, r / p }'
    kill "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null || true
    pids=()
    rm -rf "$place"
done
