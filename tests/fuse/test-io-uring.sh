# SPDX-License-Identifier: LGPL-2.1-or-later
# -o io_uring: the same bytes, by another way to the kernel; and what a mount has to do when
# things go wrong, this way. Root may have to let the kernel offer it for the time of the test.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"

need_fuse
need_program fio nbdcopy dd cmp timeout jq
need_nbdkit pattern file memory --filter=delay --filter=error
run "$nbdmount" --help -o io_uring
[ "$status" -eq 0 ] || skip_all "built without liburing"

# The kernel offers it to mounts that are made while this is so; others have nothing of it.
switch=/sys/module/fuse/parameters/enable_uring
[ -e "$switch" ] || skip_all "the kernel has no FUSE over io_uring (Linux 6.14 and later)"
was=$(cat "$switch")
may_switch() { echo "$1" >"$switch" 2>/dev/null && [ "$(cat "$switch")" = "$1" ]; }
[ "$was" = Y ] || may_switch Y || skip_all "io_uring is not enabled in $switch, which only root can do"
switch_back() { [ "$was" = Y ] || echo "$was" >"$switch"; }
trap 'code=$?; switch_back; (exit "$code"); cleanup' EXIT

rings() { ls -l "/proc/$nbdmount_pid/fd" | grep -c 'anon_inode:\[io_uring\]'; }
# mount_it ARGS...: and the kernel has been answered, so that it is decided how requests come.
mount_it() {
    start_nbdmount "$@"
    stat "$mnt/nbd" >/dev/null
}
# fio_ok NAME FIO-OPTIONS...: as many are in flight as it says.
fio_ok() {
    local name=$1
    shift
    ok "$name" timeout 120 fio --name=job --filename="$mnt/nbd" --direct=1 --ioengine=libaio \
        --verify_state_save=0 --output="$tmp/fio" "$@"
}
says() { grep -qF -- "$1" "$nbdmount_log"; }
ends_well() {
    stop_nbdmount
    is "the daemon ends well" "$status" 0
    unlike "and has nothing to say" "$(cat "$nbdmount_log")" "io_uring"
}

# ---- the same bytes

start_nbdkit pattern 256M
mount_it -o io_uring "$uri" "$(new_dir mnt)"
says "lets nobody read and write for it" && skip_all "libfuse was built without enable-custom-io"
at_least "there are rings" "$(rings)" 1
nbdcopy "$uri" "$tmp/right"
ok "what is read is what is there" cmp "$tmp/right" "$mnt/nbd"
fio_ok "so are blocks here and there, many at a time, from all processors" \
    --rw=randread --bs=4k --iodepth=64 --numjobs=4 --number_ios=20000 --size=256M
at_least "they come through the rings" "$(uring_completions)" 20000
ok "and small ones one at a time" cmp -n 200000 "$tmp/right" <(dd if="$mnt/nbd" bs=512 count=400 iflag=direct status=none)
is "names and attributes come too" "$(stat -c '%s %F' "$mnt/nbd")" "268435456 regular file"
is "extended ones" "$("$nbdmount" --status --json "$mnt" | jq -r '.exports[0].connections_live > 0')" true
nok "what is not there is not there" stat "$mnt/other"
ends_well

truncate -s 256M "$tmp/disk.img"
start_nbdkit file "$tmp/disk.img"
mount_it -o io_uring,io_uring_q_depth=4 "$uri" "$(new_dir mnt)"
fio_ok "what is written is what is read" --rw=randwrite --bsrange=4k-1m --iodepth=16 \
    --size=256M --io_size=512M --verify=crc32c
ok "buffered too" dd if="$tmp/right" of="$mnt/nbd" bs=1M conv=notrunc,fsync status=none
ok "and is at the server" cmp "$tmp/right" "$tmp/disk.img"
kill -TERM "$nbdmount_pid"
ok "a signal ends it" wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
is "well" "$status" 0

mount_it -o io_uring,io_uring_q_depth=1 -C 4 "$uri" "$(new_dir mnt)"
ok "one request for each processor is enough" cmp "$tmp/right" "$mnt/nbd"
ends_well

# ---- things go wrong

uri="nbd+unix:///?socket=$sock"

cp "$tmp/right" "$tmp/want"
start_server --filter=delay file "$tmp/disk.img" rdelay=500ms
mount_it -o io_uring "$uri" "$(new_dir mnt)"
dd if="$mnt/nbd" of="$tmp/got" bs=1M iflag=direct count=8 status=none &
reader=$!
ok "a read is under way" wait_for requests_are 1
kill_server
ok "its server is lost" wait_for says "connection lost"
ok "stat answers meanwhile" timeout 5 stat "$mnt/nbd"
start_server file "$tmp/disk.img"
ok "when there is one again, it is done" wait_for is_gone "$reader"
wait "$reader"
is "without an error" $? 0
ok "and has the right bytes" cmp -n 8388608 "$tmp/got" "$tmp/right"
kill_server
start_server --filter=delay file "$tmp/disk.img" rdelay=60
dd if="$mnt/nbd" of=/dev/null bs=4k iflag=direct skip=999 count=1 status=none 2>/dev/null &
reader=$!
ok "a server keeps silent" wait_for requests_are 1
kill -s KILL "$reader"
ok "who is killed goes" wait_for is_gone "$reader"
wait "$reader" 2>/dev/null
timeout -s INT 1 cat "$mnt/nbd" >/dev/null
isnt "who is interrupted too" $? 0
kill_server
start_server file "$tmp/disk.img"
ok "then all is as before" cmp "$tmp/right" "$mnt/nbd"
stop_nbdmount
is "and the daemon ends well" "$status" 0

mount_it -o io_uring "$uri" "$(new_dir mnt)"
dd if=/dev/urandom of="$tmp/new" bs=1M count=4 status=none
ok "written before a signal" dd if="$tmp/new" of="$mnt/nbd" bs=64k conv=notrunc status=none
kill -TERM "$nbdmount_pid"
ok "the daemon ends" wait_for is_gone "$nbdmount_pid"
ok "and the bytes are at the server" cmp -n 4194304 "$tmp/new" "$tmp/disk.img"
stop "$nbdmount_pid"

mount_it -o io_uring "$uri" "$(new_dir mnt)"
kill -s KILL "$nbdmount_pid"
wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
run timeout 10 stat "$mnt/nbd"
is "a daemon that is killed: an error, and nobody hangs" "$status" 1
ok "the dead mount is taken away" timeout 10 "$nbdmount" --clean "$mnt"

kill_server
start_server --filter=error memory 1M error-pread-rate=50% error=EIO
mount_it -o io_uring,readahead=0,cache=none "$uri" "$(new_dir mnt)"
failures=0
for ((i = 0; i < 64; i++)); do
    dd if="$mnt/nbd" of=/dev/null bs=4k skip="$i" count=1 iflag=direct status=none 2>/dev/null || failures=$((failures + 1))
done
at_least "the server's errors are told" "$failures" 5
at_most "and no others" "$failures" 59
ends_well

# ---- many processors: several threads, each with queues and connections

kill_server
start_server --filter=delay file "$tmp/disk.img" rdelay=1ms
own_nbdmount=$nbdmount nbdmount=$abs_top_builddir/tests/fuse/many-processors
mount_it -o io_uring,cache=none -C 4 "$uri" "$(new_dir mnt)"
is "there are two rings" "$(rings)" "$(($(nproc --all) > 1 ? 2 : 1))"
fio_ok "what is written is what is read" --rw=randwrite --bsrange=4k-256k --iodepth=16 \
    --numjobs=2 --offset_increment=128M --size=128M --io_size=128M --verify=crc32c
dd if="$mnt/nbd" of=/dev/null bs=4k iflag=direct status=none &
reader=$!
for ((i = 0; i < 3; i++)); do
    pause 1
    ok "it is still reading" is_alive "$reader"
    kill_server
    start_server --filter=delay file "$tmp/disk.img" rdelay=$((2 - i))ms
done
# 65536 reads, one after the other: as long as that takes on a machine that is busy.
WAIT_SECONDS=180 ok "a reader sees nothing of servers that are killed" wait_for is_gone "$reader"
wait "$reader"
is "and has no error" $? 0
ok "its bytes are those of the server" cmp "$mnt/nbd" "$tmp/disk.img"
stop_nbdmount
is "the daemon ends well" "$status" 0
nbdmount=$own_nbdmount

# ---- not there

if deny io_uring_setup; then
    mount_it -o io_uring "$uri" "$(new_dir mnt)"
    ok "where there is none, that is said" says "io_uring: it cannot be set up, so it is not used"
    ok "and what may forbid it" says "kernel.io_uring_disabled"
    is "the mount works without" "$(stat -c %s "$mnt/nbd")" 268435456
    stop_nbdmount
    is "the daemon ends well" "$status" 0
    nbdmount=$own_nbdmount
else
    skip "where there is none" "only root can take a system call away"
fi

# ---- not offered

if [ "$was" != Y ]; then
    may_switch N
    mount_it -o io_uring "$uri" "$(new_dir mnt)"
    ok "where the kernel does not offer it, that is said" says "io_uring: the kernel does not offer it"
    ok "and how it can be had" says "echo Y >$switch"
    is "the mount works without" "$(stat -c %s "$mnt/nbd")" 268435456
    is "and no ring is left" "$(rings)" 0
    stop_nbdmount
    is "the daemon ends well" "$status" 0
fi
done_testing
