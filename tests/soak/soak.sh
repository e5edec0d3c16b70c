# SPDX-License-Identifier: LGPL-2.1-or-later
# soak.sh - programs write, read and fsync through the mount while its server is killed
# with -9, again and again, and forgets all that it had not flushed.  Every byte is
# compared with what it must be, and every fsynced one with the server's file.
#
#     SOAK_KILLS=200 SOAK_SECONDS=600 SOAK_SEED=1 bash soak.sh     what comes first ends it
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
kills_wanted=${SOAK_KILLS:-12}
seconds=${SOAK_SECONDS:-40}
seed=${SOAK_SEED:-$((EPOCHSECONDS % 100000))}
RANDOM=$seed
workers=$abs_top_builddir/tests/soak/workers
diag "SOAK_SEED=$seed SOAK_KILLS=$kills_wanted SOAK_SECONDS=$seconds"
build_volatile
image=$tmp/durable.img

# soak BLOCK CONNECTIONS REPLAY KILLS SECONDS
soak() {
    block=$1
    local kills=0 end=$((SECONDS + $5)) name="blocks of $1, $2 connections, replay=$3"
    rm -f "$image" "$tmp/stop"
    truncate -s 24M "$image"
    start_volatile early=10 block="$block"
    start_nbdmount -C "$2" -o "retry=forever,replay=$3" "nbd+unix:///?socket=$sock" "$(new_dir mnt)"
    start workers "$workers" "$mnt/nbd" "$image" "$seed" 6 "$tmp/stop"
    local work_pid=$started_pid work_log=$started_log
    while [ "$kills" -lt "$4" ] && [ "$SECONDS" -lt "$end" ] && is_alive "$work_pid"; do
        pause "0.$((RANDOM % 600 + 100))"
        [ $((RANDOM % 6)) -gt 0 ] || { kill -s STOP "$server"; pause 0.1; }
        kill_server
        [ $((RANDOM % 3)) -gt 0 ] || pause "0.$((RANDOM % 400 + 100))"
        start_volatile early=10 block="$block"
        kills=$((kills + 1))
    done
    : >"$tmp/stop"
    ok "$name: the programs end" wait_for is_gone "$work_pid"
    wait "$work_pid"
    is "$name: no byte differs and nothing failed in $kills kills" "$?" 0 || diag_file "$work_log"
    diag "$(tail -n 1 "$work_log")"
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0 || diag_file "$nbdmount_log"
    stop "$server"
}
each=$(((kills_wanted + 3) / 4))
soak 1 4 64M "$each" "$((seconds / 4))"
soak 512 1 1M "$each" "$((seconds / 4))"
soak 4096 4 1M "$each" "$((seconds / 4))"
soak 1 1 64M "$each" "$((seconds / 4))"
done_testing
