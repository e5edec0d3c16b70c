# SPDX-License-Identifier: LGPL-2.1-or-later
# While there is a lot to do, threads of the daemon leave the processor to who has it
# (SCHED_BATCH), unless somebody has chosen a policy for them.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd fio chrt jq
need_nbdkit memory --filter=noextents

start_nbdkit --filter=noextents memory 64M # what is known to be a hole is never asked for
# The policies of the daemon's threads, each once: 0 SCHED_OTHER, 3 SCHED_BATCH, 5 SCHED_IDLE.
policies() { sed -E 's/.*\) //' "/proc/$nbdmount_pid/task/"*/stat | cut -d ' ' -f 39 | sort -u | xargs; }
policies_have() { policies | grep -qw "$1"; }
[ "$(sed -E 's/.*\) //' /proc/self/stat | cut -d ' ' -f 39)" -eq 0 ] || skip_all "this is not run under SCHED_OTHER"
# With all threads there; what is read ahead would be several commands at once.
mount_it() {
    start_nbdmount -o readahead=0 "$uri" "$(new_dir mnt)"
    dd if="$mnt/nbd" of=/dev/null bs=4k count=1000 iflag=direct status=none
}
one_at_a_time() { dd if="$mnt/nbd" of=/dev/null bs=4k count=2000 iflag=direct status=none; }
many_at_once() {
    start fio fio --name=many --filename="$mnt/nbd" --direct=1 --rw=randread --bs=4k --ioengine=libaio \
        --iodepth=32 --time_based --runtime="$WAIT_SECONDS"
}
ends_well() {
    stop_nbdmount
    is "the daemon ends well" "$status" 0
}

mount_it
one_at_a_time
is "one at a time" "$(policies)" 0
many_at_once
ok "many at once" wait_for policies_have 3
stop "$started_pid"
ends_well

for policy in idle:5 batch:3; do
    mount_it
    chrt --all-tasks --"${policy%:*}" --pid 0 "$nbdmount_pid"
    many_at_once
    ok "many at once are served" wait_for requests_at_least 8
    one_at_a_time # beside the others
    is "${policy%:*}, which somebody chose, stays" "$(policies)" "${policy#*:}"
    stop "$started_pid"
    one_at_a_time
    is "also then" "$(policies)" "${policy#*:}"
    ends_well
done

if deny sched_setscheduler; then
    mount_it
    many_at_once
    ok "where it may not be" wait_for requests_at_least 8
    cp "$mnt/nbd" /dev/null
    is "threads stay as they are" "$(policies)" 0
    stop "$started_pid"
    is "and nothing is said of it" "$(cat "$nbdmount_log")" ""
    ends_well
else
    skip "where it may not be" "only root can take a system call away"
fi
done_testing
