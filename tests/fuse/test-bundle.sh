# SPDX-License-Identifier: LGPL-2.1-or-later
# Small answers that come up together go to the kernel together, through an io_uring; where
# there is none, one by one. The bytes are the same, and nothing is said of it.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program fio jq pkg-config
run "$nbdmount" --help -o io_uring
[ "$status" -eq 0 ] || skip_all "built without liburing"

# many NAME ARGS...: 32 requests at a time, of 4 KiB, and what was written is read again.
many() {
    local name=$1
    shift
    ok "$name" timeout 120 fio --name=many --filename="$mnt/nbd" --direct=1 --bs=4k \
        --ioengine=libaio --iodepth=32 --rw=randwrite --size=64M --verify=crc32c --verify_fatal=1 \
        --do_verify=1 --verify_state_save=0 --fallocate=none --output="$tmp/fio" "$@"
}
ends_well() {
    stop_nbdmount
    is "the daemon ends well" "$status" 0
    is "and has nothing to say" "$(cat "$nbdmount_log")" ""
}

start_nbdkit memory 64M
start_nbdmount "$uri" "$(new_dir mnt)"
many "many at once are written and read"
together=$(uring_completions)
if [ "$together" -eq 0 ] && pkg-config --atleast-version=3.17 fuse3; then
    skip "their answers came together" "libfuse was built without enable-custom-io"
else
    at_least "their answers came together" "$together" 100
fi
many "larger ones too" --bs=4k-32k
before=$(uring_completions)
ok "one at a time" dd if="$mnt/nbd" of=/dev/null bs=4k count=500 iflag=direct status=none
ok "none of them is kept" test "$(uring_completions)" -eq "$before"

# Who is killed has answers on the way that nobody wants.
for _ in 1 2 3; do
    start fio fio --name=killed --filename="$mnt/nbd" --direct=1 --rw=randread --bs=4k \
        --ioengine=libaio --iodepth=32 --numjobs=4 --thread --time_based --runtime=60 --size=64M
    ok "many are under way" wait_for requests_at_least 16
    stop "$started_pid" KILL
done
many "after some were killed"
ends_well

if deny io_uring_setup; then
    start_nbdmount "$uri" "$(new_dir mnt)"
    many "where there is no io_uring for us"
    is "there is none" "$(uring_completions)" 0
    ends_well
else
    skip "where there is none" "only root can take a system call away"
fi
done_testing
