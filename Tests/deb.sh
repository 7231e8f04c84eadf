#!/usr/bin/env bash
# The Debian package, really installed, upgraded, removed and purged: in a throwaway layer over the file system of this
# machine, which nothing of it reaches. Prints a line a check and ends with "N passed, N failed". Needs root.
#
# usage: Tests/deb.sh BINARY
set -uo pipefail

# Outside: a layer of memory over /, and this script again in it.
if [ "${1:-}" != --inside ]; then
    here=$(dirname "$(dirname "$(realpath "$0")")")
    export here binary
    binary=$(realpath "$1")
    exec unshare --mount --propagation private bash -c '
        layer=$(mktemp -d) && mount -t tmpfs -o mode=755 tmpfs "$layer" && mkdir "$layer"/{upper,work,root} \
            && mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" overlay "$layer/root" \
            && mount -t tmpfs -o mode=1777 tmpfs "$layer/root/tmp" && mkdir "$layer/root/tmp/source" \
            && mount --bind "$here" "$layer/root/tmp/source" && install -D "$binary" "$layer/root/tmp/binary/backupd" || exit 1
        for directory in dev proc; do mount --rbind "/$directory" "$layer/root/$directory" || exit 1; done
        # Nothing in there may reach the service manager of this machine.
        mount -t tmpfs -o mode=755 tmpfs "$layer/root/run" || exit 1
        chroot "$layer/root" bash /tmp/source/Tests/deb.sh --inside
        code=$?
        umount -R "$layer/root" && umount "$layer" && rmdir "$layer"
        exit $code'
fi

work=/tmp/deb
packages=$work/packages
store=/var/lib/backupd/backups
passed=0
failed=0

check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok deb: $name"
    else
        failed=$((failed + 1))
        echo "FAIL deb: $name: $(tail -c 800 "$work/output")"
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit $?
}
trap finish EXIT

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mkdir -p "$packages" "$work/again"
# The layer begins with whatever this machine has.
rm -rf /etc/backupd /var/lib/backupd /etc/systemd/system/backupd.service /usr/local/bin/backupd
# Images of containers leave manual pages out.
rm -f /etc/dpkg/dpkg.cfg.d/*
# A setting for a user that is gone stops every package, not just this one.
: >/var/lib/dpkg/statoverride
# The better compression takes ten times as long.
export SOURCE_DATE_EPOCH=1700000000 PACKAGE_COMPRESSION=gzip

make() { PACKAGE_REVISION=$1 bash /tmp/source/packaging/deb/make.sh /tmp/binary/backupd "$(dpkg --print-architecture)" "$2"; }
package() { echo "$packages"/backupd_*-"$1"_*.deb; }
same_package() { make 1 "$work/again" && cmp "$(package 1)" "$work"/again/*.deb; }
# What the dependencies ask for is tested by apt; here the machine has it under whatever name.
dpkg_do() { dpkg --force-unsafe-io --force-depends "$@"; }
# files SCRIPT: what the package holds, as a script over its listing sees it.
owned_by_root() { ! dpkg-deb -c "$(package 1)" | grep -v ' root/root '; }
has_files() {
    local file
    for file in usr/bin/backupd lib/systemd/system/backupd.service usr/lib/tmpfiles.d/backupd.conf usr/lib/sysusers.d/backupd.conf \
        usr/share/man/man1/backupd.1.gz usr/share/man/man5/backupd.json.5.gz usr/share/bash-completion/completions/backupd \
        usr/share/zsh/vendor-completions/_backupd usr/share/fish/vendor_completions.d/backupd.fish usr/share/doc/backupd/copyright \
        usr/share/doc/backupd/README.md usr/share/doc/backupd/changelog.gz usr/share/doc/backupd/examples/backupd.json; do
        [ -s "/$file" ] || { echo "no /$file"; return 1; }
    done
}
mode() { [ "$(stat -c '%a %U:%G' "$1")" = "$2" ] || { stat "$1"; return 1; }; }
enabled() { [ "$(readlink /etc/systemd/system/multi-user.target.wants/backupd.service)" = /lib/systemd/system/backupd.service ]; }
gone() { [ ! -e "$1" ] && [ ! -L "$1" ] || { ls -la "$1"; return 1; }; }
stays_a_link() { [ "$(readlink "$1")" = "$2" ]; }
is_version() { [ "$(dpkg-query -W -f '${Version} ${db:Status-Abbrev}' backupd | sed 's/.*-//;s/ *$//')" = "$1" ]; }
facts() { (cd "$store" && find . -printf '%y %m %U %G %T@ %l %p\n' | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2); }
store_is_untouched() { facts | diff "$work/facts" -; }
page() { MANPAGER=cat man "$1" >"$work/page" 2>&1; grep -q "$2" "$work/page" || { head "$work/page"; return 1; }; }
unit_is_understood() { systemd-analyze verify --man=no /lib/systemd/system/backupd.service 2>&1 | { ! grep backupd.service; }; }
unit_wants() { grep -qx "$1" /lib/systemd/system/backupd.service; }
backs_up() {
    backupd serve >"$work/daemon" 2>&1 &
    local daemon=$! code=1
    for _ in $(seq 200); do
        if grep -q 'ready on' "$work/daemon"; then
            backupd run --quiet && code=0
            break
        fi
        kill -0 "$daemon" || break
        sleep 0.1
    done
    kill "$daemon" && wait "$daemon" || code=1
    [ "$code" = 0 ] || cat "$work/daemon"
    return "$code"
}
# Each line that a configuration has the unit of its own say, but for those about restores in place.
example_fits_the_unit() {
    local example=/usr/share/doc/backupd/examples/backupd.json line lines
    lines=$(backupd service print --config "$example" | grep -E '^(ReadWritePaths=[^-]|LoadCredential|CapabilityBoundingSet|Restrict)') || return 1
    while read -r line; do unit_wants "$line" || { echo "the unit lacks $line"; return 1; }; done <<<"$lines"
    # SQLite writes beside a database to read it.
    ! grep -E '^[^/]*"sqlite"' "$example"
}
within_20_s() { local _; for _ in $(seq 200); do ! "$@" || return 0; sleep 0.1; done; return 1; }
is_active() { backupd status --json --config "$work/busy.json" | grep -q '"active":true'; }
is_ready() { grep -q 'ready on' "$work/busy.log"; }
# A daemon of another configuration, as MainPID of the service, and a run of it that ends when somebody says so.
begins_a_run() {
    mkfifo "$work/gate"
    cat >"$work/busy.json" <<JSON
{ "store": "$work/busy", "listen": { "socket": "$work/busy.sock", "tcp": "", "tokenSecretFile": "$work/busy.key" },
  "participants": { "slow": { "command": ["cat", "$work/gate"] } } }
JSON
    backupd serve --config "$work/busy.json" >"$work/busy.log" 2>&1 &
    daemon=$!
    echo "$daemon" >"$work/pid"
    within_20_s is_ready || return 1
    backupd run --quiet --config "$work/busy.json" &
    runner=$!
    within_20_s is_active
}
ends_the_run() { timeout 20 sh -c "echo done >'$work/gate'" && wait "$runner"; }
ends_the_daemon() { echo 0 >"$work/pid" && kill "$daemon" && wait "$daemon"; }
# managed CALLS COMMAND...: the command succeeds, and that is what it has the service manager do: without its questions, and without
# what systemctl does by itself in a tree of files.
managed() {
    local wanted=$1 calls
    shift
    : >"$work/calls"
    "$@" || return 1
    calls=$(sed -e '/^--root=/d' -e 's/--[a-z]* //g' "$work/calls" | grep -vE '^(is-enabled|is-active|show) ' | paste -sd ,)
    [ "$calls" = "$wanted" ] || { echo "not '$wanted': '$calls'"; return 1; }
}
unknown_argument() {
    local script
    for script in postinst prerm postrm; do
        ! sh "/var/lib/dpkg/info/backupd.$script" nonsense || return 1
    done
}
scripts_parse() { local script; for script in postinst prerm postrm; do sh -n "/tmp/source/packaging/deb/$script" || return 1; done; }
restores() { /tmp/binary/backupd restore "$store/latest" --to "$work/back" --quiet && [ -s "$work/back/etc/passwd" ]; }

check 'it is made' make 1 "$packages"
check 'the same sources make the same bytes' same_package
check 'a higher version is made' make 2 "$packages"
check 'everything belongs to root' owned_by_root
check 'its scripts are for every shell' scripts_parse

check 'it installs' dpkg_do -i "$(package 1)"
check 'its version is there' is_version '1 ii'
check 'its files are there' has_files
check 'the program runs' backupd version
check 'its configuration is for whoever makes one' gone /etc/backupd/backupd.json
check 'the unit starts nothing without one' unit_wants ConditionPathExists=/etc/backupd/backupd.json
check 'the unit runs the program of the package' unit_wants 'ExecStart=/usr/bin/backupd serve'
check 'systemd understands the unit' unit_is_understood
check 'it begins with the system' enabled
check 'the state is for root alone' mode /var/lib/backupd '700 root:root'
check 'the directory of the socket is there' mode /run/backupd '755 root:root'
check 'the group is there' getent group backupd
check 'man backupd' page backupd 'backups that can be watched'
check 'man backupd.json' page backupd.json keepPreRestore
check 'the example is a configuration' backupd config check /usr/share/doc/backupd/examples/backupd.json
check 'and one for the unit of the package' example_fits_the_unit
check 'a first configuration' backupd init
check 'a backup' backs_up
facts >"$work/facts"

check 'it upgrades' dpkg_do -i "$(package 2)"
check 'the new version is there' is_version '2 ii'
check 'an upgrade leaves the store as it is' store_is_untouched
check 'it is still enabled' enabled
cp /etc/backupd/backupd.json "$work/kept.json"
check 'installing it again' dpkg_do -i "$(package 2)"

printf '# Written by backupd service install. To change it: systemctl edit backupd\nExecStart=/usr/bin/backupd serve\n' \
    >/etc/systemd/system/backupd.service
check 'it can be removed' dpkg_do -r backupd
check 'the program is gone' gone /usr/bin/backupd
check 'the unit is gone' gone /lib/systemd/system/backupd.service
check 'so is one that would start a program that is gone' gone /etc/systemd/system/backupd.service
check 'removing keeps the configuration' cmp "$work/kept.json" /etc/backupd/backupd.json
check 'removing keeps the key' mode /var/lib/backupd/token.key '600 root:root'
check 'removing leaves the store as it is' store_is_untouched

check 'it comes back' dpkg_do -i "$(package 2)"
check 'enabled as before' enabled
check 'with the configuration' cmp "$work/kept.json" /etc/backupd/backupd.json
check 'its scripts refuse what they do not know' unknown_argument
echo mine >/etc/backupd/web1.password
printf '[Service]\nExecStart=/opt/mine\n' >/etc/systemd/system/backupd.service
check 'it can be purged' dpkg_do -P backupd
cp "$work/output" "$work/purged"
check 'purging takes the configuration' gone /etc/backupd/backupd.json
check 'purging takes the key' gone /var/lib/backupd/token.key
check 'purging leaves the files of others' grep -q mine /etc/backupd/web1.password
check 'purging leaves the unit of somebody else' grep -q /opt/mine /etc/systemd/system/backupd.service
check 'purging says what stays' grep -q 'web1.password' "$work/purged"
check 'purging leaves the store as it is' store_is_untouched
check 'which can be restored from' restores
check 'nothing starts at boot any more' gone /etc/systemd/system/multi-user.target.wants/backupd.service

# From here on there is a service manager, which notes how it is called.
rm -f /usr/sbin/policy-rc.d /etc/systemd/system/backupd.service /etc/backupd/web1.password
mkdir -p /run/systemd/system
echo 0 >"$work/pid"
cat >/usr/local/sbin/systemctl <<'SH'
#!/bin/sh
echo "$*" >>/tmp/deb/calls
case $* in
    *is-enabled*) echo enabled ;;
    *'show '*) cat /tmp/deb/pid ;;
esac
[ ! -e /tmp/deb/refuses ]
SH
chmod 755 /usr/local/sbin/systemctl
check 'installing starts it' managed 'daemon-reload,start backupd.service' dpkg_do -i "$(package 1)"
cp "$work/output" "$work/installed"
check 'and says what comes next' grep -q 'Next: backupd init; .*; backupd service install$' "$work/installed"
check 'a run begins' begins_a_run
check 'an upgrade leaves a daemon alone that is at work' managed daemon-reload dpkg_do -i "$(package 2)"
cp "$work/output" "$work/upgraded"
check 'and says when to restart it' grep -q 'when it has ended: systemctl restart backupd' "$work/upgraded"
check 'the run ends well' ends_the_run
check 'an upgrade restarts a daemon that has nothing to do' managed 'daemon-reload,restart backupd.service' dpkg_do -i "$(package 2)"
check 'that one ends' ends_the_daemon
check 'removing stops it' managed 'stop backupd.service,daemon-reload' dpkg_do -r backupd

touch "$work/refuses"
check 'it installs where the service manager refuses everything' \
    managed 'daemon-reload,restart backupd.service' dpkg_do -i "$(package 2)"
mv /var/lib/backupd /srv/state && ln -s /srv/state /var/lib/backupd && touch /srv/state/token.key
mkdir -p /etc/backupd && mount -t tmpfs tmpfs /etc/backupd && cp "$work/kept.json" /etc/backupd/backupd.json
check 'so it is purged, from behind a link and on a disk of its own' managed 'stop backupd.service,daemon-reload' dpkg_do -P backupd
cp "$work/output" "$work/purged"
check 'which takes the configuration' gone /etc/backupd/backupd.json
check 'and the key' gone /srv/state/token.key
check 'the link stays' stays_a_link /var/lib/backupd /srv/state
check 'purging says that it does' grep -q '/var/lib/backupd stays, and what is in it: backups' "$work/purged"
check 'with the store as it is' store_is_untouched
