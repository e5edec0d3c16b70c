# SPDX-License-Identifier: LGPL-2.1-or-later
# soak-daemon.sh - programs write, read, zero and fsync through a mount with a replay log
# in a file, while nbdmount itself is killed with -9 again and again, sometimes before it
# has mounted, and sometimes its server too, which then forgets what it had not flushed.
# Whatever was answered must be there in the next mount.
#
#     SOAK_KILLS=200 SOAK_SECONDS=900 SOAK_SEED=1 bash soak-daemon.sh    what comes first ends it
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
kills_wanted=${SOAK_KILLS:-16}
seconds=${SOAK_SECONDS:-20}
seed=${SOAK_SEED:-$((EPOCHSECONDS % 100000))}
RANDOM=$seed
workers=$abs_top_builddir/tests/soak/workers
diag "SOAK_SEED=$seed SOAK_KILLS=$kills_wanted SOAK_SECONDS=$seconds"
build_volatile
image=$tmp/durable.img
log=$tmp/replay.log

kill_daemon() {
    kill -s KILL "$nbdmount_pid" 2>/dev/null
    wait_for is_gone "$nbdmount_pid"
    stop "$nbdmount_pid"
    grep -o 'sent [0-9]* changes' "$nbdmount_log" >>"$tmp/sent"
    # It ends by itself where it finds no server.
    [ "$status" -ne 137 ] || kills=$((kills + 1))
}
new_server() {
    kill_server
    start_volatile early=10 block="$block"
    servers=$((servers + 1))
}

# nbdkit may abort when a client goes away with requests in flight: one more of its ends.
revive_server() {
    is_alive "$server" || { new_server; aborts=$((aborts + 1)); }
}
mount_again() {
    local try
    for try in 1 2 3; do
        revive_server
        mount_nbd "$@" && return
        is_alive "$server" && break
    done
    diag_file "$nbdmount_log"
    fail "the next mount works"
}

# Kills the daemon, its server, or both, in some order; the server is back after that.
kill_some() {
    case $((RANDOM % 6)) in
    0 | 1) kill_daemon ;;
    2) kill_daemon; new_server ;;
    3) new_server; kill_daemon ;;
    4) kill -s STOP "$server"; pause 0.05; kill_daemon; new_server ;;
    5) new_server; pause "0.0$((RANDOM % 90 + 10))"; kill_daemon ;;
    esac
}

# soak BLOCK CONNECTIONS REPLAY DISCARD KILLS SECONDS
soak() {
    block=$1
    local end=$((SECONDS + $6)) name="blocks of $1, $2 connections, replay=$3, discard=$4"
    local options=(-C "$2" -o "retry=forever,replay=$3,discard=$4,replay-file=$log" "nbd+unix:///?socket=$sock")
    kills=0 servers=0 early=0 aborts=0
    rm -f "$image" "$tmp/stop" "$log"
    : >"$tmp/sent"
    truncate -s 12M "$image"
    start_volatile early=10 block="$block"
    mnt=$(new_dir mnt)
    start_nbdmount "${options[@]}" "$mnt"
    start workers "$workers" "$mnt/nbd" "$image" "$seed" 6 "$tmp/stop" reopen
    work_pid=$started_pid work_log=$started_log
    wait_while_alive "$work_pid" grep -q "at work" "$work_log"
    while [ "$kills" -eq 0 ] || { [ "$kills" -lt "$5" ] && [ "$SECONDS" -lt "$end" ]; }; do
        is_alive "$work_pid" || break
        pause "0.$((RANDOM % 300 + 100))"
        revive_server
        kill_some
        if [ $((RANDOM % 5)) -eq 0 ]; then # before it has mounted
            start nbdmount "$nbdmount" -f "${options[@]}" "$mnt"
            nbdmount_pid=$started_pid nbdmount_log=$started_log
            pause "0.0$((RANDOM % 90 + 10))"
            kill_some
            early=$((early + 1))
        fi
        mount_again "${options[@]}" "$mnt" || break
    done
    end_work "$name"
    is "$name: nothing answered is lost in $kills kills" "$status" 0 || diag_file "$work_log"
    diag "$early of the kills before it had mounted, $servers of the server, $aborts times it aborted; $(awk '{ n += $2 } END { print n + 0 }' \
        "$tmp/sent") changes sent again by $(wc -l <"$tmp/sent") mounts"
    diag "$(tail -n 1 "$work_log")"
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0 || diag_file "$nbdmount_log"
    is "$name: and its log is empty" "$(stat -c %s "$log")" 4096
    stop "$server"
    total=$((total + kills))
}
total=0
each=$(((kills_wanted + 3) / 4))
soak 1 4 64M zero "$each" "$((seconds / 4))"
soak 512 1 1M trim "$each" "$((seconds / 4))"
soak 4096 4 1M zero "$each" "$((seconds / 4))"
soak 1 1 8M trim "$each" "$((seconds / 4))"
at_least "there were kills" "$total" 4
diag "$total kills of the daemon in all"
done_testing
