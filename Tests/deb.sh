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
