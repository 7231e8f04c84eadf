#!/usr/bin/env bash
# The way users try backupd: the binary, nc and jq, one connection for each thing. Prints a line a check and ends with
# "N passed, N failed".
#
# usage: Tests/smoke.sh BINARY
set -uo pipefail

binary=$(realpath "${1:-${BACKUPD_BINARY:?usage: Tests/smoke.sh BINARY}}")
work=$(mktemp -d)
config=$work/backupd.json
socket=$work/run/backupd.sock
passed=0
failed=0
children=()

ok() { passed=$((passed + 1)); printf 'ok %s\n' "$1"; }
bad() { failed=$((failed + 1)); printf 'FAIL %s: %s\n' "$1" "${2:-}" | head -c 2000; echo; }

# is NAME EXPECTED ACTUAL
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "expected $2, got $3"; fi; }

# check NAME COMMAND...
check() {
    local name=$1
    shift
    if "$@" >"$work/check.out" 2>&1; then ok "$name"; else bad "$name" "$(tail -c 500 "$work/check.out")"; fi
}

# until_true COMMAND...: waits at most 20 s.
until_true() {
    local end=$((SECONDS + 20))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

finish() {
    for child in "${children[@]}"; do
        kill "$child" 2>/dev/null
        wait "$child" 2>/dev/null
    done
    rm -rf "$work"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit $?
}
trap finish EXIT

# Below the ports that the kernel gives to connections: one of those may be in use without listening.
free_port() {
    local port
    for port in $(shuf -i 20000-32000 -n 50); do
        if ! nc -z 127.0.0.1 "$port" 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# --- what is backed up: a tree, a database with a writer at work, a command
mkdir -p "$work/src/deep/er"
printf 'hello\n' >"$work/src/hello.txt"
printf 'x' >"$work/src/deep/er/with space"
head -c 3000000 /dev/urandom >"$work/src/noise"
ln -s ../hello.txt "$work/src/deep/link"
chmod 640 "$work/src/hello.txt"
sqlite3 "$work/app.db" 'PRAGMA journal_mode=wal; CREATE TABLE t (n INTEGER, filler BLOB);' >/dev/null
(
    n=0
    while [ ! -e "$work/stop-writer" ] && [ $n -lt 2000 ]; do
        n=$((n + 1))
        sqlite3 -cmd '.timeout 5000' "$work/app.db" \
            "BEGIN; INSERT INTO t VALUES ($n, randomblob(500)); INSERT INTO t VALUES (-$n, randomblob(500)); COMMIT;"
    done
) &
children+=($!)

port=$(free_port)
cat >"$config" <<JSON
{
  "store": "$work/backups",
  "listen": { "socket": "$socket", "tcp": "127.0.0.1:$port", "tokenSecretFile": "$work/token.key" },
  "participants": {
    "app": { "sqlite": "$work/app.db" },
    "dump": { "command": ["sh", "-c", "echo begin; until [ -e $work/go ]; do sleep 0.1; done; echo end"], "timeout": "60s" },
    "src": { "directory": "$work/src" },
  },
}
JSON
check 'the configuration is taken' "$binary" config check "$config"

# --- the daemon
"$binary" serve --config "$config" 2>"$work/log" &
daemon=$!
children+=("$daemon")
check 'the daemon is ready' until_true grep -q 'ready on' "$work/log"

token=$("$binary" token new --role admin --days 1 --config "$config")
is 'a token is printed alone' 1 "$(printf '%s\n' "$token" | grep -cE '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$')"

# ask COMMAND [DATA [TOKEN]]: one connection, one request, one reply.
ask() {
    local data=${2:-} use=${3:-$token}
    [ -n "$data" ] || data='{}'
    printf '{"command":"%s","extID":"1","data":%s,"__token":"%s"}\n' "$1" "$data" "$use" | timeout 60 nc -N 127.0.0.1 "$port"
}

progress_members='extID,active,run_id,type,trigger,status,phase,message,current_participant,overall_percent,participants_total,participants_done,remote_total,remote_done,started_at,updated_at,finished_at,participants'
members() { jq -r 'keys_unsorted | join(",")'; }

idle=$(ask GetBackupProgress)
is 'idle progress has the documented members' "$progress_members" "$(members <<<"$idle")"
is 'idle progress says idle' 'false||full|manual|completed|idle|no active backup||0|0' \
    "$(jq -r '[.active, .run_id, .type, .trigger, .status, .phase, .message, .current_participant, .overall_percent, .finished_at] | join("|")' <<<"$idle")"
is 'without a token: 401' 401 "$(printf '{"command":"GetBackupProgress","extID":5}\n' | nc -N 127.0.0.1 "$port" | jq .status)"
is 'with a wrong token: 401' RET_UNAUTHORIZED "$(ask GetBackupProgress '{}' "${token}x" | jq -r .error)"
customer=$("$binary" token new --role customer --days 1 --config "$config")
is 'with a role without access: 403' 'Session does not have backup access' "$(ask GetBackupProgress '{}' "$customer" | jq -r .message)"
is 'chanels is the contract, channels is not' INVALID_DATA "$(ask Subscribe '{"channels":["backup.progress"]}' | jq -r .error)"
is 'stopping nothing: 409' BACKUP_NOT_RUNNING "$(ask StopBackupServer | jq -r .error)"

# --- one connection subscribes, a second starts, a third polls
mkfifo "$work/keep-open"
nc 127.0.0.1 "$port" <"$work/keep-open" >"$work/events" &
children+=($!)
exec 9>"$work/keep-open"
printf '{"command":"Subscribe","extID":"s","data":{"chanels":["backup.progress"]},"__token":"%s"}\n' "$token" >&9
check 'the subscription is confirmed' until_true grep -q '"ok":true,"chanels":\["backup.progress"\]' "$work/events"

ask StartFullBackup >"$work/run.json" &
starter=$!
active() { [ "$(ask GetBackupProgress | tee "$work/polled" | jq .active)" = true ]; }
check 'polling sees the run' until_true active
is 'a polled object has the documented members first' "$progress_members" \
    "$(jq -r 'keys_unsorted[:18] | join(",")' "$work/polled")"
is 'its participants have the documented members' 'name,status,phase,percent,message,artifacts,size_bytes,started_at,finished_at' \
    "$(jq -r '.participants[0] | keys_unsorted | join(",")' "$work/polled")"
is 'its participants stand in name order' 'app,dump,src' "$(jq -r '[.participants[].name] | join(",")' "$work/polled")"
is 'a second start: 409' BACKUP_RUN_ACTIVE "$(ask StartFullBackup | jq -r .error)"
# Only now does the run end, however slow this machine is.
touch "$work/go"
wait "$starter"
run=$(jq -r .run_id "$work/run.json")
is 'the run is completed' completed "$(jq -r .status "$work/run.json")"
is 'the run object has the documented members' \
    'extID,run_id,type,trigger,status,path,started_at,finished_at,error_summary,requested_participants,participants' "$(members <"$work/run.json")"
is 'its artifacts have the documented members' \
    'logical_name,path,size_bytes,sha256,integrity_ok,integrity_error,validation_ok,validation_error,files,bytes_new,bytes_stored,warnings' \
    "$(jq -r '.participants[0].artifacts[0] | keys_unsorted | join(",")' "$work/run.json")"
is 'polling says idle again' idle "$(ask GetBackupProgress | jq -r .phase)"

ended() { grep -q '"active":false' "$work/events"; }
check 'the last event reaches the subscriber' until_true ended
grep '"event"' "$work/events" | tr -d '\r' >"$work/event-lines"
is 'it is done at 100' 'done 100' "$(tail -n 1 "$work/event-lines" | jq -r '.data | "\(.phase) \(.overall_percent)"')"
is 'events have type 3 and no extID' 'event,type,data 3' "$(head -n 1 "$work/event-lines" | jq -r '"\(keys_unsorted | join(",")) \(.type)"')"
is 'percent never goes back' true "$(jq -s '[.[].data.overall_percent] | . == sort' "$work/event-lines")"
check 'several events were seen' test "$(wc -l <"$work/event-lines")" -ge 5
exec 9>&-

# --- looking at runs
is 'GetBackupRuns lists it' "$run" "$(ask GetBackupRuns | jq -r '.rows[0].run_id')"
is 'GetBackupRun shows it' 3 "$(ask GetBackupRun "{\"run_id\":\"$run\"}" | jq '.participants | length')"
is 'GetBackupParticipants' 'app:sqlite dump:command src:directory' \
    "$(ask GetBackupParticipants | jq -r '[.rows[] | "\(.name):\(.kind)"] | join(" ")')"
is 'ValidateBackupRun' true "$(ask ValidateBackupRun "{\"run_id\":\"$run\"}" | jq .ok)"
is 'GetServerInfo' "$("$binary" version)" "$(ask GetServerInfo | jq -r .version)"
is 'the Unix socket needs no token' idle \
    "$(printf '{"command":"GetBackupProgress","extID":1}\n' | nc -NU "$socket" | jq -r .phase)"
is 'backupd call' idle "$("$binary" call GetBackupProgress --config "$config" | jq -r .phase)"
check 'backupd status' "$binary" status --config "$config"
is 'backupd list' "$run" "$("$binary" list --config "$config" | cut -d' ' -f1)"
check 'backupd validate' "$binary" validate latest --config "$config"

# --- getting it back
check 'backupd restore' "$binary" restore latest --to "$work/back" --config "$config"
check 'the tree is identical' diff -r --no-dereference "$work/src" "$work/back/src"
is 'modes come back' 640 "$(stat -c %a "$work/back/src/hello.txt")"
is 'the database is whole' ok "$(sqlite3 "$work/back/app.db" 'PRAGMA integrity_check')"
is 'and one state of it' 0 "$(sqlite3 "$work/back/app.db" 'SELECT coalesce(sum(n), 0) FROM t')"
is 'a command comes back by export' "$(printf 'begin\nend')" "$("$binary" export latest dump --config "$config")"
is 'an export of a tree is a tar' 1 "$("$binary" export latest src --config "$config" | tar -t | grep -c 'src/hello.txt')"
chunk=$(find "$work/backups/chunks" -type f | head -n 1)
is 'a chunk can be checked by hand' "$(basename "$chunk")" "$(zstd -dc "$chunk" | sha256sum | cut -d' ' -f1)"
check 'the sums of a run can be checked by hand' sh -c "cd '$work/backups/completed/$run' && sha256sum -c --quiet SHA256SUMS"

# --- in place: what differs comes back, what is too much stays, and an undo brings back the damage
cp -a "$work/src" "$work/good"
damage() {
    rm -rf "$work/src/deep" "$work/bad"
    printf 'other\n' >"$work/src/hello.txt"
    printf 'extra\n' >"$work/src/extra"
    cp -a "$work/src" "$work/bad"
}
restore() { "$binary" restore "$@" --config "$config"; }
difference() { diff -r --no-dereference "$1" "$2"; }
damage
is 'a restore in place off a terminal exits 2' 2 "$(restore latest --participant src 2>/dev/null </dev/null; echo $?)"
is 'without maintenance mode: 12' 12 "$(restore latest --participant src --yes 2>/dev/null; echo $?)"
is 'a dry run names what would change' "extra   $work/src/extra,rewrite $work/src/hello.txt" \
    "$(restore latest --participant src --dry-run 2>/dev/null | grep -E '^(extra|rewrite)' | sort | paste -sd,)"
check 'and changes nothing' difference "$work/bad" "$work/src"
check 'the daemon restores in place' restore latest --participant src --yes --force
is 'and only what is extra differs' "Only in $work/src: extra" "$(difference "$work/good" "$work/src")"
is 'modes come back in place' 640 "$(stat -c %a "$work/src/hello.txt")"
check 'the daemon undoes it' restore --undo latest --yes --force
check 'and the damage is back' difference "$work/bad" "$work/src"
is 'GetRestoreRuns lists both and the dry run' 3 "$(ask GetRestoreRuns | jq '.rows | length')"
is 'list --restores does so too' 2 "$("$binary" list --restores --config "$config" | grep -c 'can be undone')"
check 'one file comes back alone' restore latest --yes --force --path src/hello.txt
is 'and nothing else' "hello $(ls -d "$work/bad/deep" "$work/src/deep" 2>/dev/null)" "$(cat "$work/src/hello.txt") "
check 'all of it comes back' restore latest --participant src --yes --force --quiet
rm "$work/src/extra"
check 'as it was' difference "$work/good" "$work/src"
is 'a part is exported' 'src/ src/deep/ src/deep/link' \
    "$("$binary" export latest src --path deep/link --config "$config" | tar -t | paste -sd' ')"

# --- the same without daemon and configuration, from a store of once
check 'once' "$binary" once "$work/src" --to "$work/once" --quiet
damage
check 'restored in place by this process' "$binary" restore "$work/once/latest" --yes
is 'only what is extra differs' "Only in $work/src: extra" "$(difference "$work/good" "$work/src")"
check 'undone' "$binary" restore --undo "$work/once/latest" --yes --quiet
check 'the damage is back again' difference "$work/bad" "$work/src"
check 'the undo undone' "$binary" restore --undo "$work/once/latest" --yes --quiet
rm "$work/src/extra"
check 'the tree is as it was' difference "$work/good" "$work/src"

# --- a second run, scoped, from the command line
"$binary" run src --json --quiet --config "$config" >"$work/second.json"
is 'a scoped run exits 0' 0 $?
is 'an unchanged file is not stored again' true "$(jq '.participants[0].artifacts[0].bytes_new < 100000' "$work/second.json")"
second=$(jq -r .run_id "$work/second.json")
is 'DeleteBackupRun' "backups/completed/$second" "$(ask DeleteBackupRun "{\"run_id\":\"$second\"}" | jq -r .deleted_path)"
is 'a deleted run is gone' BACKUP_RUN_NOT_FOUND "$(ask GetBackupRun "{\"run_id\":\"$second\"}" | jq -r .error)"
check 'the other run is whole' "$binary" validate "$run" --config "$config"

# --- cancel
rm "$work/go"
ask StartFullBackup '{"participants":["dump"]}' >"$work/cancelled.json" &
starter=$!
check 'the third run is on' until_true active
is 'backupd cancel' 0 "$("$binary" cancel --config "$config" 2>/dev/null; echo $?)"
wait "$starter"
is 'a cancelled run is an error reply' BACKUP_RUN_CANCELLED "$(jq -r .error "$work/cancelled.json")"

# --- the end
touch "$work/stop-writer"
kill -TERM "$daemon"
wait "$daemon"
is 'SIGTERM ends the daemon with 0' 0 $?
check 'the socket file is gone' test ! -e "$socket"
is 'no token in the log' 0 "$(grep -c "$token" "$work/log")"
printf 'other\n' >"$work/src/hello.txt"
check 'without the daemon its store is restored in place all the same' restore latest --participant src --yes --quiet
check 'by its configuration' difference "$work/good" "$work/src"
is 'status without a daemon exits 13' 13 "$("$binary" status --config "$config" 2>/dev/null; echo $?)"

# === The daemon in full, in a home that has seen nothing yet. As somebody else where this is root: root's places are the
# machine's own.
home=$work/home
mkdir -p "$home/Documents" "$work/bin"
cp "$binary" "$work/bin/backupd"
printf 'kept\n' >"$home/Documents/letter"
chmod 755 "$work"
me=(env -i "HOME=$home" "PATH=$work/bin:/usr/local/bin:/usr/bin:/bin")
if [ "$(id -u)" = 0 ]; then
    chown -R 54321:54321 "$home"
    me=(setpriv --reuid=54321 --regid=54321 --clear-groups "${me[@]}")
fi
mine() { timeout 60 "${me[@]}" backupd "$@"; }
code_of() { "$@" >"$work/out" 2>"$work/err"; echo $?; }
file=$home/.config/backupd/backupd.json
log=$work/daemon.log

is 'init writes a configuration' 0 "$(code_of mine init)"
check 'which is taken as it is' mine config check
is 'and shown in full' "$home/Documents 6h" \
    "$(mine config show | jq -r '"\(.participants.documents.directory) \(.timeout)"')"
is 'init overwrites nothing' 1 "$(code_of mine init)"
is 'others may read none of its files' '640 600' \
    "$(stat -c %a "$file" "$home/.local/state/backupd/token.key" | paste -sd' ')"

port=$(free_port)
# configure KEYS: writes the configuration with further keys, as the one who reads it.
configure() {
    cat >"$work/new.json" <<JSON
{
  "store": "$home/backups",
  "listen": { "tcp": "127.0.0.1:$port" },
  "participants": {
    "documents": {
      "directory": "$home/Documents",
      "before": ["sh", "-c", "echo before \$BACKUPD_PARTICIPANT \$BACKUPD_TRIGGER >>$home/hooks"],
      "after": ["sh", "-c", "echo after \$BACKUPD_PARTICIPANT \$BACKUPD_TRIGGER \$BACKUPD_OK >>$home/hooks"],
    },
    "slow": { "command": ["sh", "-c", "test ! -e $home/slow || sleep 30; echo done"] },
  },
  $1
}
JSON
    cat "$work/new.json" >"$file"
}
says() { [ "$(grep -c -- "$1" "$log")" -ge "${2:-1}" ]; }
idle() { [ "$(mine call GetBackupProgress | jq .active)" = false ]; }
newest() { mine list --json | jq -r ".rows[0].$1"; }
count_runs() { mine list --json | jq '.rows | length'; }
begun() { [ "$(count_runs)" -gt "$1" ]; }
reloads=0
# reload KEYS: writes them and waits until the daemon has taken them.
reload() {
    configure "$1"
    kill -HUP "$daemon"
    reloads=$((reloads + 1))
    until_true says 'configuration was read again' "$reloads"
}
serve() {
    "${me[@]}" backupd serve 2>>"$log" &
    daemon=$!
    children+=("$daemon")
}

# --- schedules, retention, hooks
configure '"schedules": [{ "cron": "* * * * * *" }], "keep": { "last": 1 }'
serve
check 'it is ready at the default places' until_true says 'ready on'
check 'a cron expression with seconds starts runs' until_true says 'ended as completed' 2
check 'and keep removes older ones after them' until_true says 'older run.* went'
is 'their trigger is cron' cron "$(newest trigger)"
is 'GetServerInfo tells the next run' true "$(mine call GetServerInfo | jq '.next_run >= now - 1')"

printf '{ "store": ' >"$file"
kill -HUP "$daemon"
check 'a bad file is refused with its place' until_true says "$file:1:"
check 'and the old one holds' until_true says 'the old one holds'
check 'a good file is taken' reload '"backupOnShutdown": true'
check 'its schedules have ended' until_true idle
before=$(count_runs)

: >"$home/hooks"
run=$(mine run --trigger pre_update --quiet --json | jq -r .run_id)
is 'a run before an update has its trigger' pre_update "$(mine call GetBackupRun "{\"run_id\":\"$run\"}" | jq -r .trigger)"
is 'hooks ran around it, in order' 'before documents pre_update/after documents pre_update 1' "$(paste -sd/ "$home/hooks")"
is 'its end is told once' 1 "$(grep -c "run $run ended as completed" "$log")"
is 'no schedule has run meanwhile' $((before + 1)) "$(count_runs)"

is 'without rules nothing is pruned' 2 "$(code_of mine prune)"
check 'rules come with a reload' reload '"backupOnShutdown": true, "keep": { "last": 1 }'
is 'the daemon prunes by them' "1 $before" "$(mine prune --json | jq -r '"\(.kept) \(.removed)"')"
is 'the newest run is left' "$run" "$(newest run_id)"
check 'the daemon validates it' mine validate latest
is 'log shows it' "$run" "$(mine log | grep -o "$run" | head -n 1)"

# --- health
is 'health: OK' 0 "$(code_of mine health)"
is_health() { [ "$(code_of mine health --warn "$1" --crit "$2")" = "$3" ]; }
check 'health: WARNING' until_true is_health 1s 1h 1
check 'health: CRITICAL' until_true is_health 1s 2s 2

# --- maintenance
check 'maintenance mode is switched on' mine maintenance on
check 'schedules are back' reload '"backupOnShutdown": true, "schedules": [{ "cron": "* * * * * *" }]'
check 'they rest in maintenance mode' until_true says 'maintenance mode is on$' 2
is 'and have begun nothing' 1 "$(count_runs)"
check 'maintenance ends' mine maintenance off
check 'they begin again' until_true begun 1
check 'they are gone again' reload '"backupOnShutdown": true'
check 'nothing is on' until_true idle

# --- TLS, tokens
print=$(grep -oE '[0-9A-F]{2}(:[0-9A-F]{2}){31}|[0-9a-fA-F]{64}' "$log" | head -n 1)
mine token new --role admin --days 1 --jti smoke >"$work/token"
chmod 644 "$work/token"
ask_tls() {
    (printf '{"command":"GetServerInfo","extID":1,"data":{},"__token":"%s"}\n' "$(cat "$work/token")"; sleep 0.5) |
        timeout 10 openssl s_client -quiet -connect "127.0.0.1:$port" 2>"$work/openssl"
}
is 'TLS: openssl gets an answer on the same port' 1 "$(ask_tls | jq .extID)"
is 'the logged fingerprint is that of the certificate' "$(tr -d : <<<"$print" | tr a-f A-F)" \
    "$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 | cut -d= -f2 | tr -d :)"
over_tls() { mine status --addr "tls:127.0.0.1:$port" --token-file "$work/token" --fingerprint "$1"; }
check 'the command line speaks TLS with it' over_tls "$print"
is 'another fingerprint is refused' 13 "$(code_of over_tls "$(printf '%064d' 7)")"
is 'and without one an unknown certificate' 13 "$(code_of mine status --addr "tls:127.0.0.1:$port" --token-file "$work/token")"
mine token revoke smoke >"$work/out" 2>&1
check 'a reload' reload '"backupOnShutdown": true, "grace": "30s"'
is 'a revoked token: 401' 401 "$(ask GetServerInfo '{}' "$(cat "$work/token")" | jq .status)"

# --- kill -9 during a run
"${me[@]}" touch "$home/slow"
check 'a run is left alone' mine run slow --detach
slow=$(mine call GetBackupProgress | jq -r .run_id)
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
rm "$home/slow"
ready=$(grep -c 'ready on' "$log")
serve
check 'it starts again' until_true says 'ready on' $((ready + 1))
check 'and tells of the interrupted run' says "run $slow was interrupted"
is 'which is failed' failed "$(mine call GetBackupRun "{\"run_id\":\"$slow\"}" | jq -r .status)"
check 'the run before it is whole' mine validate "$run"

# --- the end, with a last run
kill -TERM "$daemon"
wait "$daemon"
is 'SIGTERM: exit 0' 0 $?
is 'after a backup on shutdown' 'shutdown completed' "$(mine log --json | head -n 1 | jq -r '"\(.trigger) \(.status)"')"
is 'health without a daemon: CRITICAL' 2 "$(code_of mine health)"

# --- what helps the shell and systemd
# shellcheck disable=SC2016
is 'completion: bash' validate "$("${me[@]}" bash -c \
    'source <(backupd completion bash); COMP_WORDS=(backupd valid); COMP_CWORD=1; _backupd; echo "${COMPREPLY[*]}"')"
"$binary" service print >"$work/backupd.service"
check 'service print: a unit' grep -q '^Type=notify' "$work/backupd.service"
if command -v systemd-analyze >/dev/null; then
    check 'which systemd accepts' systemd-analyze verify "$work/backupd.service"
fi
