# SPDX-License-Identifier: LGPL-2.1-or-later
# Small writes one behind the other become one command where the server is slow, and
# everybody sees the same bytes as without that.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
need_program jq truncate cmp
need_nbdkit file --filter=delay --filter=error --filter=stats --filter=blocksize-policy

image=$tmp/image
counts=$tmp/stats
broken=$tmp/broken
uri="nbd+unix:///?socket=$sock"
k=1024 m=$((1024 * 1024))
new_image() { rm -f "$image" && truncate -s "${1:-64M}" "$image"; }
steps() {
    "$abs_top_builddir/tests/fuse/steps" "$mnt/nbd" "$@" >"$tmp/steps" 2>&1 || diag_file "$tmp/steps"
}
gave() { awk -v n="$1" 'NR == n { print $2 }' "$tmp/steps"; }
took() { awk -v n="$1" 'NR == n { print $3 }' "$tmp/steps"; }
# What the server that has just been stopped was asked to write, how often.
n_writes() { awk '$1 == "write:" { print $2 }' "$counts"; }
same() { # FROM LENGTH CHARACTER: that is in the image
    cmp -n "$2" -i "$1:0" "$image" <(head -c "$2" /dev/zero | tr '\0' "$3")
}

# One megabyte, 4 KiB at a time, 200 ms for each command.
new_image
start_nbdkit --filter=stats --filter=delay file "$image" wdelay=200ms statsfile="$counts"
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "writes=a:0:4096:x:256" fsync=a
is "256 small writes one behind the other" "$(gave 2)" $m
is "are all there" "$(gave 3)" 0
ok "at the server too" same 0 $m x
stop_nbdmount
stop "$nbdkit_pid"
at_most "which was asked to write few times" "$(n_writes)" 64
at_least "but more than once" "$(n_writes)" 4

# Each of 1000 bytes: a block is read, for its other bytes, once for each command.
new_image
start_nbdkit --filter=stats --filter=delay file "$image" wdelay=200ms statsfile="$counts"
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "writes=a:100:1000:y:1000" fsync=a
is "1000 writes of 1000 bytes" "$(gave 2)" 1000000
ok "are all there" same 100 1000000 y
ok "with what was in front of them" same 0 100 '\0'
ok "and behind them" same 1000100 1000 '\0'
stop_nbdmount
stop "$nbdkit_pid"
at_most "with few commands" "$(n_writes)" 120

# What waits for others is seen by who looks for it.
new_image
start_nbdkit --filter=delay file "$image" wdelay=300ms
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a open=b:direct "writes=a:0:4096:s:32" "read=b:$((31 * 4096)):4096"
is "the last of 32 is read, from the server" "$(gave 4)" s
steps open=a open=b "writes=a:$((8 * m)):4096:s:32" "data=b:$((8 * m + 30 * 4096))" "hole=b:$((8 * m))"
is "it is data to lseek" "$(gave 4)" $((8 * m + 30 * 4096))
is "which ends behind it" "$(gave 5)" $((8 * m + 32 * 4096))
steps open=a "writes=a:$((12 * m)):4096:s:32" "punch=a:$((12 * m + 60 * k)):$((8 * k))" fsync=a
ok "a hole in the middle of them is one" same $((12 * m + 60 * k)) $((8 * k)) '\0'
ok "and the others are as they were written" same $((12 * m + 68 * k)) $((60 * k)) s
steps open=a "writes=a:$((16 * m)):4096:s:32" "write=a:$((16 * m + 100 * k)):4096:t" fsync=a
ok "a write over one of them is the later one" same $((16 * m + 100 * k)) 4096 t
steps open=a "writes=a:$((20 * m)):4096:s:32" close=a
ok "close waits for them" same $((20 * m)) $((32 * 4096)) s
stop_nbdmount
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a "writes=a:$((24 * m)):4096:s:64"
stop_nbdmount
is "unmounted at once: the daemon ends well" "$status" 0
ok "and they are there" same $((24 * m)) $((64 * 4096)) s
stop "$nbdkit_pid"

# The server says that all is a hole, while it has not done them: to tar, no blocks mean
# that there is nothing to read.
new_image
start_nbdkit --filter=delay file "$image" wdelay=700ms
start_nbdmount -o discard=trim "$uri" "$(new_dir mnt)"
steps open=a open=b data=b:0 "punch=a:$((32 * m)):65536" "writes=a:$((40 * m)):4096:s:32" \
    "read=b:$((30 * m)):$m" "read=b:$((31 * m)):$m" "read=b:$((32 * m)):$m" sleep=100 blocks=b fsync=a blocks=b
isnt "stat does not call it empty" "$(gave 10)" 0
is "and knows it when it is done" "$(gave 12)" 256
stop_nbdmount
stop "$nbdkit_pid"

# Who reads the file from front to back has what comes fetched before it was written; what
# is held then is in pieces of pages, so the kernel asks for the rest of them.
head -c 64M /dev/zero | tr '\0' o >"$image"
start_nbdkit --filter=delay file "$image" wdelay=500ms
start_nbdmount "$uri" "$(new_dir mnt)"
at=$((33 * m))
steps open=a "reads=a:0:131072:-:256" sleep=200 write=a:$((40 * m)):1000:x write=a:$((44 * m)):1000:x \
    write=a:$((48 * m)):1000:x write=a:$((52 * m)):1000:x write=a:$((56 * m)):1000:x \
    "writes=a:$((at - 1000)):1000:n:60" "read=a:$((at + 8192)):4096" "read=a:$at:4096" "read=a:$((at + 32768)):4096" \
    fsync=a "read=a:$((at - 1000)):60000"
is "60 writes" "$(gave 9)" 60000
is "what is read then is not what was fetched before" "$(gave 10)$(gave 11)$(gave 12)" nnn
is "nor later" "$(gave 14)" n
stop_nbdmount
stop "$nbdkit_pid"

# Two small writes each, far from each other: what is held counts with all its memory.
new_image 1G
start_nbdkit --filter=delay file "$image" wdelay=3
start_nbdmount "$uri" "$(new_dir mnt)"
pairs=()
for ((i = 1; i <= 100; i++)); do pairs+=("writes=a:$((i * 4 * m)):512:p:2"); done
steps open=a "${pairs[@]}"
[ "$SANITIZER" != none ] || at_most "200 small writes in pairs do not need much memory" \
    "$(awk '/^VmHWM/ { print $2 }' "/proc/$nbdmount_pid/status")" $((48 * k))
stop_nbdmount
stop "$nbdkit_pid"

# No space for some of them.
new_image
start_nbdkit --filter=delay --filter=error file "$image" wdelay=500ms \
    error-pwrite=ENOSPC error-pwrite-rate=1 error-pwrite-file="$broken"
start_nbdmount "$uri" "$(new_dir mnt)"
steps open=a open=b touch="$broken" "writes=a:0:4096:s:32" fsync=a fsync=a fsync=b forget="$broken" \
    "writes=a:0:4096:r:32" fsync=a
is "writes that fail were answered" "$(gave 4)" $((32 * 4096))
is "fsync tells" "$(gave 5)" ENOSPC
is "once" "$(gave 6)" 0
is "through each file" "$(gave 7)" ENOSPC
is "after that they are written" "$(gave 10)" 0
ok "all of them" same 0 $((32 * 4096)) r
stop_nbdmount
is "the daemon ends well" "$status" 0
stop "$nbdkit_pid"

# No more than may be on its way.
new_image
start_nbdkit --filter=delay file "$image" wdelay=200ms
start_nbdmount -o writebehind=64K "$uri" "$(new_dir mnt)"
steps open=a "writes=a:0:4096:w:64" fsync=a
at_least "writebehind=64K: four times so much waits for the server" "$(took 2)" 400
ok "and is there" same 0 $((64 * 4096)) w
stop_nbdmount
stop "$nbdkit_pid"

# A server that is killed while they wait, and forgets what was not flushed; and with what
# was written in a file, where each is one by itself.
build_volatile
appends="$abs_top_builddir/tests/fuse/appends"
# So many writes take longer than that, however quick the machine is: many of them wait.
declare -A options_writes=([retry=60]=6000 [retry=60,replay-file=$tmp/replay]=500)
for options in "${!options_writes[@]}"; do
    new_image 3000001
    start_server --filter=delay "$tmp/volatile.so" file="$image" rdelay=5ms wdelay=10ms
    start_nbdmount -o "$options" "$uri" "$(new_dir mnt)"
    start appends "$appends" "$mnt/nbd" 7 "${options_writes[$options]}"
    writer=$started_pid writer_log=$started_log
    for _ in 1 2 3; do
        pause 0.4
        kill_server
        alive=$(is_alive "$writer" && echo yes)
        start_server --filter=delay "$tmp/volatile.so" file="$image" rdelay=5ms wdelay=10ms
    done
    is "the programs are still at work at the last of three times" "$alive" yes
    ok "${options%%,*}${options#retry=60}: a server that was killed three times has all" wait "$writer"
    writer_said=$(cat "$writer_log")
    is "and nothing else was seen" "$writer_said" ""
    stop_nbdmount
    is "the daemon ends well" "$status" 0
    kill_server
done

# Three programs at once, in blocks of several sizes.
for server in "--filter=delay file $image wdelay=2ms" \
    "--filter=blocksize-policy --filter=delay file $image wdelay=2ms blocksize-minimum=4096" \
    "--filter=blocksize-policy --filter=delay file $image wdelay=2ms blocksize-minimum=1 blocksize-maximum=65536" \
    "file $image"; do
    for options in writebehind=16M writebehind=48K connections=1,readahead=0; do
        new_image 3M
        # shellcheck disable=SC2086 # these are words
        start_nbdkit $server
        start_nbdmount -o "$options" "$uri" "$(new_dir mnt)"
        seed=$RANDOM
        run "$appends" "$mnt/nbd" "$seed" 400
        is "${server/$image/FILE}, $options: three write and look" "$status$out$err" 0 || diag "seed $seed"
        stop_nbdmount
        is "the daemon ends well" "$status" 0
        stop "$nbdkit_pid"
    done
done
done_testing
