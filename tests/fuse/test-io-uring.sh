# SPDX-License-Identifier: LGPL-2.1-or-later
# -o io_uring: the same bytes, by another way to the kernel. Debian 12's libfuse has not got
# it: see README.md.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_nbdkit pattern file
run "$nbdmount" --help -o io_uring
[ "$status" -eq 0 ] || skip_all "built with a libfuse that has no io_uring"
[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" = Y ] ||
    skip_all "the kernel has no FUSE over io_uring, or it is not enabled"

rings() { grep -hc '^fuse-ring' "/proc/$nbdmount_pid/task/"*/comm | awk '{ n += $1 } END { print n }'; }

start_nbdkit pattern 256M
start_nbdmount -o io_uring "$uri" "$(new_dir mnt)"
at_least "requests come through rings" "$(rings)" 1
nbdcopy "$uri" "$tmp/right"
ok "what is read is what is there" cmp "$tmp/right" "$mnt/nbd"
ok "so are blocks here and there, many at a time" \
    fio --name=read --filename="$mnt/nbd" --rw=randread --bs=4k --direct=1 --ioengine=libaio \
    --iodepth=32 --number_ios=20000 --size=256M --output="$tmp/fio"
stop_nbdmount
is "and the daemon ends well" "$status" 0

truncate -s 256M "$tmp/disk.img"
start_nbdkit file "$tmp/disk.img"
start_nbdmount -o io_uring,io_uring_q_depth=4 "$uri" "$(new_dir mnt)"
ok "what is written is what is read" \
    fio --name=write --filename="$mnt/nbd" --rw=randwrite --bsrange=4k-1m --direct=1 \
    --ioengine=libaio --iodepth=16 --size=256M --io_size=512M --verify=crc32c --output="$tmp/fio"
ok "buffered too" dd if="$tmp/right" of="$mnt/nbd" bs=1M conv=notrunc,fsync status=none
ok "and is at the server" cmp "$tmp/right" "$tmp/disk.img"
kill -TERM "$nbdmount_pid"
ok "a signal ends it" wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
is "well" "$status" 0
done_testing
