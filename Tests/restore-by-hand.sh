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

# decode TEXT: into $decoded. Most names need no program of their own, which is what takes the time here.
decode() {
    case $1 in
        =*) printf -v decoded %b "${1#=}" ;;
        :*) decoded=$(base64 -d <<<"${1#:}" && printf x); decoded=${decoded%x} ;;
    esac
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
    # One line an entry: type, path, mode, time, link target, segments. Names may hold anything: ":" and Base64, or "=" and
    # text in which @tsv has escaped what ends a field or a line.
    jq -r '[.type, (if .path_b64 then ":" + .path_b64 else "=" + .path end), .mode // "-", .mtime // "-",
            (if .target_b64 then ":" + .target_b64 else "=" + (.target // "") end),
            (.seg // [] | map("\(.[0]):\(.[1]):\(.[2])") | join(",") | if . == "" then "-" else . end)] | @tsv' \
        "$listing" >"$work/lines"
    while IFS=$'\t' read -r type path mode time link segments; do
        decode "$path"
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
                        dd if="$work/$id" iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none >>"$place"
                    fi
                done
                ;;
            *) echo "left out: a $type" >&2 ;;
        esac
        [ "$type" = dir ] || [ "$type" = file ] && printf '%s\t%s\t%s\n' "$path" "$mode" "$time" >>"$meta"
    done <"$work/lines"
    # Modes and times from the end, so that a directory comes after all that is in it.
    tac "$meta" | while IFS=$'\t' read -r path mode time; do
        decode "$path"
        chmod "$mode" "$target/$name${decoded:+/$decoded}"
        touch -d "@$time" "$target/$name${decoded:+/$decoded}"
    done
}

for snapshot in "$run"/*.snapshot; do
    restore "$snapshot"
done
