# SPDX-License-Identifier: LGPL-2.1-or-later
# fio writes random blocks from four jobs and verifies each with a checksum.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_program fio
need_nbdkit memory --filter=delay --filter=blocksize-policy

# fio_verify NAME FIO-OPTIONS...; with $mount_options
fio_verify() {
    local name=$1
    shift
    start_nbdmount ${mount_options:+-o "$mount_options"} "$uri" "$(new_dir mnt)"
    # Four jobs, each with a quarter of the file; do_verify reads all of it back.
    ok "$name" timeout 250 fio --name=v --filename="$mnt/nbd" --rw=randrw --size=8M \
        --offset_increment=8M --numjobs=4 --verify=crc32c --verify_fatal=1 \
        --do_verify=1 --verify_state_save=0 --group_reporting --thread --randrepeat=0 --fallocate=none "$@"
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0
}

start_nbdkit memory 32M
fio_verify "buffered, 4 KiB" --bs=4k --ioengine=psync
fio_verify "buffered, odd sizes" --bsrange=512-64k --bs_unaligned --ioengine=psync
fio_verify "direct, 4 KiB, 8 in flight each" --bs=4k --direct=1 --ioengine=libaio --iodepth=8
fio_verify "direct, mixed sizes" --bsrange=4k-256k --direct=1 --ioengine=libaio --iodepth=4
fio_verify "buffered with fsync" --bs=16k --ioengine=psync --fsync=8
mount_options=cache=readahead fio_verify "cache=readahead, odd sizes" --bsrange=512-64k --bs_unaligned --ioengine=psync

# Answers that come late and out of order.
start_nbdkit --filter=delay memory 32M rdelay=1ms wdelay=2ms
fio_verify "behind a delay, direct" --bs=16k --direct=1 --ioengine=libaio --iodepth=16

# A server that takes only multiples of 4 KiB: the daemon reads, changes and writes back.
start_nbdkit --filter=blocksize-policy memory 32M blocksize-minimum=4096 \
    blocksize-preferred=4096 blocksize-maximum=64k blocksize-error-policy=error
fio_verify "a minimum block of 4096, small writes" --bs=1k --direct=0 --size=2M \
    --ioengine=psync
done_testing
