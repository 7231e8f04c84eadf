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

free_port() {
    local port
    for port in $(shuf -i 20000-40000 -n 50); do
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
    "dump": { "command": ["sh", "-c", "echo begin; sleep 1; echo end"], "timeout": "30s" },
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

# --- a second run, scoped, from the command line
"$binary" run src --json --quiet --config "$config" >"$work/second.json"
is 'a scoped run exits 0' 0 $?
is 'an unchanged file is not stored again' true "$(jq '.participants[0].artifacts[0].bytes_new < 100000' "$work/second.json")"
second=$(jq -r .run_id "$work/second.json")
is 'DeleteBackupRun' "backups/completed/$second" "$(ask DeleteBackupRun "{\"run_id\":\"$second\"}" | jq -r .deleted_path)"
is 'a deleted run is gone' BACKUP_RUN_NOT_FOUND "$(ask GetBackupRun "{\"run_id\":\"$second\"}" | jq -r .error)"
check 'the other run is whole' "$binary" validate "$run" --config "$config"

# --- cancel
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
is 'status without a daemon exits 13' 13 "$("$binary" status --config "$config" 2>/dev/null; echo $?)"
