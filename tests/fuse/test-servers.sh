# SPDX-License-Identifier: LGPL-2.1-or-later
# Several servers of the same export: all are read from, one is written to; they are killed
# and stopped in turn under programs that read and write, and the bytes are right.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd cmp timeout jq
need_nbdkit file --filter=log --filter=delay

image=$tmp/image
declare -A server
# up NAME ARGS...: a server with that name; its requests are in $tmp/NAME.log.
up() {
    local name=$1
    shift
    rm -f "$tmp/$name.sock" "$tmp/$name.pid"
    start nbdkit nbdkit --foreground --exit-with-parent --pidfile="$tmp/$name.pid" \
        --unix="$tmp/$name.sock" --filter=log "$@" logfile="$tmp/$name.log"
    server[$name]=$started_pid
    wait_while_alive "$started_pid" test -s "$tmp/$name.pid" || bail_out "nbdkit does not start"
}
down() { # NAME
    kill -s KILL "${server[$1]}" 2>/dev/null
    wait_for is_gone "${server[$1]}"
    wait "${server[$1]}" 2>/dev/null
}
uri_of() { echo "nbd+unix:///?socket=$tmp/$1.sock"; }
a=$(uri_of a) b=$(uri_of b) c=$(uri_of c)
says() { grep -qF -- "$1" "$nbdmount_log"; }
# times N TEXT: the log has it so often
has_said() { [ "$(grep -cF -- "$2" "$nbdmount_log")" -ge "$1" ]; }
asked() { grep -c " $2 " "$tmp/$1.log"; } # NAME REQUEST
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
# The servers' states, as --status tells them.
states() { "$nbdmount" --status --json "$mnt" | jq -r '[.exports[0].servers[].state] | join(" ")'; }
states_are() { [ "$(states)" = "$1" ]; }
ends_well() {
    stop_nbdmount
    is "the daemon ends well" "$status" 0
}

dd if=/dev/urandom of="$image" bs=1M count=32 status=none

# ---- reading from all

up a file "$image"
up b file "$image"
start_nbdmount -r -o timeout=1 "$a|$b" "$(new_dir mnt)"
ok "two servers, read-only: the bytes are right" cmp "$mnt/nbd" "$image"
at_least "the first was read from" "$(asked a Read)" 4
at_least "and the second" "$(asked b Read)" 4
# Direct reads over and over, each compared, until there is a file that says stop.
read_on() {
    local n=0
    until [ -e "$tmp/stop" ]; do
        dd if="$mnt/nbd" bs=256k iflag=direct status=none | cmp - "$image" || return 1
        n=$((n + 1))
        echo "$n" >"$tmp/rounds"
    done
}
reading() {
    rm -f "$tmp/stop"
    echo 0 >"$tmp/rounds"
    read_on >"$tmp/read.err" 2>&1 &
    reader=$!
    wait_for rounds_above 0
}
rounds_above() { [ "$(cat "$tmp/rounds")" -gt "$1" ]; }
more_rounds() { wait_for rounds_above $(($(cat "$tmp/rounds") + 1)); }
read_well() { # NAME
    : >"$tmp/stop"
    wait "$reader"
    is "$1" "$? $(cat "$tmp/read.err")" "0 "
}
reading
is "--status: both are used" "$(states)" "active active"
down a
ok "a server is killed: reads go on" more_rounds
ok "--status: it is away" wait_for states_are "away active"
up a file "$image"
ok "it joins again when it is back" wait_for says "$a: connected again"
down b
ok "then the other one is killed: reads go on" more_rounds
up b file "$image"
ok "that joins again too" wait_for says "$b: connected again"
freeze "${server[a]}"
begin=$(milliseconds)
ok "a server is stopped: reads go on after the timeout" more_rounds
at_most "and not much later" "$(($(milliseconds) - begin))" 8000
thaw "${server[a]}"
# nbdkit 1.32 may abort when who asked it is gone (tests/nbdkit/README.md), also before we
# are back: then it is started anew.
joined_or_gone() { has_said 2 "$a: connected again" || is_gone "${server[a]}"; }
wait_for joined_or_gone
! is_gone "${server[a]}" || up a file "$image"
ok "it joins again when it goes on" wait_for has_said 2 "$a: connected again"
read_well "all that was read was right"

down a
down b
dd if="$mnt/nbd" of="$tmp/got" bs=1M skip=7 count=1 iflag=direct status=none 2>"$tmp/read.err" &
reader=$!
up b file "$image"
wait "$reader"
is "all were gone: a reader waits for one of them" "$? $(cat "$tmp/read.err")" "0 "
ok "and gets the right bytes" cmp -i 0:7340032 -n 1048576 "$tmp/got" "$image"
truncate -s 33M "$tmp/larger"
up a file "$tmp/larger"
ok "a server with another size is left out" wait_for says "$a: this is not what was mounted"
ok "and the log says what is wrong" says "size was 33554432 and is 34603008 now"
ok "--status tells it, too" wait_for states_are "other active"
like "also to people" "$("$nbdmount" --status "$mnt")" "servers +2.*1 +other; .*2 +active; "
ok "the file keeps its size" test "$(stat -c %s "$mnt/nbd")" -eq 33554432
ok "the other one is read from" cmp "$mnt/nbd" "$image"
ends_well
down a
down b

# ---- at the mount

up b file "$image"
start_nbdmount -r --also "$b" "$a" "$(new_dir mnt)"
ok "one is down at the mount: the others are used" cmp "$mnt/nbd" "$image"
ok "and the log names it" says "cannot be reached: $a: "
up a file "$image"
ok "it joins when it comes" wait_for says "$a: connected again"
ends_well
down a
run timeout 30 "$nbdmount" -f -o "also=$c" "$a" "$(new_dir mnt)"
is "none is up: no mount" "$status" 1
ok "and each is named" grep -qF "; $c: " "$tmp/.err"
ok "with what happened there" grep -qF "cannot connect to $a|$c: $a: " "$tmp/.err"
up a file "$tmp/larger"
run timeout 30 "$nbdmount" -f -r "$b|$a" "$(new_dir mnt)"
is "servers with different sizes: no mount" "$status" 1
ok "and it says which" grep -qF "$b and $a are different: " "$tmp/.err"
like "and why" "$err" "size was 33554432 and is 34603008"
down a
up a -r file "$image"
run timeout 30 "$nbdmount" -f "$b|$a" "$(new_dir mnt)"
like "one is read-only, and it is to be written: no mount" "$err" "are different: .*read-only"
start_nbdmount -r "$b|$a" "$(new_dir mnt)"
ok "only to be read: that makes no difference" cmp "$mnt/nbd" "$image"
ends_well
run "$nbdmount" -f "$b|" "$(new_dir mnt)"
like "an empty URI is refused" "$err" "empty URI"
run "$nbdmount" -f --all "$b|$a" "$(new_dir mnt)"
like "all exports of several servers are refused" "$err" "all works with one server only"
run "$nbdmount" -f --also "$b" [ nbdkit null ] "$(new_dir mnt)"
like "a command beside another server is refused" "$err" "exclude each other"
down a
down b

# ---- writing to one

cp "$image" "$tmp/want"
dd if=/dev/urandom of="$tmp/new" bs=1M count=8 status=none
rm -f "$tmp/a.log" "$tmp/b.log"
up a --filter=delay file "$image" wdelay=5ms
up b --filter=delay file "$image" wdelay=5ms
start_nbdmount -o timeout=1,fence=1 "$a|$b" "$(new_dir mnt)"
ok "two servers, to be written: the bytes are right" cmp "$mnt/nbd" "$image"
is "the second is not read from" "$(asked b Read)" 0
# writing OFFSET-IN-MIB: 8 MiB, and what is wanted then
writing() {
    dd if="$tmp/new" of="$mnt/nbd" bs=64k seek=$(($1 * 16)) conv=notrunc,fsync oflag=direct \
        status=none 2>"$tmp/write.err" &
    writer=$!
    dd if="$tmp/new" of="$tmp/want" bs=1M seek="$1" conv=notrunc status=none
}
written_to() { [ "$(asked "$1" Write)" -gt "$2" ]; }
wrote_well() { # NAME
    wait "$writer"
    is "$1" "$? $(cat "$tmp/write.err")" "0 "
}
writing 0
wait_for written_to a 20
is "and not written to" "$(asked b Write)" 0
down a
wrote_well "the active server is killed: the writer goes on"
is "--status: the next one is active" "$(states)" "standby active"
ok "the log says who is active now" says "$b: is the active server now, in place of $a"
ok "all of it has arrived" cmp "$image" "$tmp/want"
up a --filter=delay file "$image" wdelay=5ms
before=$(asked a Write)
writing 10
wait_for written_to b $(($(asked b Write) + 20))
is "a server that is back is not written to while another is active" "$(asked a Write)" "$before"
down b
wrote_well "then that one is killed: the writer goes on"
ok "the first is active again" says "$a: is the active server now, in place of $b"
ok "all of it has arrived" cmp "$image" "$tmp/want"
up b --filter=delay file "$image" wdelay=5ms
dd if="$tmp/new" of="$mnt/nbd" bs=1M seek=20 conv=notrunc status=none
dd if="$tmp/new" of="$tmp/want" bs=1M seek=20 conv=notrunc status=none
before=$(asked b Write)
down a
ok "what was not flushed is written again, through the next one" wait_for written_to b "$before"
ok "all of it is there" cmp "$image" "$tmp/want"
up a --filter=delay file "$image" wdelay=5ms
down b
ok "the first again" wait_for has_said 2 "$a: is the active server now"
up b --filter=delay file "$image" wdelay=5ms
writing 24
wait_for written_to a $(($(asked a Write) + 20))
freeze "${server[a]}"
wrote_well "the active server is stopped: the writer goes on"
ok "all of it has arrived" cmp "$image" "$tmp/want"
thaw "${server[a]}"
ends_well
ok "also after the old server has gone on" cmp "$image" "$tmp/want"
down a
down b

# ---- what a stopped server may still do

up a file "$image"
up b file "$image"
start_nbdmount -o timeout=1,fence=3 "$a|$b" "$(new_dir mnt)"
block() { head -c 4096 /dev/zero | tr '\0' "$1"; }
block 1 >"$tmp/one"
block 2 >"$tmp/two"
freeze "${server[a]}"
# put FILE BLOCK
put() { timeout 60 dd if="$1" of="$mnt/nbd" bs=4096 seek="$2" conv=notrunc oflag=direct status=none; }
put "$tmp/one" 5 &
first=$!
ok "the active server keeps silent: another takes its place" \
    wait_for says "$b: is the active server now"
put "$tmp/two" 5 &
second=$!
ok "reads go on at once" timeout 4 cmp -n 4096 -i 409600 "$mnt/nbd" "$image"
ok "what the silent one may still do waits" is_alive "$first"
ok "and so does what comes after it at the same place" is_alive "$second"
thaw "${server[a]}"
has_one() { cmp -n 4096 -i 0:20480 "$tmp/one" "$image"; }
ok "the old server does it late" wait_for has_one
wait "$first" && wait "$second"
is "both end well" $? 0
ok "the later one is what is there" cmp -n 4096 -i 0:20480 "$tmp/two" "$image"
ends_well
done_testing
