# SPDX-License-Identifier: LGPL-2.1-or-later
# A server that goes away and comes back: programs wait and go on, what the server forgot
# is sent again, and who does not want to wait can leave.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
need_fuse
need_program dd timeout cmp
need_nbdkit file --filter=delay --filter=error --filter=limit

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
image=$tmp/image
uri="nbd+unix:///?socket=$sock"
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
# within NAME MILLISECONDS COMMAND...
within() {
    local name=$1 limit=$2 begin
    shift 2
    begin=$(milliseconds)
    "$@"
    at_most "$name" "$(($(milliseconds) - begin))" "$limit"
}
waits_for_server() { # PID: the daemon has noticed, and the program is not done
    grep -q "connection lost" "$nbdmount_log" && is_alive "$1"
}

# Programs at work while the server is away.
dd if=/dev/urandom of="$image" bs=1M count=64 status=none
cp "$image" "$tmp/want"
dd if=/dev/urandom of="$tmp/new" bs=1M count=16 status=none
dd if="$tmp/new" of="$tmp/want" bs=1M seek=20 conv=notrunc status=none
start_server --filter=delay file "$image" rdelay=100ms wdelay=300ms
start_nbdmount "$uri" "$(new_dir mnt)"
dd if="$mnt/nbd" of="$tmp/got" bs=64k count=256 status=none 2>"$tmp/read.err" &
reader=$!
dd if="$tmp/new" of="$mnt/nbd" bs=64k seek=320 conv=notrunc,fsync status=none 2>"$tmp/write.err" &
writer=$!
wait_for test -s "$tmp/got"
kill_server
ok "a reader waits for a server that is gone" wait_for waits_for_server "$reader"
ok "a writer too" is_alive "$writer"
ok "stat answers meanwhile" timeout 5 stat "$mnt/nbd"
pause 1
start_server file "$image"
begin=$(milliseconds)
wait "$reader" "$writer"
took=$(($(milliseconds) - begin))
is "without an error" "$(cat "$tmp/read.err" "$tmp/write.err")" ""
ok "the reader has the right bytes" cmp -n 16777216 "$tmp/got" "$image"
ok "the server has all that was written" cmp "$tmp/want" "$image"
# What this machine needs for the bytes alone, whatever else it has to do.
begin=$(milliseconds)
dd if="$mnt/nbd" of="$tmp/got" bs=64k count=256 iflag=direct status=none
dd if="$tmp/new" of="$mnt/nbd" bs=64k seek=320 conv=notrunc,fsync status=none
at_most "both went on when it was back, within 2 seconds" "$took" \
    $((2000 + 4 * ($(milliseconds) - begin)))
stop_nbdmount
is "the daemon ends well" "$status" 0

# Only as long as it was told to.
start_nbdmount -o retry=1 "$uri" "$(new_dir mnt)"
kill_server
begin=$(milliseconds)
run dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
took=$(($(milliseconds) - begin))
like "retry=1: the read fails" "$err" "Input/output error"
at_least "after a second" "$took" 900
at_most "or a little more" "$took" 2500
start_server file "$image"
read_one() { dd if="$mnt/nbd" of="$tmp/block" bs=4096 skip=100 count=1 iflag=direct status=none; }
ok "and works when the server is back" wait_for read_one
ok "with the right bytes" cmp -n 4096 -i 0:409600 "$tmp/block" "$image"

# Another export.
kill_server
truncate -s 1M "$tmp/smaller"
start_server file "$tmp/smaller"
run dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
like "a smaller export in its place: ESTALE" "$err" "Stale file handle"
like "the log says why" "$(cat "$nbdmount_log")" "size was 67108864 and is 1048576 now"
kill_server
start_server file "$image"
ok "it works again when the right one is back" wait_for read_one
stop_nbdmount
is "the daemon ends well after all that" "$status" 0

# What was not flushed, and a server that does not take it again.
dd if=/dev/urandom of="$tmp/block" bs=64k count=1 status=none
put_block() { dd if="$tmp/block" of="$mnt/nbd" bs=64k seek="$1" conv=notrunc oflag=direct status=none; }
sync_it() { run dd if=/dev/null of="$mnt/nbd" bs=1 count=0 conv=notrunc,fsync status=none; }
has_block() { cmp -n 65536 -i 0:$((65536 * $1)) "$tmp/block" "$image"; }
forget_block() { dd if=/dev/zero of="$image" bs=64k seek="$1" count=1 conv=notrunc status=none; }
start_nbdmount "$uri" "$(new_dir mnt)"
put_block 4
kill_server
forget_block 4
start_server -r file "$image"
says() { grep -q -- "$1" "$nbdmount_log"; }
ok "a server that is back and read-only is not taken" wait_for says "export has become read-only"
run dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
like "not even for reading" "$err" "Stale file handle"
nok "what it forgot is not there" has_block 4
kill_server
start_server file "$image"
sync_works() { sync_it && [ "$status" -eq 0 ]; }
ok "when it takes writes again, fsync succeeds" wait_for sync_works
ok "and what it had forgotten is there again" has_block 4

put_block 5
kill_server
forget_block 5
: >"$tmp/full"
start_server --filter=error file "$image" error-pwrite=ENOSPC error-pwrite-rate=100% \
    error-pwrite-file="$tmp/full"
ok "a server that refuses what it has forgotten: the log says so" \
    wait_for says "does not take again what it has forgotten: No space left"
ok "it can be read from" dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
sync_it
like "the next fsync fails" "$err" "Input/output error"
rm "$tmp/full"
sync_it
is "that is told once" "$status$err" "0"
put_block 5
sync_it
is "what is written again is taken" "$status$err" "0"
ok "and is there" has_block 5

# The server dies while it is sent again; nothing must go on with that connection.
put_block 6
kill_server
forget_block 6
start_server --filter=log --filter=delay file "$image" logfile="$tmp/log" wdelay=60
ok "what it has forgotten is on its way" wait_for grep -q " Write id=" "$tmp/log"
kill_server
start_server file "$image"
ok "the next server gets it" wait_for has_block 6
sync_it
is "and flushes it" "$status$err" "0"
stop_nbdmount
is "the daemon ends well" "$status" 0
kill_server
start_server file "$image"

# Silent: with timeout= it is gone, without it waits, but nobody is stuck.
start_nbdmount -o timeout=1 "$uri" "$(new_dir mnt)"
freeze "$server"
silent=$server
dd if="$mnt/nbd" of="$tmp/got" bs=1M count=1 iflag=direct status=none 2>"$tmp/read.err" &
reader=$!
start_server file "$image"
ok "timeout=1: a reader of a silent server gets its bytes from the next one" wait_for is_gone "$reader"
ok "the right ones" cmp -n 1048576 "$tmp/got" "$image"
stop_nbdmount
thaw "$silent"

start_nbdmount "$uri" "$(new_dir mnt)"
dd if=/dev/zero of="$mnt/nbd" bs=4096 seek=3 count=1 conv=notrunc status=none
freeze "$server"
# The kernel waits for the daemon's answer.
is_in_request() { grep -qE 'request_wait_answer|fuse|folio|wait_on_page' "/proc/$1/wchan" || sleeps_long "$1"; }
sleeps_long() { pause 0.3 && grep -qE '^[0-9]+ \(.*\) [DS]' "/proc/$1/stat"; }
# killed NAME COMMAND...: waits for the silent server, and can be killed.
killed() {
    local name=$1
    shift
    "$@" >/dev/null 2>&1 &
    local pid=$!
    wait_for is_in_request "$pid"
    ok "$name waits for a silent server" is_alive "$pid"
    kill -s KILL "$pid"
    within "$name: kill -9 ends it within a second" 1000 wait "$pid" 2>/dev/null
}
killed "a reader" "$sparsefile" read "$mnt/nbd" 0 4096
killed "who reads ahead" dd if="$mnt/nbd" of=/dev/null bs=1M iflag=direct
killed "a writer" dd if=/dev/zero of="$mnt/nbd" bs=4096 seek=9 count=1 conv=notrunc
killed "another writer of the same block" dd if=/dev/zero of="$mnt/nbd" bs=4096 seek=9 count=1 conv=notrunc
killed "who seeks" "$sparsefile" walk "$mnt/nbd"
killed "who syncs" dd if=/dev/null of="$mnt/nbd" bs=1 count=0 conv=notrunc,fsync
# The end, with bytes that cannot be flushed.
kill -s TERM "$nbdmount_pid"
within "SIGTERM: it ends within ten seconds, and a little" 12000 wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
isnt "its status is not 0" "$status" 0
like "and it says how many bytes were not flushed" "$(cat "$nbdmount_log")" "[0-9]+ bytes were written and could not be flushed"
ok "nothing is mounted" is_unmounted "$mnt"
thaw "$server"

# A second signal does not wait.  nbdkit 1.32 may abort when who asked it is gone.
kill_server 2>/dev/null
start_server file "$image"
start_nbdmount "$uri" "$(new_dir mnt)"
dd if=/dev/zero of="$mnt/nbd" bs=4096 seek=3 count=1 conv=notrunc status=none
freeze "$server"
kill -s TERM "$nbdmount_pid"
pause 0.3
kill -s TERM "$nbdmount_pid"
within "a second SIGTERM ends it at once" 2000 wait_for is_gone "$nbdmount_pid"
thaw "$server"

# But two at once are one order: timeout(1) sends them to its child and to the group.
kill_server 2>/dev/null
start_server file "$image"
start_nbdmount "$uri" "$(new_dir mnt)"
dd if="$tmp/new" of="$mnt/nbd" bs=4096 count=1 conv=notrunc status=none
freeze "$server"
kill -s TERM "$nbdmount_pid"
kill -s INT "$nbdmount_pid"
pause 0.5
ok "two signals at once do not give up" is_alive "$nbdmount_pid"
thaw "$server"
ok "it ends when the server answers" wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
is "well" "$status" 0
ok "and the bytes are there" cmp -n 4096 "$tmp/new" "$image"

# Two connections.  The first one's server falls silent, with bytes that it has not
# flushed, and before anybody notices the second one, refused until now, reaches a new
# server.  That one can flush what it likes: it has not got those bytes.
build_volatile
image=$tmp/volatile.img
truncate -s 4M "$image"
start_server --filter=limit "$tmp/volatile.so" file="$image" limit=1
silent=$server
start_nbdmount -C 2 -o retry=forever "$uri" "$(new_dir mnt)"
rm "$sock"
ok "the second connection finds no server" wait_for says "server.sock: No such file"
put_block 7
freeze "$silent"
start_volatile
is_connected() { "$nbdmount" --status "$mnt" | grep -qE "^ +2 +$1"; }
ok "then it finds another one, and is given nothing to do" wait_for is_connected "waiting"
"$sparsefile" read "$mnt/nbd" 0 4096 >/dev/null &
reader=$!
in_flight() { "$nbdmount" --status "$mnt" | grep -qE "connected .* $1 in flight"; }
ok "nobody has noticed that the first one's server is silent" wait_for in_flight 2
dd if=/dev/null of="$mnt/nbd" bs=1 count=0 conv=notrunc,fsync status=none 2>"$tmp/sync.err" &
syncer=$!
ok "a program flushes" wait_for in_flight 3
kill -s KILL "$silent"
ok "that succeeds when it has come out" wait "$syncer"
ok "and the bytes are there" has_block 7
ok "the reader goes on" wait "$reader"
stop_nbdmount
is "the daemon ends well" "$status" 0

# A FLUSH that fails, and forgets what it was to take to the disk.  One program is told;
# the next fsync must not succeed because nothing was left to do.
stop "$server"
: >"$tmp/broken"
start_volatile broken="$tmp/broken"
start_nbdmount -o retry=forever "$uri" "$(new_dir mnt)"
put_block 9
sync_it
like "a FLUSH fails: so does fsync" "$err" "Input/output error"
sync_it
is "the next fsync succeeds" "$status$err" "0"
ok "and what the server had forgotten is on its disk" has_block 9
stop_nbdmount
# Without an fsync the daemon itself flushes, to make room.
start_nbdmount -o retry=forever,replay=1M "$uri" "$(new_dir mnt)"
: >"$tmp/broken"
put_block 10
dd if=/dev/urandom of="$tmp/much" bs=64k count=8 status=none
dd if="$tmp/much" of="$mnt/nbd" bs=64k seek=11 conv=notrunc oflag=direct status=none
ok "the daemon's own FLUSH fails" wait_for test ! -e "$tmp/broken"
sync_it
is "after that fsync succeeds" "$status$err" "0"
ok "for all of it was sent again" has_block 10
ok "and flushed" cmp -n 524288 -i 0:$((65536 * 11)) "$tmp/much" "$image"
put_block 20
: >"$tmp/broken"
stop_nbdmount
is "the last FLUSH fails: the daemon ends well all the same" "$status" 0
ok "because the next one did not" has_block 20

# Again two connections: the second one reaches the same server, only later.
stop "$server"
start_server --filter=limit "$tmp/volatile.so" file="$image" limit=2
start_nbdmount -C 1 "$uri" "$(new_dir other)"
other=$mnt other_pid=$nbdmount_pid
start_nbdmount -C 2 "$uri" "$(new_dir mnt)"
ok "the second connection is refused" wait_for says "no connection, trying on"
put_block 8
fusermount3 -u "$other"
wait_for is_gone "$other_pid"
ok "when it is taken, bytes being unflushed, it is used" wait_for is_connected "live"
like "and nothing was sent again" "$("$nbdmount" --status "$mnt")" " 0 lost"
sync_it
is "what was written is flushed" "$status$err" "0"
ok "and is there" has_block 8
stop_nbdmount
is "the daemon ends well" "$status" 0

for bad in retry=soon retry=-1 timeout=1x replay=1 replay=1T; do
    run "$nbdmount" -o "$bad" "$uri" "$tmp"
    is "-o $bad is refused" "$status" 1
    like "and named" "$err" "${bad%%=*}: '.*' is n"
done
done_testing
