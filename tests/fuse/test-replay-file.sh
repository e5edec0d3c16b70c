# SPDX-License-Identifier: LGPL-2.1-or-later
# replay-file: what was answered survives a daemon that is killed, also where its server
# forgets it at the same moment; and a log that cannot be trusted is left alone.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
need_program dd fallocate cmp strace fio
need_nbdkit eval file
build_volatile
image=$tmp/durable.img
uri="nbd+unix:///?socket=$sock"
log=$tmp/replay.log
dd if=/dev/urandom of="$image" bs=1M count=8 status=none
cp "$image" "$tmp/want"
forgetful() { start_volatile; }
killed() {
    kill -s KILL "$1"
    wait_for is_gone "$1"
    wait "$1" 2>/dev/null
}
with_log() { start_nbdmount -o "replay-file=$log" "$@" "$uri" "$(new_dir mnt)"; }
# both FILE DD-ARGS: to the mount, and to the file that says what is wanted
both() {
    dd if="$tmp/new" of="$mnt/nbd" conv=notrunc status=none "$@" &&
        dd if="$tmp/new" of="$tmp/want" conv=notrunc status=none "$@"
}
dd if=/dev/urandom of="$tmp/new" bs=1M count=8 status=none
# refused NAME REGEX ARGS...: no mount, it says why, and the log is as it was
refused() {
    local name=$1 regex=$2
    shift 2
    cp "$log" "$tmp/before"
    run "$nbdmount" -o "replay-file=$log" "$@" "$(new_dir mnt)"
    is "$name: refused" "$status" 1
    like "$name: it says why" "$err" "$regex"
    ok "$name: the log is left as it is" cmp "$log" "$tmp/before"
}

# The daemon and its server die at once.
forgetful
with_log
is "the log is its owner's alone" "$(stat -c %a "$log")" 600
refused "a second mount with it" "another mount uses it" "$uri"
both bs=4096 seek=3 count=1
both bs=1 seek=100000 count=777
both bs=1M seek=2 skip=2 count=3
fallocate --punch-hole --offset 2621440 --length 65536 "$mnt/nbd"
fallocate --zero-range --offset 4096 --length 100 "$mnt/nbd"
# Not every file system has --zero-range.
dd if=/dev/zero of="$tmp/want" bs=65536 seek=40 count=1 conv=notrunc status=none
dd if=/dev/zero of="$tmp/want" bs=1 seek=4096 count=100 conv=notrunc status=none
both bs=4096 seek=640 skip=9 count=2
ok "what is written is read" cmp "$mnt/nbd" "$tmp/want"
killed "$nbdmount_pid"
killed "$server"
nok "the server has forgotten it" cmp "$image" "$tmp/want"
refused "a server that is not there" "cannot connect" "$uri"
forgetful
refused "read-only with changes left" "mount the export for writing once" --read-only "$uri"
refused "another export" "belongs to" "nbd+unix:///other?socket=$sock"
with_log
ok "the next mount has all of it" cmp "$mnt/nbd" "$tmp/want"
ok "and the server has flushed it" cmp "$image" "$tmp/want"
like "the log says how much" "$(cat "$nbdmount_log")" "sent [0-9]+ changes again"
both bs=4096 seek=77 count=1
stop_nbdmount
is "it ends well" "$status" 0
is "and nothing but its head is in the log then" "$(stat -c %s "$log")" 4096
with_log --read-only
ok "read-only it needs no log" cmp "$mnt/nbd" "$tmp/want"
stop_nbdmount

# Changes that wait for no fsync take turns in both halves of a small log.
with_log -o replay=1M
both bs=64k count=128
killed "$nbdmount_pid"
killed "$server"
forgetful
with_log
ok "8 MiB through a log of 1 MiB: nothing is lost" cmp "$mnt/nbd" "$tmp/want"
at_most "and not all is sent again" \
    "$(sed -n 's/.*sent \([0-9]*\) changes.*/\1/p' "$nbdmount_log")" 100
stop_nbdmount

# What was remembered may be more than is to be from now on.
with_log -o replay=64M
both bs=64k count=96 skip=32
killed "$nbdmount_pid"
killed "$server"
nok "6 MiB that the server has forgotten" cmp "$image" "$tmp/want"
forgetful
with_log -o replay=1M
ok "from a log, with 1 MiB to remember: nothing is lost" cmp "$mnt/nbd" "$tmp/want"

# What is damaged, and what was torn.
both bs=4096 seek=10 count=1
both bs=4096 seek=20 count=1
cp "$tmp/want" "$tmp/want-without-last"
both bs=4096 seek=30 skip=1 count=1
killed "$nbdmount_pid"
killed "$server"
cp "$log" "$tmp/good.log"
spoil() { # OFFSET
    cp "$tmp/good.log" "$log"
    printf 'x' | dd of="$log" bs=1 seek="$1" conv=notrunc status=none
}
mapfile -t records < <(grep -abo rREC "$log" | cut -d: -f1)
is "there are three records" "${#records[@]}" 3
forgetful
spoil $((records[1] + 200))
refused "a record in the middle is damaged" "damaged.* at byte ${records[1]};" "$uri"
spoil 8
refused "another version" "version" "$uri"
spoil 0
refused "another file" "not a replay log" "$uri"
cp "$tmp/good.log" "$log"
truncate -s 100000 "$log"
refused "a file that was cut" "damaged" "$uri"
spoil $((records[2] + 200))
with_log
ok "a torn last record is ignored, and nothing else" cmp "$mnt/nbd" "$tmp/want-without-last"
killed "$nbdmount_pid"
cp "$tmp/good.log" "$log"
with_log
ok "whole, it counts" cmp "$mnt/nbd" "$tmp/want"

# Before the answer comes the disk; one wait is for all.
trace() { # ARGS...: strace on the daemon
    start strace strace -f -qq -p "$nbdmount_pid" -o "$tmp/trace" "$@"
    tracer=$started_pid
    wait_for grep -q "TracerPid:.*[1-9]" "/proc/$nbdmount_pid/status"
    wait_for all_traced
}
all_traced() { ! grep -q "TracerPid:.0$" /proc/"$nbdmount_pid"/task/*/status; }
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
trace -e trace=fdatasync -e inject=fdatasync:delay_enter=400000
begin=$(milliseconds)
both bs=4096 seek=40 count=1
at_least "a slow disk: the write waits for it" "$(($(milliseconds) - begin))" 400
stop "$tracer"
trace -e trace=fdatasync -e inject=fdatasync:delay_enter=10000
ok "400 writes, 16 at a time" fio --name=w --filename="$mnt/nbd" --size=8M --rw=randwrite --bs=4k \
    --direct=1 --ioengine=libaio --iodepth=16 --number_ios=400 --output="$tmp/fio.out"
stop "$tracer"
syncs=$(grep -c "fdatasync(" "$tmp/trace")
diag "400 writes, $syncs times fdatasync"
at_most "share a wait for the disk" "$syncs" 200
at_least "of which there was more than one" "$syncs" 2
cp "$mnt/nbd" "$tmp/want"

# A disk that is full, or breaks.
trace -e trace=pwritev -e inject=pwritev:error=ENOSPC
run dd if="$tmp/new" of="$mnt/nbd" bs=4096 seek=50 count=1 conv=notrunc status=none
like "a full disk: the write fails and says so" "$err" "No space left on device"
stop "$tracer"
trace -e trace=fdatasync -e inject=fdatasync:error=EIO
run dd if="$tmp/new" of="$mnt/nbd" bs=4096 seek=60 count=1 conv=notrunc status=none
like "a broken one too" "$err" "Input/output error"
stop "$tracer"
both bs=4096 seek=50 count=1
both bs=4096 seek=60 count=1
killed "$nbdmount_pid"
killed "$server"
forgetful
with_log
ok "what was answered before and after is not lost" cmp "$mnt/nbd" "$tmp/want"

# The end with a server that is gone.
both bs=4096 seek=70 count=1
killed "$server"
kill -s TERM "$nbdmount_pid"
pause 0.2
kill -s TERM "$nbdmount_pid"
wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
isnt "an end without its server is no success" "$status" 0
like "it says where the rest is" "$(cat "$nbdmount_log")" "not flushed is in $log, for the next mount"
forgetful
with_log
ok "and the next mount has it" cmp "$mnt/nbd" "$tmp/want"
stop_nbdmount
stop "$server"

# A server that refuses the changes, and one that goes away while it gets them.
forgetful
with_log
both bs=4096 seek=80 skip=5 count=3
killed "$nbdmount_pid"
killed "$server"
start_server --filter=error "$tmp/volatile.so" file="$image" error-pwrite=ENOSPC error-pwrite-rate=1
refused "changes that the server refuses" "No space left.*the server refuses some of the 3 changes in it" "$uri"
killed "$server"
start_server --filter=log --filter=delay "$tmp/volatile.so" file="$image" logfile="$tmp/slow.log" wdelay=60
start nbdmount "$nbdmount" -f -o "replay-file=$log" "$uri" "$(new_dir mnt)"
nbdmount_pid=$started_pid nbdmount_log=$started_log
ok "a slow server gets the changes" wait_for grep -q Write "$tmp/slow.log"
killed "$server"
forgetful
ok "and another one in its place" wait_while_alive "$nbdmount_pid" grep -q "sent [0-9]* changes again" "$nbdmount_log"
ok "which has all of them then" cmp "$image" "$tmp/want"
stop "$nbdmount_pid"
is "the daemon ends well" "$status" 0
run bash -c 'ulimit -f 1000; exec "$@"' bash "$nbdmount" -o "replay-file=$log,replay=64M" "$uri" "$(new_dir mnt)"
like "no room for the log: no mount" "$err" "replay-file $log: 67112960 bytes are needed for it"
is "and none is taken" "$(stat -c %s "$log")" 4096
stop "$server"

# What does not go together.
run "$nbdmount" -o "replay-file=$log,replay=0" "$uri" "$tmp"
like "replay=0" "$err" "contradicts"
run "$nbdmount" -o "replay-file=$log,all" "$uri" "$tmp"
like "all" "$err" "one export"
start_server eval get_size='echo 1M' pread='head -c $3 /dev/zero' pwrite='cat >/dev/null'
refused "a server without flush" "no flush" "$uri"
run "$nbdmount" -o "replay-file=$tmp" "$uri" "$(new_dir mnt)"
like "a folder" "$err" "replay-file $tmp: Is a directory"
done_testing
