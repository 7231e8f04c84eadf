#!/usr/bin/env bash
# The daemon and its package under a real systemd: a virtual machine without a network boots Debian 12, with the processor of the
# oldest server that is promised, and does there what README and docs/configuration.md say. Prints a line a check and ends with
# "N passed, N failed". Needs root, mmdebstrap and qemu; takes ten minutes where the processor is emulated.
#
# usage: Tests/systemd.sh BINARY DIRECTORY
#   DIRECTORY   the machine's disk is kept there, and made when it is missing
set -uo pipefail

if [ "${1:-}" != --inside ]; then
    set -e
    here=$(dirname "$(dirname "$(realpath "$0")")")
    binary=$(realpath "$1") machine=$(realpath -m "$2")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if [ ! -e "$machine/disk" ]; then
        mkdir -p "$machine"
        mmdebstrap --quiet --variant=minbase \
            --include=systemd-sysv,dbus,udev,linux-image-cloud-amd64,iproute2,procps,openssl,curl,jq,sqlite3,netcat-openbsd,acl \
            bookworm "$work/root" </dev/null >&2
        cp "$work"/root/boot/vmlinuz-* "$machine/kernel"
        cp "$work"/root/boot/initrd.img-* "$machine/initrd"
        echo '/dev/vda / ext4 rw 0 1' >"$work/root/etc/fstab"
        echo machine >"$work/root/etc/hostname"
        printf '127.0.0.1 localhost machine\n::1 localhost\n' >"$work/root/etc/hosts"
        # Images of containers leave manual pages out.
        rm -f "$work"/root/etc/dpkg/dpkg.cfg.d/*
        cat >"$work/root/etc/systemd/system/checks.service" <<'UNIT'
[Service]
Type=oneshot
Environment=HOME=/root
ExecStartPre=stty -F /dev/ttyS1 raw
ExecStart=sh -c 'mount -o ro /dev/vdb /mnt && exec bash /mnt/systemd.sh --inside'
ExecStopPost=systemctl poweroff --no-block
StandardOutput=file:/dev/ttyS1
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
        chroot "$work/root" systemctl --quiet enable checks
        # Nothing but the checks may want the processor.
        chroot "$work/root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
        truncate -s 4G "$work/disk"
        mke2fs -q -t ext4 -E lazy_itable_init=1 -d "$work/root" "$work/disk"
        mv "$work/disk" "$machine/disk"
    fi
    mkdir -p "$work/given"
    cp "$binary" "$work/given/backupd"
    cp "$0" "$work/given/systemd.sh"
    for revision in 1 2; do
        SOURCE_DATE_EPOCH=1700000000 PACKAGE_COMPRESSION=gzip PACKAGE_REVISION=$revision \
            bash "$here/packaging/deb/make.sh" "$binary" amd64 "$work/given" >&2
    done
    mke2fs -q -t ext4 -d "$work/given" "$work/given.img" 200M >&2
    : >"$work/results"
    # What is written to the disks goes nowhere, so that each time begins with the same.
    timeout 3000 qemu-system-x86_64 -machine q35,accel=kvm:tcg -cpu Nehalem -smp 2 -m 2048 -nodefaults -display none -no-reboot -snapshot \
        -kernel "$machine/kernel" -initrd "$machine/initrd" -append 'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0' \
        -drive "file=$machine/disk,if=virtio,format=raw" -drive "file=$work/given.img,if=virtio,format=raw" \
        -serial "file:$work/console" -serial "file:$work/results" </dev/null 2>"$work/qemu" &
    tail -n +1 -f --pid=$! "$work/results"
    wait $! || true
    if ! grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$work/results"; then
        echo "FAIL systemd: the machine ended before the checks did"
        cat "$work/qemu" >&2
        tail -n 40 "$work/console" >&2
        echo "$(grep -c '^ok ' "$work/results" || true) passed, $(($(grep -c '^FAIL ' "$work/results" || true) + 1)) failed"
        exit 1
    fi
    grep -qE '^[0-9]+ passed, 0 failed$' "$work/results"
    exit $?
fi

work=/root/work
config=/etc/backupd/backupd.json
store=/var/lib/backupd/backups
unit=/etc/systemd/system/backupd.service
passed=0
failed=0
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok systemd: $name"
    else
        failed=$((failed + 1))
        echo "FAIL systemd: $name: $(tail -c 1500 "$work/output")"
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit $?
}
trap finish EXIT

# Long, because everything is slow where the processor is emulated.
soon() { local end=$((SECONDS + 180)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.5; done; }
is() { [ "$1" = "$2" ] || { echo "'$2' and not '$1'"; return 1; }; }
says() { local text; text=$("${@:2}" 2>&1); [[ $text == *"$1"* ]] || { echo "no '$1' in: $text"; return 1; }; }
ends_with() { local code=0; "${@:2}" || code=$?; is "$1" "$code"; }
prop() { systemctl show backupd --property "$1" --value; }
status_says() { says "$1" prop StatusText; }
is_active() { [ "$(prop ActiveState)/$(prop SubState)" = active/running ]; }
mode() { is "$2" "$(stat -c '%a %U:%G' "$1")"; }
# journal_has PRIORITY TEXT: since the last mark.
mark() { journalctl --sync && mark=$(date +%s.%N) && sleep 1; }
journal() { journalctl --sync && journalctl -u backupd --since "@${mark%.*}" -o json --no-pager | jq -r '.PRIORITY + " " + .MESSAGE'; }
journal_has() { journal | grep -E "^$1 .*$2" || { journal | tail -n 20; return 1; }; }
configures() { cat >"$config"; }
installs() { backupd config check && backupd service install && systemctl restart backupd && is_active; }
exposure_is_below() { systemd-analyze security --no-pager --threshold="$1" backupd >"$work/exposure" || { tail -n 1 "$work/exposure"; return 1; }; }
is_another() { [ "$(prop MainPID)" != 0 ] && [ "$(prop MainPID)" != "$1" ] && is_active; }
begins_a_run() { backupd run --quiet >"$work/run" 2>&1 & runner=$!; soon pgrep -x forever; }
run_ends_with() { local code=0; wait "$runner" || code=$?; is "$1" "$code" || { cat "$work/run"; return 1; }; }
facts() { (cd "$1" && find . -printf '%y %m %U %G %T@ %l %p\n' | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2); }
rows() { runuser -u app -- sqlite3 /srv/db/app.db 'SELECT group_concat(n) FROM t'; }

mkdir -p "$work"
install -m 755 /mnt/backupd /usr/local/bin/backupd
install -m 755 "$(command -v sleep)" /usr/local/bin/forever
useradd --create-home app
useradd --create-home dumper

# --- README: five minutes with a daemon
mark
check 'a first configuration' backupd init
check 'it is right' says 'ok: 1 participant, next run' backupd config check
check 'the unit is installed and started' backupd service install
check 'the daemon runs' is_active
check 'and starts with the system' is enabled "$(systemctl is-enabled backupd)"
check 'systemctl status says what it does' status_says 'idle; 1 participant; next run'
check 'the journal knows levels' journal_has 6 'ready on unix:/run/backupd/backupd.sock and 127.0.0.1:8620'
check 'the state is for root alone' mode /var/lib/backupd '700 root:root'
check 'so is the socket' mode /run/backupd '750 root:root'
check 'a backup' backupd run --quiet
check 'which systemctl status tells' soon status_says 'ended as completed; next run'
check 'status' says 'last run' backupd status
check 'log' says completed backupd log
check 'web' says 'http://127.0.0.1:8620/#token=' backupd web
check 'health' says 'BACKUPD OK' backupd health
check 'the page answers' says 'ok' curl -fsS http://127.0.0.1:8620/healthz
check 'systemd counts little against it' exposure_is_below 23
check 'the watchdog is armed' is 30s "$(prop WatchdogUSec)"
fed=$(prop WatchdogTimestampMonotonic)
is_fed() { [ "$(prop WatchdogTimestampMonotonic)" != "$fed" ]; }
check 'and is fed' soon is_fed

# --- reload
daemon=$(prop MainPID)
sed -i 's/"30 2 \* \* \*"/"45 3 * * *"/' "$config"
check 'a reload' systemctl reload backupd
check 'takes the new configuration' soon status_says '03:45'
cp "$config" "$work/good.json"
sed -i 's/"schedules"/"shedules"/' "$config"
mark
check 'a reload of a wrong one fails' ends_with 1 systemctl reload backupd
check 'the journal says why, as an error' journal_has 3 'unknown key "shedules"'
check 'the old one holds' status_says '03:45'
check 'the daemon goes on' is "$daemon" "$(prop MainPID)"
check 'a start with a wrong one fails, and once' ends_with 1 systemctl restart backupd
check 'with the exit code for that' is 78 "$(prop ExecMainStatus)"
check 'and no second try' is failed "$(prop ActiveState)"
cp "$work/good.json" "$config"
check 'it starts again with a good one' systemctl restart backupd

# --- directories and databases behind the walls, there and back
mkdir -p /srv/tree/deep /srv/db /home/app/docs
echo one >/srv/tree/file
echo two >/srv/tree/deep/file
ln -s deep/file /srv/tree/link
mkfifo /srv/tree/pipe
chown -R app: /srv/tree /srv/db
chmod 2775 /srv/tree/deep
setfacl -m u:dumper:rw /srv/tree/file
echo word >/srv/one
echo letter >/home/app/docs/letter
chown -R app: /home/app
chmod 700 /home/app
runuser -u app -- sqlite3 /srv/db/app.db 'PRAGMA journal_mode=wal; CREATE TABLE t (n); INSERT INTO t VALUES (1);' >/dev/null
configures <<'JSON'
{
  "store": "/var/lib/backupd/backups",
  "listen": { "tcp": "" },
  "participants": {
    "etc": { "directory": "/etc" },
    "tree": { "directory": "/srv/tree", "restoreDelete": true },
    "one": { "file": "/srv/one" },
    "docs": { "directory": "/home/app/docs" },
    "app": { "sqlite": "/srv/db/app.db" },
  },
}
JSON
check 'a unit for directories and databases, and the socket alone' installs
check 'systemd counts less' exposure_is_below 14
check 'it has no network' grep -qx PrivateNetwork=yes "$unit"
check 'a backup of them' backupd run --quiet
facts /srv/tree >"$work/tree"
acl=$(getfacl -p /srv/tree/file)
echo changed >/srv/tree/file
setfacl -b /srv/tree/file
rm -r /srv/tree/deep /home/app/docs/letter
touch /srv/tree/more
echo other >/srv/one
runuser -u app -- sqlite3 /srv/db/app.db 'INSERT INTO t VALUES (2)'
check 'a restore in place by the daemon' backupd restore latest --yes --force
same_tree() { facts /srv/tree | diff "$work/tree" -; }
check 'the tree is what it was' same_tree
check 'with its access list' is "$acl" "$(getfacl -p /srv/tree/file)"
check 'the file, too' is word "$(cat /srv/one)"
check 'and what is in a home' is letter "$(cat /home/app/docs/letter)"
check 'and the database, for its owner' is 1 "$(rows)"
check 'it is undone' backupd restore --undo latest --yes --force
check 'which brings back what was there' is '1,2 changed' "$(rows) $(cat /srv/tree/file)"

# --- programs, and daemons that hang, die and end
cat >/usr/local/bin/note <<'SH'
#!/bin/sh
echo "$1 $(id -un) $BACKUPD_PARTICIPANT$BACKUPD_EVENT" >>/tmp/notes
SH
chmod 755 /usr/local/bin/note
install -m 666 /dev/null /tmp/notes
configures <<'JSON'
{
  "store": "/var/lib/backupd/backups", "grace": "3s",
  "participants": {
    "dump": {
      "command": ["id", "-un"], "restoreCommand": ["sh", "-c", "cat >/tmp/given-back"], "user": "dumper",
      "before": ["note", "before"], "after": ["note", "after"],
    },
    "tree": { "directory": "/srv/tree", "before": ["note", "before"], "after": ["note", "after"] },
  },
  "notify": { "somebody": { "command": ["note", "told"], "user": "app" } },
}
JSON
check 'a unit for programs' installs
check 'systemd counts more' exposure_is_below 36
check 'a backup with programs' backupd run --quiet
check 'programs before and after ran as they should' \
    is 'after dumper dump,after root tree,before dumper dump,before root tree' "$(grep -v told /tmp/notes | sort | paste -sd ,)"
check 'a dump as its user' is dumper "$(backupd export latest dump)"
check 'which it is given back to' backupd restore latest --participant dump --yes --force
check 'as that user, too' is 'dumper dumper' "$(cat /tmp/given-back) $(stat -c %U /tmp/given-back)"
is_told() { grep -qx 'told app finished' /tmp/notes; }
check 'who is told was told' soon is_told
sed -i 's|"id", "-un"|"sh", "-c", "echo begun; forever 3000 \& wait"|' "$config"
check 'a dump that does not end' systemctl restart backupd
check 'a run begins' begins_a_run
check 'and systemctl status says so' soon status_says '%, backup'
daemon=$(prop MainPID)
mark
kill -9 "$daemon"
check 'who waits for a daemon that is killed is told' run_ends_with 13
check 'it is started again' soon is_another "$daemon"
check 'its programs are gone' ends_with 1 pgrep -x forever
check 'the interrupted run is in failed' journal_has 4 'was interrupted; its record is in failed'
check 'and there alone' is '1 0' "$(ls "$store/failed" | wc -l) $(ls -A "$store/.running" 2>/dev/null | wc -l)"
check 'a run begins again' begins_a_run
check 'a stop ends it within its grace' systemctl stop backupd
check 'who waits is told that it was cancelled' run_ends_with 130
check 'and it ended well' is 'inactive success' "$(prop ActiveState) $(prop Result)"
check 'without programs left' ends_with 1 pgrep -x forever
check 'it starts' systemctl start backupd
check 'and lists the run as cancelled' says cancelled backupd log
daemon=$(prop MainPID)
mark
kill -STOP "$daemon"
check 'a daemon that hangs is started again' soon is_another "$daemon"
check 'by the watchdog' journal_has 3 'Watchdog timeout'

# --- README: a copy elsewhere
ip addr add 192.0.2.1/32 dev lo
mkdir -p /media/usb/backups
(umask 077 && openssl rand -hex 16 >/root/web1.password)
cat >"$work/vault.json" <<JSON
{
  "store": "$work/own", "listen": { "socket": "$work/vault.sock", "tcp": "192.0.2.1:8700", "tokenSecretFile": "$work/vault.key" },
  "vault": { "path": "$work/vault", "logins": { "web1": { "passwordFile": "/root/web1.password", "appendOnly": true } } },
}
JSON
chmod 600 "$work/vault.json"
backupd serve --config "$work/vault.json" >"$work/vault.log" 2>&1 &
vault=$!
configures <<'JSON'
{ "store": "/var/lib/backupd/backups", "participants": { "tree": { "directory": "/srv/tree" } } }
JSON
check 'a unit that lets nothing out' installs
vault_is_ready() { grep -q 'ready on' "$work/vault.log"; }
check 'a vault elsewhere' soon vault_is_ready
print_of() { openssl x509 -noout -fingerprint -sha256 | cut -d = -f 2 | tee "$work/print" | grep .; }
served() { openssl s_client -connect "$1" </dev/null 2>/dev/null; }
its_print() { served 192.0.2.1:8700 | print_of; }
check 'its fingerprint from outside' soon its_print
logged=$(sed -n 's/.*SHA-256 \([0-9a-f]*\).*/\1/p' "$work/vault.log")
check 'is the one in its log' is "$logged" "$(tr -d : <"$work/print" | tr A-F a-f)"
adds() { backupd endpoint add offsite 192.0.2.1:8700 --login web1 --password-file /root/web1.password --fingerprint "$(cat "$work/print")"; }
check 'an endpoint behind the wall says so' says 'The unit of the daemon does not let it go there' adds
check 'the same for a directory' says 'The unit of the daemon does not let it go there' backupd endpoint add usb file:///media/usb/backups
check 'and the wall holds' ends_with 124 timeout 20 backupd endpoint test offsite
check 'no directory is written to either' says 'Read-only file system' backupd endpoint test usb
check 'a unit for both' installs
check 'systemd counts little against that' exposure_is_below 23
check 'the endpoint answers' soon backupd endpoint test offsite
check 'the directory, too' backupd endpoint test usb
check 'a backup that goes to both' backupd run --quiet
check 'it is there' says completed backupd list --remote offsite
check 'and there' says completed backupd list --remote usb
kill "$vault" && wait "$vault"

# --- credentials
mkdir -p -m 700 /etc/credstore /etc/credstore.encrypted
(
    umask 077
    openssl rand -hex 32 >/etc/credstore/token
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /etc/credstore/key -out /etc/credstore/certificate \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 30
    systemd-creds encrypt --name=web1 /root/web1.password /etc/credstore.encrypted/web1
) 2>/dev/null
configures <<'JSON'
{
  "store": "/var/lib/backupd/backups",
  "listen": {
    "tcp": "192.0.2.1:8620", "tokenSecretFile": "credential:token",
    "tls": { "certificate": "credential:certificate", "key": "credential:key" },
  },
  "participants": { "tree": { "directory": "/srv/tree" } },
  "vault": { "path": "/srv/vault", "logins": { "web1": { "passwordFile": "credential:web1" } } },
}
JSON
check 'a terminal has no encrypted credential' says 'hands it in $CREDENTIALS_DIRECTORY' backupd config check
check 'a unit with credentials' backupd service install
check 'the service has all of them' systemctl restart backupd
check 'a reload reads them again' systemctl reload backupd
serves_it() { served 192.0.2.1:8620 | openssl x509 | cmp - /etc/credstore/certificate; }
check 'the certificate is the credential' soon serves_it
print_of </etc/credstore/certificate >/dev/null
(umask 077 && backupd token new --role admin --days 1 >"$work/token")
asks() { BACKUPD_TOKEN_FILE=$work/token backupd status --addr tls:192.0.2.1:8620 --fingerprint "$(cat "$work/print")"; }
check 'a token made with the credential is taken' soon asks
check 'the vault of the service is an endpoint' backupd endpoint add here 192.0.2.1:8620 --login web1 \
    --password-file /root/web1.password --fingerprint "$(cat "$work/print")"
check 'and takes the encrypted password' soon backupd endpoint test here
check 'the service goes' backupd service uninstall
check 'and its unit' ends_with 1 test -e "$unit"

# --- the package
rm -rf /etc/backupd /var/lib/backupd /usr/local/bin/backupd
hash -r
package() { echo /mnt/backupd_*-"$1"_*.deb; }
dpkg_do() { dpkg --force-unsafe-io "$@"; }
check 'the package installs' dpkg_do -i "$(package 1)"
check 'it begins nothing without a configuration' is inactive "$(prop ActiveState)"
check 'its unit is understood' systemd-analyze verify --man=no /lib/systemd/system/backupd.service
cat >"$config" <<'JSON'
{
  "store": "/var/lib/backupd/backups", "listen": { "group": "backupd" },
  "participants": {
    "etc": { "directory": "/etc" },
    "gate": { "command": ["sh", "-c", "[ ! -e /tmp/shut ] || { forever 3000 & wait; }; echo open"] },
  },
}
JSON
chmod 600 "$config"
check 'it starts' systemctl start backupd
check 'a backup under its unit' backupd run --quiet
usermod -a -G backupd app
check 'by a member of its group' runuser -u app -- backupd run --quiet
check 'a reload under its unit' systemctl reload backupd
daemon=$(prop MainPID)
touch /tmp/shut
check 'a run begins under it' begins_a_run
check 'an upgrade meanwhile' says 'when it has ended: systemctl restart backupd' dpkg_do -i "$(package 2)"
check 'leaves the daemon as it is' is "$daemon" "$(prop MainPID)"
rm /tmp/shut
pkill -x forever
check 'and the run ends well' run_ends_with 0
check 'an upgrade of an idle daemon' dpkg_do -i "$(package 2)"
check 'restarts it' soon is_another "$daemon"
facts "$store/completed" >"$work/store"
same_store() { facts "$store/completed" | diff "$work/store" -; }
check 'removing stops it' dpkg_do -r backupd
check 'and leaves no daemon' ends_with 1 pgrep -x backupd
check 'it keeps the backups' same_store
check 'purging' dpkg_do -P backupd
check 'keeps them, too' same_store
