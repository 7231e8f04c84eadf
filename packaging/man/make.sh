#!/bin/sh
# Makes the manual pages from their sources beside this script. What they list is asked of the program itself, so that it
# is never out of date: the verbs of backupd --help, and the keys of backupd config keys.
#
# usage: packaging/man/make.sh BINARY DIRECTORY
#
# SOURCE_DATE_EPOCH, when set, is the date of the pages.
set -eu

binary=$1
target=$2
sources=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Text of the program as lines of a page: one for a sentence, none too long, no escapes, no request at a beginning.
text='
function text(words,    list, count, line, i, made) {
    gsub(/\\/, "\\e", words)
    gsub(/…/, "...", words)
    count = split(words, list, " ")
    for (i = 1; i <= count; i++) {
        if (line == "") line = list[i] ~ /^[.'"'"']/ ? "\\&" list[i] : list[i]
        else line = line " " list[i]
        if (i < count && (length(line) + length(list[i + 1]) > 76 || list[i] ~ /[a-z]\.$/ && list[i + 1] ~ /^[A-Z]/)) {
            made = made line "\n"
            line = ""
        }
    }
    return made line
}'

# commands GROUP: the lines of the list of commands in the help of the program, or of a group of verbs. A description
# that is too long for its line goes on below.
commands() {
    "$binary" ${1:+"$1"} --help | awk -v group="${1:+$1 }" "$text"'
        /^Commands:/ { inside = 1; next }
        !inside || NF == 0 { next }
        /^  [a-z]/ {
            end = match(substr($0, 3), /  +/)
            name = end ? substr($0, 3, end - 1) : substr($0, 3)
            count = split(name, words, " ")
            item = ".It Ic \"" group words[1] "\""
            for (i = 2; i <= count; i++) {
                gsub(/[<>]/, "", words[i])
                item = item " Ar " words[i]
            }
            print item
            if (end) print text(substr($0, 2 + end + RLENGTH))
            next
        }
        { sub(/^ +/, ""); print text($0) }'
}

verbs() {
    commands "" >"$work/top"
    # A group has commands of its own, which say more than it does.
    while IFS= read -r line; do
        case $line in
            '.It Ic "'*)
                verb=${line#'.It Ic "'}
                verb=${verb%%'"'*}
                commands "$verb" </dev/null >"$work/group"
                if [ -s "$work/group" ]; then
                    cat "$work/group"
                    skip=1
                else
                    printf '%s\n' "$line"
                    skip=
                fi
                ;;
            *) [ -n "$skip" ] || printf '%s\n' "$line" ;;
        esac
    done <"$work/top"
}

# The columns begin where they do in the first line.
keys() {
    "$binary" config keys | awk "$text"'
        NR == 1 { second = index($0, $2); third = second + match(substr($0, second), /  +/) + RLENGTH - 1 }
        {
            value = substr($0, second, third - second)
            sub(/ +$/, "", value)
            print ".It Li " $1
            print text(substr($0, third)) (value == "" || value == "required" || value == "none" ? "" : ";")
            if (value == "required") print "(required)."
            else if (value != "" && value != "none") print "default: " text(value) "."
        }'
}

LC_ALL=C.UTF-8
export LC_ALL
verbs >"$work/verbs"
keys >"$work/keys"
date=$(LC_ALL=C date -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"} '+%B %-d, %Y')
mkdir -p "$target"
for page in backupd.1 backupd.json.5; do
    sed -e "s/@DATE@/$date/" \
        -e "/^@VERBS@\$/{r $work/verbs" -e 'd}' \
        -e "/^@KEYS@\$/{r $work/keys" -e 'd}' "$sources/$page.in" >"$target/$page"
done
