# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes that are answered before the server has done them: who looks meanwhile sees them,
# and what goes wrong with them is told by fsync and close.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program jq truncate cmp timeout
need_nbdkit file eval --filter=delay --filter=error

image=$tmp/image
broken=$tmp/broken # while it exists the server has no space
k=1024 m=$((1024 * 1024))

# steps STEP...: with the mounted file.
name=nbd
steps() {
    "$abs_top_builddir/tests/fuse/steps" "$mnt/$name" "$@" >"$tmp/steps" 2>&1 || diag_file "$tmp/steps"
}
# What the nth step gave, and how long it took.
gave() { awk -v n="$1" 'NR == n { print $2 }' "$tmp/steps"; }
took() { awk -v n="$1" 'NR == n { print $3 }' "$tmp/steps"; }
# quick NAME "N..." STEP...: the steps of these numbers wait for no write of the server's.
# What does is slow each time; another may be now and then, where the machine has much to do.
quick() {
    local case=$1 numbers=$2 try n all=
    shift 2
    for try in 1 2 3 4; do
        all=0
        steps "$@"
        for n in $numbers; do all=$((all + $(took "$n"))); done
        [ "$all" -gt 250 ] || break
    done
    at_most "$case" "$all" 250
}
new_image() {
    rm -f "$image" && truncate -s "${1:-64M}" "$image"
}
unflushed() { "$nbdmount" --status --json "$mnt/nbd" | jq ".exports[0].unflushed.$1"; }

# A server that needs half a second for each write, and nothing for all else.
new_image
start_nbdkit --filter=delay file "$image" wdelay=500ms
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "writes=a:0:$((64 * k)):x:16" fsync=a
is "sixteen writes one after the other" "$(gave 2)" $m
at_most "do not wait for the server each" "$(took 2)" 2000
at_least "but fsync waits for all" "$(took 3)" 300
ok "and then the server has them" cmp -n $m "$image" <(head -c $m /dev/zero | tr '\0' x)
steps open=a open=b:direct "write=a:0:4096:y" "read=b:0:4096" "write=a:100000:3000:z" "read=b:98304:8192"
is "a read that follows gets what was written" "$(gave 4)" y
at_least "when the server has it" "$(took 4)" 300
is "also where it is a part of what is read" "$(gave 6)" xzx
quick "others do not wait" 4 open=a open=b:direct "write=a:0:4096:y" "read=b:32768:4096"
steps open=a "write=a:$((8 * m)):$((64 * k)):d" "close=a"
at_least "close waits too" "$(took 3)" 300
is "the server has it then" "$(head -c $((8 * m + 10)) "$image" | tail -c 10)" dddddddddd

quick "for others than who syncs each write it does not wait" "5 7" open=a "write=a:0:4096:s" fsync=a \
    "write=a:4096:4096:s" "write=a:8192:4096:s" fsync=a "write=a:0:4096:s"
at_least "for that one it does" "$(took 4)" 300

# Where it is data, before the server says so.
steps open=a open=b "write=a:$((16 * m)):$((64 * k)):e" "data=b:$((12 * m))" "write=a:$((24 * m)):4096:e" \
    "hole=b:$((16 * m))"
is "lseek finds data that is on its way" "$(gave 4)" $((16 * m))
is "and its end" "$(gave 6)" $((16 * m + 64 * k))
stop_nbdmount
is "the daemon ends well" "$status" 0

# Nothing is known of the file yet; whoever reads it from the front asks for all of it
# while the server does not know of the write.
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a open=b open=c:direct "write=a:$((40 * m)):4096:f" "read=b:0:4096" "read=b:4096:131072" \
    "read=b:135168:131072" "read=c:$((40 * m)):4096" "data=c:$((32 * m))"
is "what the server calls a hole meanwhile is not taken for one" "$(gave 8)" f
is "nor later" "$(gave 9)" $((40 * m))

# Changes of the same bytes are done in order.
steps open=a "write=a:$((4 * m)):4096:1" "write=a:$((4 * m)):4096:2" "write=a:$((4 * m + 10)):10:3" \
    "punch=a:$((4 * m + 15)):100" fsync=a
is "writes over each other, and a hole, are done in order" \
    "$(dd if="$image" bs=1 skip=$((4 * m)) count=120 status=none | tr '\0' 0 | tr -s 0123)" 2302

# A program that ends does not wait, nor one that is killed.
freeze "$nbdkit_pid"
start steps "$abs_top_builddir/tests/fuse/steps" "$mnt/nbd" open=a "write=a:0:65536:k" "close=a"
wait_for grep -q write= "$started_log"
ok "a close waits for a silent server" is_alive "$started_pid"
behind=$(unflushed behind)
at_least "--status tells what is on its way" "$behind" 65536
kill -s KILL "$started_pid"
begin=${EPOCHREALTIME/./}
wait_for is_gone "$started_pid"
at_most "one that is killed is gone within a second" $(((${EPOCHREALTIME/./} - begin) / 1000)) 1000
start steps "$abs_top_builddir/tests/fuse/steps" "$mnt/nbd" open=a "write=a:65536:4096:k" sleep=20000
wait_for grep -q write= "$started_log"
kill -s KILL "$started_pid"
begin=${EPOCHREALTIME/./}
wait_for is_gone "$started_pid"
at_most "also where it was not waiting" $(((${EPOCHREALTIME/./} - begin) / 1000)) 1000
begin=${EPOCHREALTIME/./}
start steps "$abs_top_builddir/tests/fuse/steps" "$mnt/nbd" open=a "write=a:131072:4096:k"
wait_for is_gone "$started_pid"
ended=$(((${EPOCHREALTIME/./} - begin) / 1000))
at_least "one that ends without closing the file waits for some seconds" $ended 4000
at_most "and no longer" $ended 8000
thaw "$nbdkit_pid"
is_done() { [ "$(head -c 65536 "$image" | tr -d k | wc -c)" = 0 ]; }
ok "its write is done all the same" wait_for is_done
wait_for test "$(unflushed behind)" = 0
stop_nbdmount
is "the daemon ends well" "$status" 0

# Not more than it was told, and not where it was told not to.
start_nbdmount -o writebehind=128K "$uri" "$(new_dir mnt)"
steps open=a "writes=a:0:$((64 * k)):x:8"
at_least "writebehind=128K: three in half a second" "$(took 2)" 900
stop_nbdmount
for options in writebehind=0 cache=none writebehind=1G,cache=none; do
    start_nbdmount -o "$options" "$uri" "$(new_dir mnt)"
    quick "$options: close does not wait for the server" 3 open=a "write=a:0:4096:x" "close=a"
    at_least "and a write does" "$(took 2)" 400
    stop_nbdmount
done
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a:direct "write=a:0:4096:x" open=b:sync "write=b:0:4096:y" "read=a:0:4096"
at_least "O_DIRECT: a write waits for the server" "$(took 2)" 400
at_least "O_SYNC too" "$(took 4)" 400
is "and both are done" "$(gave 5)" y
stop_nbdmount

# Unmounted at once.
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "writes=a:0:$((128 * k)):u:32" "close=a"
stop_nbdmount
is "unmounted at once: the daemon ends well" "$status" 0
ok "and the server has all" cmp -n $((4 * m)) "$image" <(head -c $((4 * m)) /dev/zero | tr '\0' u)
stop "$nbdkit_pid"

# A server that has no space, now and then.
new_image
start_nbdkit --filter=error file "$image" error-pwrite=ENOSPC error-pwrite-rate=1 error-pwrite-file="$broken"
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a open=b "writes=a:0:2048:o:2" fsync=a touch="$broken" "write=a:0:4096:n" fsync=a fsync=a fsync=b fsync=b
is "a write that fails was answered" "$(gave 6)" 4096
is "fsync tells, with the server's error" "$(gave 7)" ENOSPC
is "once" "$(gave 8)" 0
is "and through each file that was open" "$(gave 9)" ENOSPC
is "once too" "$(gave 10)" 0
like "the log says what" "$(cat "$nbdmount_log")" "4096 bytes from 0 on could not be written after all: No space left"
rm "$broken"
old_bytes() { [ "$(head -c 5 "$mnt/nbd")" = ooooo ]; }
ok "the kernel does not keep what failed" wait_for old_bytes
steps open=a touch="$broken" "write=a:0:4096:n" close=a open=b fsync=b close=b
is "close tells" "$(gave 4)" ENOSPC
is "and who opens it then is not told again" "$(gave 6)$(gave 7)" 00
steps open=a "write=a:0:4096:n" "write=a:0:4096:n" fsync=a "write=a:4096:4096:n" fsync=a forget="$broken"
is "after fsync has told, writes are answered again" "$(gave 4)$(gave 5)$(gave 6)" ENOSPC4096ENOSPC
touch "$broken"
steps open=a open=b "write=a:0:4096:n" close=b "write=a:4096:4096:n" forget="$broken" "write=a:8192:4096:r" fsync=a fsync=a
is "a close before fsync tells" "$(gave 4)" ENOSPC
is "until then each write has its own answer" "$(gave 5)" ENOSPC
is "which may be good" "$(gave 7)" 4096
is "and fsync tells of the first one still" "$(gave 8)$(gave 9)" ENOSPC0
touch "$broken"
steps open=a:direct "write=a:0:4096:n" open=b:sync "write=b:0:4096:n" fsync=b
is "O_DIRECT: the write fails" "$(gave 2)" ENOSPC
is "O_SYNC: too" "$(gave 4)" ENOSPC
is "of which it knows" "$(gave 5)" 0
stop_nbdmount
is "everybody was told, and the daemon ends well" "$status" 0

# A program that has ended without looking.
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "write=a:0:4096:n"
steps open=a close=a close=a
is "who opens it next is told of what nobody was" "$(gave 2)" ENOSPC
stop_nbdmount
is "that is enough" "$status" 0
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "write=a:0:4096:n"
stop_nbdmount
is "otherwise the daemon's status says it" "$status" 1
like "and the log" "$(cat "$nbdmount_log")" "which no program was told: No space left"
start_nbdmount -o writebehind=0 "$uri" "$(new_dir mnt)"
steps open=a "write=a:0:4096:n" fsync=a close=a
is "writebehind=0: the write fails" "$(gave 2)" ENOSPC
is "and that is all" "$(gave 3)$(gave 4)" 00
run dd if=/dev/zero of="$mnt/nbd" bs=64k count=4 conv=notrunc
like "dd says so" "$err" "No space left"
stop_nbdmount
start_nbdmount "$uri" "$(new_dir mnt)"
run dd if=/dev/zero of="$mnt/nbd" bs=64k count=4 conv=notrunc
like "dd says so otherwise too" "$err" "No space left"
isnt "and fails" "$status" 0
stop_nbdmount
stop "$nbdkit_pid"

# Among all exports of a server, where one that is not used is closed.
mkdir "$tmp/exports" && truncate -s 1M "$tmp/exports/disk"
name=disk
start_nbdkit --filter=error file dir="$tmp/exports" error-pwrite=ENOSPC error-pwrite-rate=1
start_nbdmount -o all,idle=1 "$uri" "$(new_dir mnt)"
steps open=a "write=a:0:4096:n"
pause 3
steps open=a close=a
is "an export that was not used meanwhile: who opens it next is told" "$(gave 2)" ENOSPC
stop_nbdmount
is "and the daemon ends well" "$status" 0
start_nbdkit eval list_exports='echo disk' get_size='echo 1M' pread='head -c "$3" /dev/zero' \
    pwrite='cat >/dev/null' can_write='exit 0' can_flush='exit 0' flush='echo EIO >&2; exit 1'
start_nbdmount -o all,idle=1 "$uri" "$(new_dir mnt)"
steps open=a "write=a:0:4096:n" close=a
wait_for grep -q "could not be flushed" "$nbdmount_log"
stop_nbdmount
is "one that could not be flushed when it was closed: the daemon's status says it" "$status" 1
done_testing
