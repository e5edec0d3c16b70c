#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench-nbdcopy.sh - what nbdcopy costs on this library, beside the distribution's libnbd
#
#     bench-nbdcopy.sh [plain|tls|calls...]     default: all three
#
# make bench-lib in a build folder, or this with abs_top_builddir set: nbdcopy reads an export of nbdkit
# over a Unix socket into nothing, ROUNDS times (15) with each library, in turns, after
# one round of each that is not counted. It prints medians with the least and the most;
# the exit status is 1 where this library is beyond the limits: user + system time above
# 0.95 of libnbd's (TLS: 1.00), more wall time, more than half of the receiving calls.
# Wall time may be above by WALL_NOISE (1.03), which is what two equal programs differ by.
#
# For quiet machines. An optimised build, please (CFLAGS=-O2).
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${abs_top_builddir:=$PWD}" "${ROUNDS:=15}" "${SIZE:=4G}" "${TLS_SIZE:=2G}"
: "${WALL_NOISE:=1.03}" "${NBDCOPY:=nbdcopy}"
export LC_ALL=C.UTF-8

for program in "$NBDCOPY" nbdkit strace perl; do
    command -v "$program" >/dev/null || { echo "$0: $program is needed" >&2; exit 2; }
done
tmp=$(mktemp -d) || exit 2
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$tmp"
}
trap finish EXIT

mkdir "$tmp/ours"
ln -s "$abs_top_builddir/tests/compat/.libs/libnbd.so.0" "$tmp/ours/"
LD_LIBRARY_PATH=$tmp/ours ldd "$(command -v "$NBDCOPY")" | grep -q "$tmp/ours" ||
    { echo "$0: nbdcopy does not take the library of $abs_top_builddir" >&2; exit 2; }

start_server() { # NBDKIT-ARGS...
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
    rm -f "$tmp/sock" "$tmp/pid"
    nbdkit --foreground --exit-with-parent --pidfile="$tmp/pid" --unix="$tmp/sock" "$@" &
    server=$!
    local end=$((SECONDS + 30))
    until [ -s "$tmp/pid" ]; do
        [ "$SECONDS" -lt "$end" ] && kill -0 "$server" 2>/dev/null ||
            { echo "$0: nbdkit does not start" >&2; exit 2; }
        read -r -t 0.05 < <(:) || :
    done
}

TIMEFORMAT='%R %U %S'
one() { # LIBRARY-FOLDER FILE URI: appends wall, user, system
    { time LD_LIBRARY_PATH=$1 "$NBDCOPY" "$3" null: 2>"$tmp/said"; } 2>>"$2" ||
        { cat "$tmp/said" >&2; exit 2; }
}

# rounds NAME LIMIT URI
rounds() {
    local i
    one "" /dev/null "$3"
    one "$tmp/ours" /dev/null "$3"
    : >"$tmp/theirs.txt"
    : >"$tmp/ours.txt"
    for ((i = 0; i < ROUNDS; i++)); do
        # Who comes second may find a warmer cache: each as often.
        if ((i % 2)); then
            one "$tmp/ours" "$tmp/ours.txt" "$3"
            one "" "$tmp/theirs.txt" "$3"
        else
            one "" "$tmp/theirs.txt" "$3"
            one "$tmp/ours" "$tmp/ours.txt" "$3"
        fi
    done
    perl "$here/bench-nbdcopy.pl" "$1" "$2" "$WALL_NOISE" "$tmp/theirs.txt" "$tmp/ours.txt"
}

count_calls() { # LIBRARY-FOLDER: calls that receive
    LD_LIBRARY_PATH=$1 strace -f -c -o "$tmp/calls" "$NBDCOPY" "$2" null: || exit 2
    awk '$NF ~ /^(recvfrom|recvmsg|recv)$/ { n += $4 } END { print n + 0 }' "$tmp/calls"
}

failed=0
uri="nbd+unix:///?socket=$tmp/sock"
for what in ${*:-plain tls calls}; do
    case $what in
    plain)
        start_server pattern "$SIZE"
        rounds "plain, $SIZE" 0.95 "$uri" || failed=1
        ;;
    tls)
        umask 077
        echo "bench:$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')" >"$tmp/keys.psk"
        start_server --tls=require --tls-psk="$tmp/keys.psk" pattern "$TLS_SIZE"
        rounds "TLS, $TLS_SIZE" 1.00 \
            "nbds+unix://bench@/?socket=$tmp/sock&tls-psk-file=$tmp/keys.psk" || failed=1
        ;;
    calls)
        start_server pattern 1G
        theirs=$(count_calls "" "$uri")
        ours=$(count_calls "$tmp/ours" "$uri")
        awk -v t="$theirs" -v o="$ours" 'BEGIN {
            printf "receiving calls per 256 KiB: libnbd %.2f, ours %.2f, ratio %.2f (at most 0.50)\n",
                t / 4096, o / 4096, o / t
            exit o > t / 2
        }' || failed=1
        ;;
    *) echo "usage: $0 [plain|tls|calls...]" >&2; exit 2 ;;
    esac
done
exit "$failed"
