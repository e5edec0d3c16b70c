# SPDX-License-Identifier: LGPL-2.1-or-later
# Small requests that come at once are sent to the server together; one that comes alone is
# not kept, and one that is kept is not forgotten.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program fio strace getfattr

reads=2000
# sent NAME FIO-ARGS...: how often the daemon gives something to a socket for so many of fio's reads
sent() {
    rm -f "$tmp/trace"
    start strace strace -f -qq -p "$nbdmount_pid" -e trace=sendmsg,sendto,write -e signal=none \
        -o "$tmp/trace"
    tracer=$started_pid
    wait_for all_traced
    ok "$1" timeout 120 fio --name=some --filename="$mnt/nbd" --direct=1 --bs=4k --rw=randread \
        --ioengine=libaio --number_ios=$reads --size=64M --output="$tmp/fio" "${@:2}"
    stop "$tracer"
    sends=$(grep -c 'sendmsg(\|sendto(' "$tmp/trace")
}
all_traced() { ! grep -q "TracerPid:.0$" /proc/"$nbdmount_pid"/task/*/status; }

epolls() { find "/proc/$nbdmount_pid/fd" -lname '*eventpoll*' | wc -l; }

start_nbdkit memory 64M
start_nbdmount "$uri" "$(new_dir mnt)"
at_least "threads sleep in epoll descriptors" "$(epolls)" 2
sent "32 reads at a time" --iodepth=32
at_most "are sent together" "$sends" $((reads * 3 / 4))
at_least "but not all at once" "$sends" $((reads / 32))
sent "one at a time" --iodepth=1
at_least "each is sent by itself" "$sends" $reads

# What is asked of the daemon itself comes between those that are kept.
start fio fio --name=many --filename="$mnt/nbd" --direct=1 --rw=randrw --bs=4k \
    --thread --ioengine=libaio --iodepth=64 --time_based --runtime=60 --size=64M
many=$started_pid
ok "many are under way" wait_for requests_at_least 8
asked=0
for _ in $(seq 20); do
    timeout 10 getfattr -n user.nbd.status --only-values "$mnt/nbd" >"$tmp/status" 2>/dev/null &&
        timeout 10 dd if="$mnt/nbd" of=/dev/null bs=1M count=4 iflag=direct status=none &&
        asked=$((asked + 1))
done
is "meanwhile its state is told, and large reads are served" "$asked" 20
stop "$many" KILL
ok "one alone afterwards" timeout 10 dd if="$mnt/nbd" of=/dev/null bs=4k count=1 iflag=direct \
    status=none
stop_nbdmount
is "the daemon ends well" "$status" 0
is "and has nothing to say" "$(cat "$nbdmount_log")" ""

# Threads that cannot sleep in an epoll descriptor sleep otherwise, and wake for the end.
if deny epoll_create1; then
    start_nbdmount "$uri" "$(new_dir mnt)"
    ok "without epoll: many at once are written and read" timeout 120 fio --name=many \
        --filename="$mnt/nbd" --direct=1 --bs=4k --rw=randwrite --ioengine=libaio --iodepth=32 \
        --size=16M --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 \
        --fallocate=none --output="$tmp/fio"
    ok "the daemon is there" test -e "/proc/$nbdmount_pid/fd/0"
    is "and has none" "$(epolls)" 0
    stop_nbdmount
    is "that daemon ends well too" "$status" 0
else
    skip "without epoll" "only root can take a system call away"
fi
done_testing
