# SPDX-License-Identifier: LGPL-2.1-or-later
# An export that is larger when its server is back: the file grows under those who have it
# open, and all of the new part can be used.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
need_program dd cmp stat timeout
need_nbdkit file eval

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
image=$tmp/image
uri="nbd+unix:///?socket=$sock"
# The file that is open here is not for servers.
server_up() { start_server "$@" 9>&-; }
# comes_back_with SIZE
comes_back_with() {
    kill_server
    truncate -s "$1" "$image"
    server_up file "$image"
}
has_size() { [ "$(stat -L -c %s "$1")" -eq "$2" ]; }
says() { grep -q -- "$1" "$nbdmount_log"; }

# ---- while it is open, mapped into memory and written to

dd if=/dev/urandom of="$image" bs=1M count=8 status=none
cp "$image" "$tmp/want"
server_up file "$image"
start_nbdmount "$uri" "$(new_dir mnt)"
ok "the file is read" cmp "$mnt/nbd" "$image"
exec 9<>"$mnt/nbd"
dd if=/dev/urandom of="$tmp/new" bs=1M count=1 status=none
dd if="$tmp/new" of="$mnt/nbd" bs=1M seek=2 conv=notrunc status=none
dd if="$tmp/new" of="$tmp/want" bs=1M seek=2 conv=notrunc status=none
comes_back_with 16M
ok "a larger export: the file has its size" wait_for has_size "$mnt/nbd" 16777216
ok "also for who has it open" has_size "/proc/$$/fd/9" 16777216
ok "the log says so" says "has grown from 8388608 to 16777216 bytes"
is "statfs counts the new part" "$(stat -f -c '%b %S' "$mnt/nbd")" "32768 512"
truncate -s 16M "$tmp/want"
ok "the new part reads as what it is" cmp "$mnt/nbd" "$tmp/want"
dd if="$tmp/new" of="$mnt/nbd" bs=1M seek=14 conv=notrunc,fsync status=none
dd if="$tmp/new" of="$tmp/want" bs=1M seek=14 conv=notrunc status=none
ok "and can be written" cmp "$image" "$tmp/want"
ok "who has it open reads what was written" \
    cmp -n 1048576 -i 0:14680064 "$tmp/new" "/proc/$$/fd/9"
is "its holes are found" "$("$sparsefile" walk "$mnt/nbd")" "$("$sparsefile" walk "$image")"
run dd if="$tmp/new" of="$mnt/nbd" bs=1M seek=16 conv=notrunc
like "behind the new end there is no space" "$err" "No space left"
exec 9>&-

comes_back_with 8M
run dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
like "the old size is smaller than what is mounted now: ESTALE" "$err" "Stale file handle"
ok "the log says why" says "size was 16777216 and is 8388608 now"
comes_back_with 16M
stop_nbdmount
is "the daemon ends well" "$status" 0
kill_server

# ---- an end within a page, which the kernel fills up with zeros

head -c 10000 /dev/urandom >"$image"
server_up file "$image"
start_nbdmount "$uri" "$(new_dir mnt)"
exec 9<"$mnt/nbd"
ok "10000 bytes are read" cmp "/proc/$$/fd/9" "$image"
kill_server
head -c 2000 /dev/urandom >>"$image"
cp "$image" "$tmp/want"
server_up file "$image"
ok "12000 now" wait_for has_size "$mnt/nbd" 12000
reads_all() { cmp "$1" "$tmp/want"; }
ok "the page of the old end has the new bytes, for who had read it" \
    wait_for reads_all "/proc/$$/fd/9"
exec 9<&-
stop_nbdmount
is "the daemon ends well" "$status" 0
kill_server

# ---- one connection of four notices it: the others do not know the new part

need_program tr wc jq
gate=$tmp/gate
echo 16777216 >"$tmp/size"
mkfifo "$gate"
: >"$tmp/opens"
server_up --threads=16 eval "open=echo >>$tmp/opens" "get_size=cat $tmp/size" \
    "can_multi_conn=exit 0" "thread_model=echo parallel" \
    "pread=[ \$4 -lt 8388608 ] || cat $gate >/dev/null; printf %\$3s | tr ' ' x"
start_nbdmount -r -o connections=4,timeout=1,readahead=0 "$uri" "$(new_dir mnt)"
opened() { [ "$(wc -l <"$tmp/opens")" -ge "$1" ]; }
ok "there are four connections" wait_for connections_are 4
echo 33554432 >"$tmp/size"
dd if="$mnt/nbd" of="$tmp/got" bs=4096 skip=3000 count=1 iflag=direct status=none &
reader=$!
ok "one that is lost and made anew sees the larger export" wait_for says "has grown from 16777216"
mv "$gate" "$gate.closed"
: >"$gate"
# Those that are stuck at the gate go on.
timeout 5 sh -c ": >'$gate.closed'"
ok "the others are made anew too" wait_for opened 8
wait "$reader"
is "the reader that was stuck gets its bytes" "$(tr -d x <"$tmp/got" | wc -c) $?" "0 0"
reads_new() {
    local i
    for i in 0 1 2 3 4 5 6 7; do
        dd if="$mnt/nbd" bs=4096 skip=$((5000 + i * 100)) count=1 iflag=direct status=none | wc -c
    done | tr '\n' ' '
}
is "the new part is read through all of them" "$(reads_new)" "4096 4096 4096 4096 4096 4096 4096 4096 "
stop_nbdmount
is "the daemon ends well" "$status" 0
kill_server

# ---- all exports

server_up file dir="$(new_dir disks)"
disks=$(ls -d "$tmp"/disks.*)
truncate -s 1M "$disks/a"
start_nbdmount -o all "$uri" "$(new_dir mnt)"
exec 9<"$mnt/a"
is "all: an export of 1 MiB" "$(stat -c %s "$mnt/a")" 1048576
kill_server
truncate -s 3M "$disks/a"
server_up file dir="$disks"
ok "all: it has grown" wait_for has_size "$mnt/a" 3145728
is "and is read to its end" "$(wc -c <"$mnt/a")" 3145728
exec 9<&-
stop_nbdmount
is "the daemon ends well" "$status" 0
done_testing
