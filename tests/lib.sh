# SPDX-License-Identifier: LGPL-2.1-or-later
# lib.sh - what tests in shell share: TAP, a private folder, servers and mounts that are
# gone when the test ends, and waiting for a condition
#
#     . "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
#     need_fuse; need_program nbdkit
#     start_nbdkit memory 1M                      # $uri, $sock, $nbdkit_pid
#     start_nbdmount "$uri" "$(new_dir mnt)"      # $mnt, $nbdmount_pid, $nbdmount_log
#     is "the file has the export's size" "$(stat -c %s "$mnt/nbd")" 1048576
#     done_testing
#
# For bash. By hand it runs with the programs of the current folder (or those of
# abs_top_builddir). Nothing here may be called in a subshell, $(new_dir) excepted: the
# count of cases and the list of what to clean up would be lost.

set -u
: "${abs_top_srcdir:?}" "${abs_top_builddir:=$PWD}" "${SANITIZER:=none}"
export abs_top_srcdir abs_top_builddir SANITIZER
export LC_ALL=C.UTF-8

tmp=$(mktemp -d "${TMPDIR:-/tmp}/nbdmount-test.XXXXXX") || exit 99
tmp=$(realpath "$tmp")
nbdmount=${NBDMOUNT:-$abs_top_builddir/src/nbdmount}
if [ -z "${NBDMOUNT:-}" ] && [ -x "$abs_top_builddir/src/.libs/nbdmount" ]; then
    # What Libtool puts in its place does the same, and takes several times as long.
    nbdmount=$tmp/.program/nbdmount
    mkdir "$tmp/.program"
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\nexec %q "$@"\n' \
        "$abs_top_builddir/lib/.libs" "$abs_top_builddir/src/.libs/nbdmount" >"$nbdmount"
    chmod +x "$nbdmount"
fi
WAIT_SECONDS=${WAIT_SECONDS:-30}

# Sanitizers write here, so that a report of a program in the background is seen: see
# done_testing.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$tmp/sanitizer"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}print_stacktrace=1:log_path=$tmp/sanitizer"
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$tmp/sanitizer"

# ---- TAP

tap_run=0
tap_failed=0
tap_done=

diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

# The last lines of a file, as comments.
diag_file() {
    [ -s "$1" ] || return 0
    diag "$1:"
    tail -n "${2:-40}" "$1" | tr -d '\000' | sed 's/^/#   /'
}

pass() {
    tap_run=$((tap_run + 1))
    printf 'ok %d - %s\n' "$tap_run" "$1"
}

fail() {
    tap_run=$((tap_run + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_run" "$1"
    local i
    for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
        [ "${BASH_SOURCE[i]}" = "${BASH_SOURCE[0]}" ] ||
            { diag "  failed at ${BASH_SOURCE[i]}:${BASH_LINENO[i - 1]}"; break; }
    done
    return 1
}

skip() { # NAME REASON
    tap_run=$((tap_run + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_run" "$1" "$2"
}

# ok NAME COMMAND...: the command succeeds. What it says is shown where it does not.
ok() {
    local name=$1 code=0
    shift
    "$@" >"$tmp/.said" 2>&1 </dev/null || code=$?
    if [ "$code" -eq 0 ]; then pass "$name"; return; fi
    fail "$name"
    diag "  status $code of: $*"
    diag_file "$tmp/.said"
    return 1
}

# nok NAME COMMAND...: it fails, in an orderly way (no signal).
nok() {
    local name=$1 code=0
    shift
    "$@" >"$tmp/.said" 2>&1 </dev/null || code=$?
    if [ "$code" -gt 0 ] && [ "$code" -lt 124 ]; then pass "$name"; return; fi
    fail "$name"
    diag "  status $code of: $*"
    diag_file "$tmp/.said"
    return 1
}

is() { # NAME GOT WANT
    if [ "$2" = "$3" ]; then pass "$1"; return; fi
    fail "$1"
    diag "  got  '$2'"
    diag "  want '$3'"
    return 1
}

isnt() { # NAME GOT UNWANTED
    if [ "$2" != "$3" ]; then pass "$1"; return; fi
    fail "$1"
    diag "  got  '$2'"
    return 1
}

like() { # NAME GOT REGEX
    if [[ $2 =~ $3 ]]; then pass "$1"; return; fi
    fail "$1"
    diag "  got       '$2'"
    diag "  not like  '$3'"
    return 1
}

unlike() { # NAME GOT REGEX
    if ! [[ $2 =~ $3 ]]; then pass "$1"; return; fi
    fail "$1"
    diag "  got   '$2'"
    diag "  like  '$3'"
    return 1
}

at_most() { # NAME GOT LIMIT
    if [ "$2" -le "$3" ]; then pass "$1"; return; fi
    fail "$1"
    diag "  got $2, more than $3"
    return 1
}

at_least() { # NAME GOT LIMIT
    if [ "$2" -ge "$3" ]; then pass "$1"; return; fi
    fail "$1"
    diag "  got $2, less than $3"
    return 1
}

# run COMMAND...: sets $status, $out and $err.
run() {
    status=0
    "$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null || status=$?
    # Without a process; bash says it where it leaves out null bytes.
    { out=$(<"$tmp/.out") err=$(<"$tmp/.err"); } 2>/dev/null
}

# cases_of NAME COMMAND...: the cases of a program that tells of its own, and that it ends
# well, with nothing to say beside them.
cases_of() {
    local line name=$1
    run "${@:2}"
    while read -r line; do
        case $line in
        'ok '*) pass "${line#* - }" ;;
        'not ok '*) fail "${line#* - }" ;;
        '1..0 # SKIP '*) skip "$name" "${line#*SKIP }"; return ;;
        esac
    done <"$tmp/.out"
    is "$name ends well" "$status$err" 0
}

skip_all() {
    tap_done=1
    echo "1..0 # SKIP $*"
    exit 0
}

bail_out() {
    tap_done=1
    echo "Bail out! $*"
    exit 99
}

done_testing() {
    stop_all
    local report
    for report in "$tmp"/sanitizer.*; do
        [ -e "$report" ] || continue
        fail "no sanitizer reports anything" || diag_file "$report" 80
    done
    tap_done=1
    echo "1..$tap_run"
    [ "$tap_failed" -eq 0 ] || diag "$tap_failed of $tap_run failed"
    [ "$tap_failed" -eq 0 ] && [ "$tap_run" -gt 0 ]
    exit
}

# ---- what a test needs: where CI installs it, its absence is a failure, not a skip

need() { # WHAT COMMAND...
    local what=$1
    shift
    "$@" >/dev/null 2>&1 && return
    if [ -n "${CI:-}" ]; then
        fail "$what is needed"
        tap_done=1
        echo "1..$tap_run"
        exit 1
    fi
    skip_all "$what is needed"
}

need_program() {
    local program
    for program in "$@"; do
        need "the program $program" command -v "$program"
    done
}

need_nbdkit() { # plugin or --filter=filter, for each
    local thing
    need_program nbdkit
    for thing in "$@"; do
        case $thing in
        --filter=*) need "nbdkit's filter ${thing#*=}" nbdkit "$thing" null --dump-plugin ;;
        *) need "nbdkit's plugin $thing" nbdkit "$thing" --dump-plugin ;;
        esac
    done
}

need_fuse() {
    need_program fusermount3
    need "/dev/fuse" test -c /dev/fuse -a -r /dev/fuse -a -w /dev/fuse
}

# ---- waiting

exec {never}<>/dev/null
mkfifo "$tmp/.never" && exec {never}<>"$tmp/.never"

# Some milliseconds between two looks at a condition; not a way to order events.
pause() {
    read -r -t "${1:-0.02}" -u "$never" || true
}

# The same, and longer after some of them: to look takes processes most of the time.
pause_again() { # HOW-MANY-BEFORE
    if [ "$1" -lt 20 ]; then pause; else pause 0.08; fi
}

# wait_for COMMAND...: until it succeeds, or fails after $WAIT_SECONDS.
wait_for() {
    local end=$((SECONDS + WAIT_SECONDS)) looks=0
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            diag "waited $WAIT_SECONDS s in vain for: $*"
            return 1
        fi
        pause_again "$((looks++))"
    done
}

# Without a process of its own: where none can be started, nobody is gone for that.
is_alive() { # PID; a zombie is not
    local state
    { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 1
    case ${state##*) } in '' | Z* | X*) return 1 ;; esac
}
is_gone() { ! is_alive "$1"; }

# Whether its parent is this shell.
is_child() { # PID
    local state parent
    { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r _ parent _ <<<"${state##*) }"
    [ "$parent" -eq "$$" ]
}

# wait_while_alive PID COMMAND...: as wait_for, and fails when the process ends.
wait_while_alive() {
    local pid=$1 end=$((SECONDS + WAIT_SECONDS)) looks=0
    shift
    until "$@" >/dev/null 2>&1; do
        is_alive "$pid" || { "$@" >/dev/null 2>&1; return; }
        [ "$SECONDS" -lt "$end" ] || return 1
        pause_again "$((looks++))"
    done
}

# wait_while_growing FILE COMMAND...: as wait_for, for a program that tells in FILE how it
# gets on: its time begins anew whenever that has grown.
wait_while_growing() {
    local file=$1 size=-1 now end=0
    shift
    until "$@" >/dev/null 2>&1; do
        now=$(stat -c %s "$file")
        [ "$now" = "$size" ] || end=$((SECONDS + WAIT_SECONDS))
        size=$now
        if [ "$SECONDS" -ge "$end" ]; then
            diag "waited in vain for: $*; $file has not grown for $WAIT_SECONDS s"
            return 1
        fi
        pause 0.1
    done
}

# ---- processes

started_pids=()
started_count=0

# start NAME COMMAND...: in the background; sets $started_pid and $started_log, the file
# with what it says.
start() {
    local name=$1
    shift
    started_count=$((started_count + 1))
    started_log=$tmp/$name-$started_count.log
    "$@" </dev/null >"$started_log" 2>&1 &
    started_pid=$!
    started_pids+=("$started_pid")
}

# stop PID [SIGNAL]: ends what was started; $status is how it ended. Harder where it
# does not within $WAIT_SECONDS, and that is a failure. What has ended long ago gets no signal:
# its number may be another process's by now, or a thread's, and would end all of that.
stop() {
    local pid=$1 hard=0
    if is_child "$pid"; then
        kill -s "${2:-TERM}" "$pid" 2>/dev/null
        wait_for is_gone "$pid" || { hard=1; kill -s KILL "$pid" 2>/dev/null; }
    fi
    status=0
    wait "$pid" 2>/dev/null || status=$?
    local other left=()
    for other in ${started_pids[@]+"${started_pids[@]}"}; do
        [ "$other" = "$pid" ] || left+=("$other")
    done
    started_pids=(${left[@]+"${left[@]}"})
    return "$hard"
}

# freeze PID: stops a process where it is, all its threads, which kill -s STOP does not
# wait for. thaw PID: it goes on.
is_frozen() {
    ! grep -hq '^State:[[:space:]]*[^TtZX[:space:]]' "/proc/$1/task/"*/status
}
freeze() {
    kill -s STOP "$1"
    wait_for is_frozen "$1"
}
thaw() { kill -s CONT "$1"; }

# Mounts first, then processes, the youngest first.
stop_all() {
    local mount i saved=$?
    while read -r mount; do
        unmount_lazily "$mount"
    done < <(mounts_below "$tmp")
    for ((i = ${#started_pids[@]} - 1; i >= 0; i--)); do
        WAIT_SECONDS=10 stop "${started_pids[i]}" || diag "had to kill a process that was started"
    done
    return "$saved"
}

# start_nbdkit ARGS...: sets $sock, $uri, $nbdkit_pid, $nbdkit_log.
start_nbdkit() {
    local pidfile=$tmp/nbdkit-$started_count.pid
    sock=$tmp/nbdkit-$started_count.sock
    uri="nbd+unix:///?socket=$sock"
    start nbdkit nbdkit --foreground --exit-with-parent --pidfile="$pidfile" --unix="$sock" "$@"
    nbdkit_pid=$started_pid
    nbdkit_log=$started_log
    wait_while_alive "$nbdkit_pid" test -s "$pidfile" && return
    diag_file "$nbdkit_log"
    bail_out "nbdkit $* did not start"
}

# start_qemu_nbd ARGS...: sets $sock, $uri, $qemu_nbd_pid; several clients may come.
start_qemu_nbd() {
    sock=$tmp/qemu-nbd-$started_count.sock
    uri="nbd+unix:///?socket=$sock"
    start qemu-nbd qemu-nbd --persistent --shared=16 --socket="$sock" "$@"
    qemu_nbd_pid=$started_pid
    wait_while_alive "$qemu_nbd_pid" test -S "$sock" && return
    diag_file "$started_log"
    bail_out "qemu-nbd $* did not start"
}

# start_peer CASE [OPTION...]: the scripted server plays a case of $tmp/script; sets
# $sock, $uri, $peer_pid. With -r later connections get the last section.
start_peer() {
    sock=$tmp/peer-$started_count.sock
    uri="nbd+unix:///?socket=$sock"
    start peer "$abs_top_builddir/tests/peer/peer" -c "$1" -u "$sock" "${@:2}" "$tmp/script"
    peer_pid=$started_pid
    wait_while_alive "$peer_pid" test -S "$sock" || bail_out "the peer does not start"
}

# ---- mounts

# The mount points below a folder, the innermost first.
mounts_below() {
    awk -v below="$1/" 'index($5, below) == 1 { print length($5), $5 }' /proc/self/mountinfo |
        sort -rn | cut -d' ' -f2- | while read -r path; do printf '%b\n' "$path"; done
}

# Without a process below $tmp, for this is looked at again and again.
is_mounted() { # PATH
    local path=$1 at
    case $path in
    "$tmp"/*) ;;
    *) path=$(cd "$(dirname "$path")" && pwd -P)/$(basename "$path") ;;
    esac
    while read -r _ _ _ _ at _; do
        [ "$at" != "$path" ] || return 0
    done </proc/self/mountinfo
    return 1
}
is_unmounted() { ! is_mounted "$1"; }

unmount_lazily() {
    fusermount3 -uz "$1" 2>/dev/null || umount -l "$1" 2>/dev/null
}

# A new, empty folder; prints its path.
new_dir() {
    mktemp -d "$tmp/${1:-dir}.XXXXXX"
}

# mount_nbd [OPTIONS...] SOURCE... MOUNTPOINT: starts nbdmount -f and waits until it is
# mounted; sets $mnt, $nbdmount_pid, $nbdmount_log. Fails where it does not mount.
mount_nbd() {
    mnt=${!#}
    start nbdmount "$nbdmount" -f "$@"
    nbdmount_pid=$started_pid
    nbdmount_log=$started_log
    wait_while_alive "$nbdmount_pid" is_mounted "$mnt"
}

# The same where the test makes no sense without.
start_nbdmount() {
    mount_nbd "$@" && return
    diag_file "$nbdmount_log"
    bail_out "nbdmount $* did not mount"
}

# deny CALL: from now on $nbdmount is one whose system call CALL fails with EPERM, as in a
# container or a unit.  False: that needs root.
deny() {
    local denied=$abs_top_builddir/tests/fuse/denied program=$tmp/denied-$1
    run "$denied" "$1" true
    case $status in
    0) ;;
    77) return 1 ;;
    *) bail_out "$denied $1: $err" ;;
    esac
    printf '#!/bin/sh\nexec %q %q %q "$@"\n' "$denied" "$1" "$nbdmount" >"$program"
    chmod +x "$program"
    nbdmount=$program
}

# Whether so many connections of the one export of $mnt are live.
connections_are() {
    [ "$("$nbdmount" --status --json "$mnt" | jq .exports[0].connections_live)" -eq "$1" ]
}

# How many requests of the one export of $mnt are under way.
requests_in_flight() { "$nbdmount" --status --json "$mnt" | jq .exports[0].requests; }
requests_are() { [ "$(requests_in_flight)" -eq "$1" ]; }
requests_at_least() { [ "$(requests_in_flight)" -ge "$1" ]; }

# What has come out of the io_urings of the daemon.
uring_completions() { awk '/^CqTail:/ { n += $2 } END { print n + 0 }' "/proc/$nbdmount_pid/fdinfo/"*; }

# Unmounts $mnt in an orderly way and waits for the daemon; $status is how it ended.
stop_nbdmount() {
    wait_for fusermount3 -u "$mnt" || unmount_lazily "$mnt"
    wait_for is_gone "$nbdmount_pid"
    stop "$nbdmount_pid"
    return "$status"
}

# ---- the end

cleanup() {
    local code=$?
    trap - EXIT
    stop_all
    # A test that stops in the middle must not look like one that is done.
    [ -n "$tap_done" ] || { echo "Bail out! the test ended early"; code=99; }
    [ -n "${KEEP_TMP:-}" ] && diag "kept: $tmp" || rm -rf --one-file-system "$tmp"
    exit "$code"
}
trap cleanup EXIT
