# SPDX-License-Identifier: LGPL-2.1-or-later
# cache=writeback: small writes are gathered by the kernel, and nobody takes for a hole
# what it has not sent yet.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_program perl tar
need_nbdkit memory --filter=stats
sparsefile=$abs_top_builddir/tests/fuse/sparsefile
need_program "$sparsefile"

# Writes that have reached the last nbdkit with --filter=stats, which ends.
writes_served() {
    stop "$nbdkit_pid"
    awk '/^write: / { print $2; found = 1; exit } END { if (!found) print 0 }' "$tmp/stats"
}

# write_small [OPTION...]: 4 MiB in writes of 4 KiB.
write_small() {
    start_nbdkit --filter=stats memory 64M statsfile="$tmp/stats"
    start_nbdmount "$@" "$uri" "$(new_dir mnt)"
    head -c 4M /dev/urandom >"$tmp/written"
    dd if="$tmp/written" of="$mnt/nbd" bs=4k conv=notrunc,fsync status=none
}
write_small -o writebehind=0
stop_nbdmount
is "without it, and without writes on their way, each is one for the server" "$(writes_served)" 1024
write_small -o cache=writeback
ok "with it the same bytes are there" cmp -n 4M "$tmp/written" "$mnt/nbd"
ok "also when the server is asked" cmp -n 4M "$tmp/written" <(nbdcopy "$uri" -)
stop_nbdmount
is "the daemon ends well" "$status" 0
at_most "and the server gets them in few writes" "$(writes_served)" 64

# hold_dirty OFFSET [mmap]: a program that has written 64 KiB there, and neither closes
# nor syncs. Whoever closes the file makes the kernel send all, so each reader needs one.
hold_dirty() {
    rm -f "$tmp/ready"
    start writer perl -e '
        my ($file, $off, $ready) = @ARGV;
        open my $f, "+<", $file or die "$file: $!";
        sysseek $f, $off, 0 or die "seek: $!";
        (syswrite $f, "x" x 65536) == 65536 or die "write: $!";
        open my $r, ">", $ready or die "$ready: $!";
        close $r;
        select undef, undef, undef, undef while 1;' "$mnt/nbd" "$1" "$tmp/ready"
    wait_while_alive "$started_pid" test -e "$tmp/ready"
}
let_go() { stop "$started_pid" KILL; }
data_at() { "$sparsefile" walk "$mnt/nbd" | awk -v off="$1" '
    $1 == "data" && $2 <= off && off < $2 + $3 { found = 1 } END { exit !found }'; }

start_nbdkit memory 64M
start_nbdmount -o cache=writeback "$uri" "$(new_dir mnt)"
is "what nobody has written is a hole" "$("$sparsefile" walk "$mnt/nbd")" "hole 0 67108864"
hold_dirty 8388608
ok "what was written and not sent yet is data" data_at 8388608
let_go
hold_dirty 16777216
ok "cp copies it" cp --sparse=auto "$mnt/nbd" "$tmp/copy"
is "all of it" "$(dd if="$tmp/copy" bs=64k skip=256 count=1 status=none | tr -d x | wc -c)" 0
let_go
hold_dirty 25165824
ok "tar archives it" tar -C "$mnt" -cSf "$tmp/tar" nbd
let_go
is "all of it, too" "$(tar -xOf "$tmp/tar" nbd | dd bs=64k skip=384 count=1 iflag=fullblock status=none |
    tr -d x | wc -c)" 0
stop_nbdmount

# An export of which is known that it is all hole.
start_nbdkit memory 64M
start_nbdmount -o cache=writeback "$uri" "$(new_dir mnt)"
"$sparsefile" walk "$mnt/nbd" >/dev/null
hold_dirty 1048576
isnt "nor does it look as if there were nothing in it" "$(stat -c %b "$mnt/nbd")" 0
let_go
# The kernel releases a file some time after it was closed.
knows_holes() { [ "$("$sparsefile" walk "$mnt/nbd" | grep -c hole)" -eq 2 ]; }
ok "when nobody writes any more, holes are holes again" wait_for knows_holes
is "around what was written" "$("$sparsefile" walk "$mnt/nbd" | tr '\n' ' ')" \
    "hole 0 1048576 data 1048576 65536 hole 1114112 65994752 "

# Punching a hole into it, and what the tools make of the result.
ok "a hole is punched into what has not been sent" perl -e '
    open my $f, "+<", shift or die $!;
    sysseek $f, 4194304, 0;
    (syswrite $f, "y" x 131072) == 131072 or die $!;
    # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE; fallocate(2) by way of the tool
    system("fallocate", "-p", "-o", "4194304", "-l", "65536", "/proc/$$/fd/" . fileno $f) == 0 or die;
    close $f or die $!' "$mnt/nbd"
is "and is there" "$(dd if="$mnt/nbd" bs=64k skip=64 count=2 iflag=fullblock status=none | tr -d y | wc -c)" 65536

# The kernel lets the file grow, and hears of the end when it sends what is behind it.
run dd if="$tmp/written" of="$mnt/nbd" bs=64k count=2 seek=1023 conv=notrunc,fsync
like "who writes past the end is told so when it is sent" "$status $err" "^1 .*No space left"
ok "what is in front of the end is written" \
    cmp -n 64K "$tmp/written" <(dd if="$mnt/nbd" bs=64k skip=1023 count=1 status=none)
run dd if="$tmp/written" of="$mnt/nbd" bs=64k count=1 seek=2000 conv=notrunc,fsync
like "so is who writes behind it" "$status $err" "^1 .*No space left"
ok "the file gets its size back" truncate -s 64M "$mnt/nbd"
is "which is the export's" "$(stat -c %s "$mnt/nbd")" 67108864
stop_nbdmount

run "$nbdmount" -o cache=writeback,truncate=zero "$uri" "$(new_dir mnt)"
like "with truncate=zero it is refused" "$status $err" "^1 .*writeback.*truncate=zero"
done_testing
