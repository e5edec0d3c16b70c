# SPDX-License-Identifier: LGPL-2.1-or-later
# A server that dies, hangs or fails gives errors to readers; it never gives wrong bytes or a stuck mount.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd timeout
need_nbdkit memory pattern --filter=error --filter=delay

sparsefile=$abs_top_builddir/tests/fuse/sparsefile

# Killed while readers wait.
start_nbdkit --filter=delay pattern 64M rdelay=60
start_nbdmount -o retry=0 "$uri" "$(new_dir mnt)"
"$sparsefile" read "$mnt/nbd" 0 4096 >"$tmp/read1" 2>&1 &
reader=$!
# The reader's request has arrived when a task of the kernel waits for the answer.
waiting() { grep -qE '^[1-9]' /sys/fs/fuse/connections/*/waiting 2>/dev/null || is_alive "$reader"; }
wait_for waiting
kill -s KILL "$nbdkit_pid"
ok "the reader ends" wait_for is_gone "$reader"
wait "$reader"
like "with an error of input and output" "$(cat "$tmp/read1")" "EIO|ENOTCONN|ESHUTDOWN"
ok "stat answers still" timeout 10 stat "$mnt/nbd"
kill -s TERM "$nbdmount_pid"
ok "SIGTERM ends the daemon although the server is gone" wait_for is_gone "$nbdmount_pid"
ok "and nothing is mounted" is_unmounted "$mnt"

# Errors of the server reach the caller.
start_nbdkit --filter=error memory 1M error-pread=EIO error-pread-rate=100% \
    error-pread-file="$tmp/fail-reads" error-pwrite=ENOSPC error-pwrite-rate=100% \
    error-pwrite-file="$tmp/fail-writes"
start_nbdmount "$uri" "$(new_dir mnt)"
dd if=/dev/urandom of="$mnt/nbd" bs=64k count=4 conv=notrunc,fsync status=none
: >"$tmp/fail-reads"
run dd if="$mnt/nbd" of=/dev/null bs=4096 skip=128 count=1 iflag=direct
like "a read that the server fails is EIO" "$err" "Input/output error"
rm "$tmp/fail-reads"
ok "the next one works" dd if="$mnt/nbd" of=/dev/null bs=4096 skip=128 count=1 iflag=direct status=none
: >"$tmp/fail-writes"
run dd if=/dev/zero of="$mnt/nbd" bs=4096 count=1 conv=notrunc,fsync
like "a write that the server has no space for is ENOSPC" "$err" "No space left"
rm "$tmp/fail-writes"
ok "the next one works too" dd if=/dev/zero of="$mnt/nbd" bs=4096 count=1 conv=notrunc,fsync status=none
stop_nbdmount
is "the daemon ends well" "$status" 0

# Silent: SIGTERM must end the mount all the same.
start_nbdkit memory 1M
start_nbdmount "$uri" "$(new_dir mnt)"
freeze "$nbdkit_pid"
"$sparsefile" read "$mnt/nbd" 0 4096 >/dev/null 2>&1 &
reader=$!
kill -s TERM "$nbdmount_pid"
ok "a silent server does not keep the daemon alive" wait_for is_gone "$nbdmount_pid"
ok "its reader ends too" wait_for is_gone "$reader"
kill -s CONT "$nbdkit_pid"
ok "and nothing is mounted" is_unmounted "$mnt"
done_testing
