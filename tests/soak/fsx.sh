# SPDX-License-Identifier: LGPL-2.1-or-later
# fsx.sh - one program does everything to a mounted export and compares each byte, with
# and without the kernel's cache, also while the server is killed and forgets
#
#     FSX_OPERATIONS=1000000 FSX_SEED=1 bash fsx.sh
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
operations=${FSX_OPERATIONS:-6000}
seed=${FSX_SEED:-$((EPOCHSECONDS % 100000))}
WAIT_SECONDS=$((WAIT_SECONDS + operations / 20))
RANDOM=$seed
diag "FSX_SEED=$seed FSX_OPERATIONS=$operations"
fsx=$abs_top_builddir/tests/soak/fsx
image=$tmp/durable.img
build_volatile

# Files past the page cache can be mapped for writing from Linux 6.6 on.
kernel_is_at_least() { # MAJOR MINOR
    local version
    IFS=.- read -r -a version <<<"$(uname -r)"
    ((version[0] > $1 || (version[0] == $1 && version[1] >= $2)))
}

# Kills the server again and again while the program runs; sets $kills.
keep_killing() { # PID PARAMETERS...
    local pid=$1
    shift
    kills=0
    while is_alive "$pid"; do
        kill_server
        kills=$((kills + 1))
        start_volatile "$@"
        pause "0.$((RANDOM % 500 + 100))"
    done
}

# round CACHE TRUNCATE SIZE KILLED SERVER...
round() {
    local name="cache=$1, truncate=$2, $3 bytes, $4" cache=$1 truncate=$2 killed=$4 holes=(-z)
    [ "$cache" != writeback ] || holes=() # while it is open for writing all of it is data
    rm -f "$image"
    truncate -s "$3" "$image"
    shift 4
    start_server "$@"
    start_nbdmount -o "cache=$cache,truncate=$truncate,retry=forever" \
        "nbd+unix:///?socket=$sock" "$(new_dir mnt)"
    start fsx "$fsx" -n "$(((operations + 8) / 9))" -s "$((seed + tap_run))" -t "$truncate" -d "$image" ${holes[@]+"${holes[@]}"} "$mnt/nbd"
    local pid=$started_pid log=$started_log
    if [ "$killed" = killed ]; then
        keep_killing "$pid" "${@:3}"
        at_least "$name: the server is killed meanwhile" "$kills" 1
        diag "$kills kills"
    fi
    wait_for is_gone "$pid"
    stop "$pid"
    is "$name: no byte differs" "$status" 0 || diag_file "$log" 200
    diag "$(tail -n 1 "$log")"
    if [[ $cache == @(none|readahead) ]] && ! kernel_is_at_least 6 6; then
        like "$name: nothing is written through a mapping" "$(cat "$log")" "map-write 0,"
    else
        unlike "$name: mappings are written too" "$(cat "$log")" "map-write 0,"
    fi
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0 || diag_file "$nbdmount_log"
    stop "$server"
}
volatile=("$tmp/volatile.so" "file=$image")
round always error 3000001 untouched file "$image"
round open zero 3145728 untouched "${volatile[@]}" block=512
round none zero 3000001 untouched file "$image"
round always zero 3145728 killed "${volatile[@]}" block=4096 early=10
round open error 3000001 killed "${volatile[@]}" early=10
round none error 3145728 killed "${volatile[@]}" block=512 early=10
round writeback error 3000001 untouched file "$image"
round readahead zero 3000001 untouched file "$image"
round readahead error 3145728 killed "${volatile[@]}" block=4096 early=10

# It finds what is wrong.
truncate -s 1M "$tmp/other" "$tmp/right"
start_server file "$tmp/right"
start_nbdmount -o truncate=zero "nbd+unix:///?socket=$sock" "$(new_dir mnt)"
run "$fsx" -n 1000 -s "$seed" -t zero -d "$tmp/other" "$mnt/nbd"
is "bytes that are not on the disk after fsync are found" "$status" 1
like "and named" "$out" "WRONG in operation [0-9]+: durable after fsync: byte"
like "with what was done to them" "$out" "\\* +[0-9]+ [a-z-]+ +[0-9]+ "
run "$fsx" -n 3000 -s "$seed" -t error "$mnt/nbd"
is "a file that does what it must not is found" "$status" 1
like "and named too" "$out" "truncate gave 0"
stop_nbdmount
done_testing
