#!/usr/bin/env bash
# Restores a run without backupd, with jq, zstd, sha256sum and the shell, following docs/format.md. It shows that the
# document is enough; it knows directories, files and symbolic links and leaves owners and attributes alone.
#
# usage: Tests/restore-by-hand.sh STORE RUN_ID TARGET
set -euo pipefail

store=$(realpath "$1")
run=$store/completed/$2
mkdir -p "$3"
target=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$run" && sha256sum --check --quiet SHA256SUMS)

# chunk NAME: its content, checked, in $work/NAME.
chunk() {
    if [ ! -e "$work/$1" ]; then
        zstd -dqc "$store/chunks/${1:0:2}/$1" >"$work/$1"
        [ "$(sha256sum <"$work/$1")" = "$1  -" ] || { echo "chunk $1 is damaged" >&2; exit 1; }
    fi
}

# decode BASE64: into $decoded, trailing line feeds of odd names included.
decode() {
    decoded=$(base64 -d <<<"$1" && printf x)
    decoded=${decoded%x}
}

restore() {
    local snapshot=$1 name listing=$work/listing meta=$work/meta
    name=$(jq -r .name "$snapshot")
    : >"$listing"
    : >"$meta"
    for id in $(jq -r '.listing[].chunk' "$snapshot"); do
        chunk "$id"
        cat "$work/$id" >>"$listing"
    done
    # One line an entry: type, path, mode, time, link target, segments; text as Base64, so that names may hold anything.
    jq -r '[.type, (.path_b64 // (.path | @base64)), .mode // "", .mtime // "",
            (.target_b64 // ((.target // "") | @base64)), (.seg // [] | map("\(.[0]):\(.[1]):\(.[2])") | join(","))]
           | map(if . == "" then "-" else . end) | join(" ")' "$listing" >"$work/lines"
    while read -r type path mode time link segments; do
        decoded=
        [ "$path" = - ] || decode "$path"
        local place=$target/$name${decoded:+/$decoded}
        case $type in
            dir) mkdir "$place" ;;
            symlink) decode "$link"; ln -s "$decoded" "$place" ;;
            file | more)
                [ "$type" = more ] || : >"$place"
                [ "$segments" = - ] && segments=
                for segment in ${segments//,/ }; do
                    IFS=: read -r id offset length <<<"$segment"
                    if [ "$id" = hole ]; then
                        head -c "$length" /dev/zero >>"$place"
                    else
                        chunk "$id"
                        tail -c "+$((offset + 1))" "$work/$id" | head -c "$length" >>"$place" || true
                    fi
                done
                ;;
            *) echo "left out: a $type" >&2 ;;
        esac
        [ "$type" = dir ] || [ "$type" = file ] && printf '%s %s %s\n' "$path" "$mode" "$time" >>"$meta"
    done <"$work/lines"
    # Modes and times from the end, so that a directory comes after all that is in it.
    tac "$meta" | while read -r path mode time; do
        decoded=
        [ "$path" = - ] || decode "$path"
        chmod "$mode" "$target/$name${decoded:+/$decoded}"
        touch -d "@$time" "$target/$name${decoded:+/$decoded}"
    done
}

for snapshot in "$run"/*.snapshot; do
    restore "$snapshot"
done
