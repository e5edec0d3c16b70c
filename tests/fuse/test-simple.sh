# SPDX-License-Identifier: LGPL-2.1-or-later
# One connection has structured replies, for block status; the others have simple ones,
# and are there for small reads first. Whichever of them is lost, there is one of the
# first kind again.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program cmp dd fio jq mkfifo nbdcopy
need_nbdkit memory --filter=log

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
faulty=$abs_top_builddir/tests/soak/faulty
log=$tmp/requests

# What it says of connections and requests is in $nbdkit_log and $log.
start_server() {
    : >"$log"
    start_nbdkit -v --filter=log memory 16M logfile="$log" logappend=true
}
made() { grep -c 'NBD_OPT_GO: client requested export' "$nbdkit_log"; }
made_are() { [ "$(made)" -eq "$1" ]; }
structured() { grep -cE 'client requested (structured replies|extended headers)' "$nbdkit_log"; }

# by KIND [COUNT]: the connections that got requests of that kind, and of so many bytes.
by() { sed -nE "s/.* connection=([0-9]+) $1 id=.* count=${2:-0x[0-9a-f]*}( .*|$)/\1/p" "$log" | sort -nu | tr '\n' ' '; }

# One lseek and ten small reads, which the log then has alone.
use() {
    : >"$log"
    "$sparsefile" walk "$mnt/nbd" >"$tmp/walk" &&
        dd if="$mnt/nbd" of=/dev/null bs=4k count=10 iflag=direct status=none
}
goes_apart() {
    use && [ "$(by Extents | wc -w)" -eq 1 ] && [ "$(by Read 0x1000 | wc -w)" -eq 1 ] &&
        [ "$(by Extents)" != "$(by Read 0x1000)" ]
}

start_server
server_pid=$nbdkit_pid
start_nbdmount -C 3 -o extents=0.001 "$uri" "$(new_dir mnt)"
ok "three connections are made" wait_for connections_are 3
is "for one of them structured replies are asked for" "$(structured) of $(made)" "1 of 3"
ok "block status is asked on one" use
is "the first one" "$(by Extents)" "1 "
unlike "one small read at a time never goes there" "$(by Read 0x1000)" "^(1 |)$"
ok "many at once" fio --name=many --filename="$mnt/nbd" --direct=1 --bs=4k --ioengine=libaio \
    --iodepth=32 --rw=randwrite --size=16M --verify=crc32c --verify_fatal=1 --do_verify=1 \
    --verify_state_save=0 --fallocate=none --output="$tmp/fio"
like "go to both of the others" "$(by Read 0x1000)" "2 3 $"
dd if="$mnt/nbd" of="$tmp/got" bs=1M iflag=direct status=none
like "large ones go to the first too" "$(by Read '0x[0-9a-f]{5,}')" "^1 "
nbdcopy "$uri" "$tmp/want"
ok "the bytes are those of the server" cmp "$tmp/got" "$tmp/want"
stop_nbdmount
is "the daemon ends well" "$status" 0
is "and has nothing to say" "$(cat "$nbdmount_log")" ""

start_nbdmount -C 1 "$uri" "$(new_dir mnt)"
ok "a single connection" use
is "takes both" "$(by Extents)" "$(by Read 0x1000)"
stop_nbdmount
stop "$server_pid"

# Behind a program that ends one of the connections when it is told.
start_server
between=$tmp/between.sock
mkfifo "$tmp/tell"
"$faulty" "$between" "$sock" 1 told 1 <"$tmp/tell" >>"$tmp/told" 2>&1 &
started_pids+=($!)
exec {tell}>"$tmp/tell"
wait_for test -S "$between"
start_nbdmount -r -C 2 -o extents=0.001,retry=forever "nbd+unix:///?socket=$between" "$(new_dir mnt)"
ok "two connections" wait_for connections_are 2
ok "each for its own" wait_for goes_apart
echo 1 >&"$tell"
ok "the structured one is lost" wait_for grep -q "connection 1 ends" "$tmp/told"
ok "and made anew" wait_for made_are 3
ok "each for its own again" wait_for goes_apart
is "it is the same kind" "$(structured) of $(made)" "2 of 3"
echo 2 >&"$tell"
ok "the simple one is lost" wait_for grep -q "connection 2 ends" "$tmp/told"
ok "and each is for its own once more" wait_for goes_apart
is "it is a simple one" "$(structured) of $(made)" "2 of 4"

# No more connections can be made: what can be read is read, and is data.
mv "$between" "$between-away"
echo 3 >&"$tell"
ok "the structured one is lost for long" wait_for connections_are 1
: >"$log"
ok "what is there can be read" dd if="$mnt/nbd" of=/dev/null bs=4k count=10 iflag=direct status=none
run timeout 30 "$sparsefile" walk "$mnt/nbd"
is "where holes are cannot be asked" "$status $out" "0 data 0 16777216"
is "nobody was asked" "$(by Extents)" ""
run timeout 3 "$sparsefile" walk "$mnt/nbd"
is "and nobody waits any more for being told so" "$status $out" "0 data 0 16777216"
mv "$between-away" "$between"
ok "it comes again" wait_for goes_apart
is "and the disk is a hole" "$(cat "$tmp/walk")" "hole 0 16777216"
unlike "the server has not refused anything" "$(cat "$nbdmount_log")" "refuses"

stop_nbdmount
is "the daemon ends well here too" "$status" 0

# Where something may be written, all go with the first.
start_nbdmount -C 2 -o extents=0.001,retry=forever "nbd+unix:///?socket=$between" "$(new_dir mnt)"
ok "one that may write" wait_for goes_apart
# Both wait for the server to answer before either knows of the other.
begun() { grep -c ' begins$' "$tmp/told"; }
begun_are() { [ "$(begun)" -eq "$1" ]; }
for _ in 1 2 3; do
    freeze "$nbdkit_pid"
    before=$(begun)
    echo "$((before - 1)) $before" >&"$tell"
    ok "both are lost" wait_for begun_are $((before + 2))
    thaw "$nbdkit_pid"
    ok "there is one for each again" wait_for goes_apart
    ok "two are live" wait_for connections_are 2
done
stop_nbdmount
is "the daemon ends well after all" "$status" 0
done_testing
