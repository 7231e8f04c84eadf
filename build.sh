#!/usr/bin/env bash
# Builds, tests and shows backupd. See the README.
set -euo pipefail
cd "$(dirname "$0")"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# The largest that the native binary may be.
max_bytes=$((12 * 1024 * 1024))

usage() {
    cat <<'TXT'
usage: ./build.sh [VERB]
  (none)   build the native binary, out/backupd
  demo     build it and run the main job on real data of this machine: back up, change nothing, restore, compare
  test     build with warnings as errors, run all tests but those of the web page, test the native binary; ends with the counts
  test browser   the same with the tests of the web page in Chromium, which CI=true runs too
  test systemd   the daemon and its package under systemd, in a virtual machine, and nothing else
  static   build out/static/backupd with OpenSSL inside
  arm64    build out/arm64/backupd on x86-64
  deb      build a Debian package of out/backupd; "deb arm64" of out/arm64/backupd
  help     this text
TXT
}

say() { printf '%s\n' "$*" >&2; }

# need PACKAGE TEST...: notes a Debian package whose test fails.
missing=()
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local foreign=
    if [[ ${missing[*]} == *:arm64* ]] && ! dpkg --print-foreign-architectures | grep -qx arm64; then
        foreign='dpkg --add-architecture arm64 && apt-get update && '
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${missing[*]}"
        [ -z "$foreign" ] || dpkg --add-architecture arm64
        export DEBIAN_FRONTEND=noninteractive
        local log
        log=$(mktemp)
        if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
            cat "$log" >&2
            rm -f "$log"
            exit 1
        fi
        rm -f "$log"
    else
        say "missing packages; install them with: sudo sh -c '${foreign}apt-get install -y ${missing[*]}'"
        exit 1
    fi
}

# Whether the web page is tried in a browser: where that was asked for, and in continuous integration.
browser=${2:-}
with_browser() { [ "$browser" = browser ] || [ "${CI:-}" = true ]; }

# What it takes to build for arm64 on x86-64; on arm64 itself there is nothing to cross.
need_arm64() {
    [ "$(uname -m)" = x86_64 ] || return 0
    need clang-14 command -v clang-14
    need lld-14 command -v ld.lld-14
    need gcc-aarch64-linux-gnu command -v aarch64-linux-gnu-gcc
    need libzstd-dev:arm64 test -e /usr/lib/aarch64-linux-gnu/libzstd.a
    need zlib1g-dev:arm64 test -e /usr/lib/aarch64-linux-gnu/libz.a
}

check_tools() {
    if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
        say "the .NET SDK 10 is missing: install dotnet-sdk-10.0 and put dotnet on the PATH"
        exit 1
    fi
    need gcc command -v gcc
    need libzstd-dev test -e "/usr/lib/$(uname -m)-linux-gnu/libzstd.a"
    need zlib1g-dev test -e /usr/include/zlib.h
    # Loaded when the program runs.
    need libssl3 sh -c 'ldconfig -p | grep -q libssl.so.3'
    case ${1:-} in
        static)
            need cmake command -v cmake
            need libssl-dev test -e /usr/include/openssl/ssl.h
            ;;
        arm64) need_arm64 ;;
        test)
            need_arm64
            need libssl3:arm64 test -e /usr/lib/aarch64-linux-gnu/libssl.so.3
            need qemu-user-static command -v qemu-aarch64-static
            need netcat-openbsd sh -c 'nc -h 2>&1 | grep -q OpenBSD'
            need socat command -v socat
            need curl command -v curl
            need ncat command -v ncat
            need python3 command -v python3
            need jq command -v jq
            need openssl command -v openssl
            need zstd command -v zstd
            need sqlite3 command -v sqlite3
            need acl command -v setfacl
            need attr command -v getfattr
            need strace command -v strace
            need time test -x /usr/bin/time
            need systemd command -v systemd-analyze
            need groff-base command -v groff
            need bsdextrautils command -v col
            need man-db command -v man
            if with_browser; then
                need chromium command -v chromium
                need chromium-driver command -v chromedriver
            fi
            ;;
        systemd)
            need mmdebstrap command -v mmdebstrap
            need qemu-system-x86 command -v qemu-system-x86_64
            need e2fsprogs command -v mke2fs
            ;;
        demo)
            need sqlite3 command -v sqlite3
            ;;
    esac
    install_missing
}

# Names promtool, which checks the metrics. Out of its package, and not installed with it: that would start a server.
find_promtool() {
    BACKUPD_PROMTOOL=$(command -v promtool || echo "$PWD/out/promtool")
    export BACKUPD_PROMTOOL
    [ ! -x "$BACKUPD_PROMTOOL" ] || return 0
    say "taking promtool out of the package prometheus"
    local directory
    directory=$(mktemp -d)
    if ! (cd "$directory" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } &&
        dpkg -x prometheus_*.deb .) >"$directory/log" 2>&1 </dev/null; then
        cat "$directory/log" >&2
        rm -rf "$directory"
        exit 1
    fi
    mkdir -p out
    mv "$directory/usr/bin/promtool" out/promtool
    rm -rf "$directory"
}

runtime() {
    case $(uname -m) in
        x86_64) echo linux-x64 ;;
        aarch64) echo linux-arm64 ;;
        *) say "this machine is neither x86-64 nor arm64"; exit 1 ;;
    esac
}

# publish DIRECTORY RUNTIME [PROPERTY...]
publish() {
    local directory=$1 runtime=$2
    shift 2
    dotnet publish backupd.csproj -c Release -r "$runtime" -o "$directory" --nologo -v quiet "$@" </dev/null
    say "$directory/backupd: $runtime, $(stat -c %s "$directory/backupd") bytes"
}

check_binary() {
    local binary=$1 size alien
    size=$(stat -c %s "$binary")
    if [ "$size" -gt "$max_bytes" ]; then
        say "$binary has $size bytes, more than $max_bytes"
        exit 1
    fi
    alien=$(ldd "$binary" | grep -vE 'linux-vdso|libc\.so|libm\.so|ld-linux' || true)
    if [ -n "$alien" ]; then
        say "$binary needs more than the C library: $alien"
        exit 1
    fi
}

# Adds up the counters of the test report and of the smoke test, and prints the closing line.
passed=0 failed=0 skipped=0
finish() {
    local code=$?
    if [ "$((passed + failed + skipped))" = 0 ] || { [ "$code" != 0 ] && [ "$failed" = 0 ] && [ "$skipped" = 0 ]; }; then
        failed=$((failed + 1))
    fi
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$skipped" = 0 ]
    exit $?
}

# counter FILE NAME
counter() { sed -n 's/.*<Counters[^>]* '"$2"'="\([0-9]*\)".*/\1/p' "$1" | head -n 1; }

run_tests() {
    trap finish EXIT
    check_tools test
    find_promtool
    publish out "$(runtime)"
    check_binary out/backupd
    dotnet build Tests -c Release --nologo -v quiet </dev/null
    # Only built, so that it keeps up with the code: its figures mean something on an idle machine alone.
    dotnet build bench/micro -c Release --nologo -v quiet </dev/null
    rm -rf TestResults
    # Left out and not skipped: a skip is a failure here.
    local filter=(--filter 'TestCategory!=Browser')
    if with_browser; then
        filter=()
    fi
    BACKUPD_BINARY=$PWD/out/backupd dotnet test --project Tests -c Release --no-build --results-directory TestResults \
        "${filter[@]}" --report-trx --report-trx-filename tests.trx </dev/null || say "tests failed"
    local trx=TestResults/tests.trx total
    if [ ! -e "$trx" ]; then
        say "the tests left no report"
        return 1
    fi
    total=$(counter "$trx" total)
    passed=$(counter "$trx" passed)
    failed=$(($(counter "$trx" failed) + $(counter "$trx" error) + $(counter "$trx" timeout) + $(counter "$trx" aborted)))
    skipped=$((total - passed - failed))
    run_script Tests/smoke.sh out/backupd
    if [ "$(uname -m)" = x86_64 ]; then
        publish out/arm64 linux-arm64
        run_script Tests/arm64.sh out/arm64/backupd
    fi
    run_script Tests/deb.sh out/backupd
}

# By itself, because the machine takes longer to do its part than everything else together.
run_systemd() {
    trap finish EXIT
    if [ "$(uname -m)" != x86_64 ]; then
        say "the machine is one for x86-64"
        return 1
    fi
    check_tools systemd
    publish out "$(runtime)"
    run_script Tests/systemd.sh out/backupd out/systemd
}

# run_script SCRIPT ARGUMENT...: adds the counts of its closing line.
run_script() {
    local output counts
    output=$(mktemp)
    "$@" </dev/null | tee "$output" || say "$1 failed"
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$output" | tail -n 1)
    rm -f "$output"
    read -r script_passed script_failed <<<"${counts:-0 1}"
    passed=$((passed + script_passed))
    failed=$((failed + script_failed))
}

# run_deb [ARCHITECTURE]: the program prints unit, pages and completions itself, so there is always one that runs here, too.
run_deb() {
    local architecture=${1:-$(dpkg --print-architecture)} binary=out/backupd
    case $architecture in
        amd64 | arm64) ;;
        *) say "no package for $architecture: amd64 or arm64"; exit 2 ;;
    esac
    check_tools
    publish out "$(runtime)"
    check_binary out/backupd
    if [ "$architecture" != "$(dpkg --print-architecture)" ]; then
        [ "$architecture" = arm64 ] || { say "amd64 is built on x86-64"; exit 2; }
        check_tools arm64
        publish out/arm64 linux-arm64
        binary=out/arm64/backupd
    fi
    say "$(packaging/deb/make.sh "$binary" "$architecture" out out/backupd)"
}

run_demo() {
    check_tools demo
    publish out "$(runtime)"
    demo=$(mktemp -d)
    trap 'rm -rf "$demo"; say "removed $demo"' EXIT
    sqlite3 "$demo/app.db" 'PRAGMA journal_mode=wal; CREATE TABLE t (n); INSERT INTO t SELECT value FROM generate_series(1, 100000);' >/dev/null
    local code=0
    say ""
    say "== first backup of /etc and a live SQLite database"
    out/backupd once /etc "$demo/app.db" --to "$demo/store" || code=$?
    if [ "$code" = 3 ]; then
        say "(partial: some of /etc can be read by root alone)"
    elif [ "$code" != 0 ]; then
        exit "$code"
    fi
    say ""
    say "== second backup: nothing has changed, so nothing is stored"
    out/backupd once /etc "$demo/app.db" --to "$demo/store" || [ $? = 3 ]
    say ""
    say "== restore and compare"
    if [ "$code" = 0 ]; then
        out/backupd restore "$demo/store/latest" --to "$demo/back"
        diff -r --no-dereference /etc "$demo/back/etc"
    else
        out/backupd restore "$demo/store/latest" --to "$demo/back" --participant app.db
    fi
    cmp <(sqlite3 "$demo/app.db" .dump) <(sqlite3 "$demo/back/app.db" .dump)
    say "identical"
}

case ${1:-build} in
    build)
        check_tools
        publish out "$(runtime)"
        check_binary out/backupd
        say "version $(out/backupd version)"
        ;;
    demo) run_demo ;;
    test) if [ "${2:-}" = systemd ]; then run_systemd; else run_tests; fi ;;
    # Larger by the size of OpenSSL, and needs no libssl3 where it runs.
    static) check_tools static; publish out/static "$(runtime)" -p:StaticOpenSslLinking=true ;;
    arm64) check_tools arm64; publish out/arm64 linux-arm64 ;;
    deb) run_deb "${2:-}" ;;
    help | -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
