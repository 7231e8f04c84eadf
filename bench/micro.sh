#!/usr/bin/env bash
# Measures the hot paths alone, on one core and in memory: cutting, hashing, compressing, listing lines. Prints Markdown;
# exits with 1 when the chunker is slower than it should be. For figures worth keeping the machine must be idle.
#
# usage: bench/micro.sh
set -euo pipefail
cd "$(dirname "$0")/.."

case $(uname -m) in
    x86_64) runtime=linux-x64 ;;
    aarch64) runtime=linux-arm64 ;;
    *) echo "this machine is neither x86-64 nor arm64" >&2; exit 1 ;;
esac
dotnet publish bench/micro -c Release -r "$runtime" -o out/micro --nologo -v quiet </dev/null >&2
exec out/micro/backupd.Micro
