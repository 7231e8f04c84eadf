#!/usr/bin/env bash
# Makes a Debian package of a published binary. The same binary, sources and SOURCE_DATE_EPOCH make the same bytes.
#
# usage: packaging/deb/make.sh BINARY ARCHITECTURE DIRECTORY [TOOL]
#   TOOL   the binary that runs on this machine, and prints unit, manual pages and completions; else BINARY
#
# PACKAGE_REVISION: what follows the version of the program, 1 if unset. PACKAGE_COMPRESSION: for dpkg-deb, xz if unset.
set -euo pipefail

binary=$(realpath "$1") architecture=$2 target=$3 tool=$(realpath "${4:-$1}")
sources=$(dirname "$(realpath "$0")")
root=$(dirname "$(dirname "$sources")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
export LC_ALL=C.UTF-8
: "${SOURCE_DATE_EPOCH:=$(git -C "$root" log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

upstream=$("$tool" version)
version=${upstream#backupd }
version=${version%%+*}-${PACKAGE_REVISION:-1}
tree=$work/tree

# put MODE SOURCE PLACE
put() { install -D -m "$1" "$2" "$tree/$3"; }
# made MODE PLACE: what comes on standard input.
made() { cat >"$work/made"; put "$1" "$work/made" "$2"; }
packed() { gzip -9n | made 644 "$1"; }

put 755 "$binary" usr/bin/backupd
"$tool" service print --config "$sources/unit.json" \
    | sed -e '1s/.*/# Of the package, for a store below \/var\/lib\/backupd. backupd service install makes one that fits your configuration, and/' \
        -e '1a # that counts instead of this one: stores and endpoints elsewhere, ports below 1024, credentials, restores in place, higher walls.' \
        -e 's|^ExecStart=.*|ExecStart=/usr/bin/backupd serve|' -e 's|^ExecReload=.* config check.*|ExecReload=/usr/bin/backupd config check|' \
        -e 's|^StartLimitBurst=.*|&\n# backupd init writes it.\nConditionPathExists=/etc/backupd/backupd.json|' \
    | made 644 lib/systemd/system/backupd.service
grep -q '^ExecStart=/usr/bin/backupd serve$' "$tree/lib/systemd/system/backupd.service"
grep -q '^ExecReload=/usr/bin/backupd config check$' "$tree/lib/systemd/system/backupd.service"
grep -q '^ConditionPathExists=' "$tree/lib/systemd/system/backupd.service"
put 644 "$sources/tmpfiles.conf" usr/lib/tmpfiles.d/backupd.conf
put 644 "$sources/sysusers.conf" usr/lib/sysusers.d/backupd.conf

"$root/packaging/man/make.sh" "$tool" "$work/man"
packed usr/share/man/man1/backupd.1.gz <"$work/man/backupd.1"
packed usr/share/man/man5/backupd.json.5.gz <"$work/man/backupd.json.5"
"$tool" completion bash | made 644 usr/share/bash-completion/completions/backupd
"$tool" completion zsh | made 644 usr/share/zsh/vendor-completions/_backupd
"$tool" completion fish | made 644 usr/share/fish/vendor_completions.d/backupd.fish

doc=usr/share/doc/backupd
put 644 "$sources/copyright" $doc/copyright
put 644 "$root/README.md" $doc/README.md
for file in "$root"/docs/*.md; do put 644 "$file" "$doc/docs/$(basename "$file")"; done
put 644 "$root/packaging/examples/backupd.json" $doc/examples/backupd.json
packed $doc/changelog.gz <"$root/CHANGELOG.md"
packed $doc/changelog.Debian.gz <<TXT
backupd ($version) unstable; urgency=medium

  * What has changed is in changelog.gz.

 -- backupd maintainers <maintainers@backupd.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
TXT
put 644 "$sources/lintian-overrides" usr/share/lintian/overrides/backupd
install -d -m 755 "$tree/etc/backupd"

# The newest symbols of the C library that the binary names decide how old that may be.
libc=$(readelf -W -V "$binary" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -V | tail -n 1)
size=$(du -k -s --apparent-size "$tree" | cut -f 1)
install -d -m 755 "$tree/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBC@/$libc/" -e "s/@SIZE@/$size/" \
    "$sources/control.in" >"$tree/DEBIAN/control"
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs md5sum) >"$work/md5sums"
install -m 644 "$work/md5sums" "$tree/DEBIAN/md5sums"
for script in postinst prerm postrm; do install -m 755 "$sources/$script" "$tree/DEBIAN/$script"; done

find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$target"
package=$target/backupd_${version}_$architecture.deb
# One thread: with more the compressor cuts the data by their number.
dpkg-deb --root-owner-group "-Z${PACKAGE_COMPRESSION:-xz}" --threads-max=1 --build "$tree" "$package" >/dev/null
echo "$package"
