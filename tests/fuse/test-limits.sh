# SPDX-License-Identifier: LGPL-2.1-or-later
# Ten thousand readers at once are served, and what the daemon takes for it is bounded.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_nbdkit eval pattern
need_program perl
crowd=$abs_top_builddir/tests/fuse/crowd
readers=10000
len=32768

figure() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$nbdmount_pid/status"; }
files() { find "/proc/$nbdmount_pid/fd" -mindepth 1 | wc -l; }
# crowd_at NAME ARGS...: all readers ask while the server says nothing.
crowd_at() {
    local name=$1
    shift
    start_nbdkit pattern size=1G
    start_nbdmount "$@" "$uri" "$(new_dir mnt)"
    dd if="$mnt/nbd" of=/dev/null bs=1M count=4 iflag=direct status=none
    kill -s STOP "$nbdkit_pid"
    start crowd "$crowd" "$mnt/nbd" "$readers" "$len"
    local crowd_pid=$started_pid crowd_log=$started_log
    ok "$name: $readers readers ask at once" wait_while_alive "$crowd_pid" grep -q "all of them" "$crowd_log"
    at_most "$name: they need few threads" "$(figure Threads)" 16
    at_most "$name: and few open files" "$(files)" 32
    kill -s CONT "$nbdkit_pid"
    ok "$name: all are answered" wait_for is_gone "$crowd_pid"
    wait "$crowd_pid"
    is "$name: with the right bytes" "$?:$(tail -n 1 "$crowd_log")" "0:$readers right, 0 wrong"
    diag "at most $(($(figure VmHWM) / 1024)) MiB of memory, $(figure Threads) threads, $(files) files"
    # What a sanitizer needs is its own.
    [ "$SANITIZER" != none ] || at_most "$name: the daemon's memory is bounded" "$(figure VmHWM)" "$memory"
    stop_nbdmount
    is "$name: it ends well" "$status" 0
    stop "$nbdkit_pid"
}
# Without the kernel's cache nothing but the daemon bounds it: 128 MiB in flight, and a little for each.
memory=$((192 * 1024)) crowd_at "cache=none" -o cache=none
memory=$((192 * 1024)) crowd_at "cache=readahead" -o cache=readahead
# With it the kernel asks for what is read ahead a few at a time.
memory=$((192 * 1024)) crowd_at "cache=always"

# Who waits for its turn can be killed too.
start_nbdkit pattern size=1G
start_nbdmount -o cache=none "$uri" "$(new_dir mnt)"
kill -s STOP "$nbdkit_pid"
start crowd "$crowd" "$mnt/nbd" 300 1048576
crowd_pid=$started_pid
wait_while_alive "$crowd_pid" grep -q "all of them" "$started_log"
kill -s KILL "$crowd_pid"
ok "a crowd of 300 MiB can be killed while the server is silent" wait_for is_gone "$crowd_pid"
[ "$SANITIZER" != none ] || at_most "and has not taken more than the bound" "$(figure VmRSS)" $((192 * 1024))
kill -s CONT "$nbdkit_pid"
ok "the mount works on" dd if="$mnt/nbd" of=/dev/null bs=1M count=1 status=none
stop_nbdmount
is "and ends well" "$status" 0

# An answer of 131072 pieces: 8 KiB of data, 8 KiB of hole, and so on.
cat >"$tmp/extents" <<'END'
awk -v from="$4" -v len="$3" 'BEGIN {
    for (block = int(from / 8192); block * 8192 < from + len; block++)
        printf "%.0f 8192 %s\n", block * 8192, block % 2 ? "hole,zero" : ""
}'
END
start_nbdkit eval get_size='echo 1G' pread='head -c $3 /dev/zero' can_extents='exit 0' \
    extents="$(cat "$tmp/extents")"
start_nbdmount "$uri" "$(new_dir mnt)"
# Beyond what is kept of one answer: each step from 1000 blocks before to 1000 behind.
walk() {
    perl -e 'open F, "<", $ARGV[0] or die; my $block = 8192;
        sysseek F, 0, 4 or die; # asks about the beginning
        for my $i (64536 .. 66536) {
            my $hole = sysseek F, $i * $block, 4;
            my $data = sysseek F, $i * $block, 3;
            die "at block $i: hole $hole, data $data\n"
                if $hole != ($i + !($i % 2)) * $block or $data != ($i + $i % 2) * $block;
        }' "$mnt/nbd"
}
ok "an answer of 131072 pieces is right at its cut" walk
[ "$SANITIZER" != none ] || at_most "and takes little memory" "$(figure VmHWM)" $((48 * 1024))
diag "at most $(($(figure VmHWM) / 1024)) MiB of memory"
stop_nbdmount
done_testing
