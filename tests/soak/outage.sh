# SPDX-License-Identifier: LGPL-2.1-or-later
# outage.sh - dd, cp and fio are at work when the server is killed. It is away for some
# seconds, and when it is back they go on, without an error and at once.
#
#     OUTAGE_SECONDS=10 bash outage.sh
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
need_program fio
need_nbdkit file --filter=rate
outage=${OUTAGE_SECONDS:-2}
WAIT_SECONDS=$((WAIT_SECONDS + outage))
diag "OUTAGE_SECONDS=$outage"
image=$tmp/disk.img
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Each program has a part of the disk. 512 KiB a second is what this server reads for them
# and as much is what it writes, but at first: none ends before the last has begun, even
# where that takes many seconds.
dd if=/dev/urandom of="$image" bs=1M count=32 status=none
truncate -s 64M "$image"
cp "$image" "$tmp/want"
dd if=/dev/urandom of="$tmp/new" bs=1M count=16 status=none
dd if="$tmp/new" of="$tmp/want" bs=1M seek=32 conv=notrunc status=none
start_server --filter=rate file "$image" rate=4M
start_nbdmount "nbd+unix:///?socket=$sock" "$(new_dir mnt)"

# begin NAME COMMAND...: its process in ${pids[NAME]}, what it says in $tmp/NAME.log.
declare -A pids=() took=()
begin() {
    local name=$1
    shift
    "$@" >"$tmp/$name.log" 2>&1 &
    pids[$name]=$!
}
work() {
    begin read dd if="$mnt/nbd" of="$tmp/read" bs=64k count=256 status=none
    begin cp cp "$mnt/nbd" "$tmp/copy"
    begin write dd if="$tmp/new" of="$mnt/nbd" bs=64k seek=512 conv=notrunc,fsync status=none
    begin fio fio --name=outage --filename="$mnt/nbd" --offset=48M --size=8M --rw=randwrite --bs=16k \
        --direct=1 --ioengine=libaio --iodepth=4 --verify=crc32c --verify_fatal=1 --do_verify=1 \
        --verify_state_save=0 --end_fsync=1 --fallocate=none --output-format=terse
}
programs="read cp write fio"
# Waits for them all; sets ${took[NAME]}, milliseconds from $1 on, and $failed.
end() {
    local name pid code begin=$1
    failed=
    while [ "${#pids[@]}" -gt 0 ]; do
        code=0
        wait -n -p pid "${pids[@]}" || code=$?
        for name in "${!pids[@]}"; do
            [ "${pids[$name]}" = "$pid" ] || continue
            took[$name]=$(($(milliseconds) - begin))
            [ "$code" -eq 0 ] || failed+=" $name"
            unset "pids[$name]"
        done
    done
}
are_at_work() {
    local name
    [ -s "$tmp/read" ] && [ -s "$tmp/copy" ] || return 1
    for name in $programs; do is_alive "${pids[$name]}" || return 1; done
}

work
ok "all are at work" wait_for are_at_work
kill_server
noticed() { grep -q "connection lost" "$nbdmount_log"; }
ok "the server is gone, and that is noticed" wait_for noticed
pause "$outage"
ok "after $outage seconds all of them wait" are_at_work
start_server file "$image"
end "$(milliseconds)"
is "none had an error" "$failed" "" || for name in $programs; do diag_file "$tmp/$name.log"; done
ok "dd has read the right bytes" cmp -n 16777216 "$tmp/read" "$tmp/want"
ok "cp too" cmp -n 33554432 "$tmp/copy" "$tmp/want"
ok "what dd has written is on the server" cmp -n 16777216 -i 33554432 "$image" "$tmp/want"
declare -A away=()
for name in $programs; do away[$name]=${took[$name]}; done

# What this machine needs for the same without an outage, whatever else it has to do.
stop_nbdmount
is "the daemon ends well" "$status" 0
start_nbdmount "nbd+unix:///?socket=$sock" "$(new_dir mnt)"
from=$(milliseconds)
work
end "$from"
is "without an outage none has an error" "$failed" ""
for name in $programs; do
    diag "$name: ${away[$name]} ms after the server's return; all of its work takes ${took[$name]} ms"
    at_most "$name ends within 2 seconds of its return, and what its work takes anyway" "${away[$name]}" $((2000 + 2 * took[$name]))
done
stop_nbdmount
done_testing
