# SPDX-License-Identifier: LGPL-2.1-or-later
# A network that goes away without a word, between two network namespaces of the test's
# own: TCP notices, also where nobody asks for anything, and nothing old is sent later.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program ip ss nsenter unshare tail dd cmp timeout
need_nbdkit file --filter=log
unshare --net true 2>/dev/null || skip_all "network namespaces are not allowed here"

WAIT_SECONDS=90 # three keepalives of ten seconds, and a slow machine
image=$tmp/image
dd if=/dev/urandom of="$image" bs=1M count=16 status=none

# Where programs are, and where the server is.
start here unshare --net tail -f /dev/null
here=$started_pid
start there unshare --net tail -f /dev/null
there=$started_pid
own=$(readlink /proc/self/ns/net)
is_apart() { [ "$(readlink "/proc/$1/ns/net")" != "$own" ]; }
wait_for is_apart "$here" && wait_for is_apart "$there" || bail_out "no namespaces"
in_ns() { nsenter --net="/proc/$1/ns/net" "${@:2}"; }
in_ns "$here" ip link add here type veth peer name there netns "$there" || bail_out "no veth"
in_ns "$here" ip address add 10.99.0.1/24 dev here
in_ns "$there" ip address add 10.99.0.2/24 dev there
in_ns "$here" ip link set here up
in_ns "$there" ip link set there up
# The server's side goes down: what is sent gets lost, and nobody says so.
cut_off() { in_ns "$there" ip link set there down; }
mend() { in_ns "$there" ip link set there up; }

printf '#!/bin/sh\nexec nsenter --net=/proc/%s/ns/net %s "$@"\n' "$here" "$nbdmount" >"$tmp/nbdmount"
chmod +x "$tmp/nbdmount"
nbdmount=$tmp/nbdmount
start nbdkit nsenter --net="/proc/$there/ns/net" nbdkit --foreground --exit-with-parent \
    --pidfile="$tmp/pid" --ipaddr 10.99.0.2 --port 10809 --filter=log file "$image" logfile="$tmp/log"
server=$started_pid
wait_while_alive "$started_pid" test -s "$tmp/pid" || bail_out "nbdkit does not start"
uri=nbd://10.99.0.2

start_nbdmount -C 1 "$uri" "$(new_dir idle)"
idle=$mnt idle_pid=$nbdmount_pid idle_log=$nbdmount_log
like "an idle connection is looked after by TCP" \
    "$(in_ns "$here" ss -Htno state established)" "timer:\(keepalive,(10sec|[0-9](\.[0-9]+)?sec|[0-9](\.[0-9]+)?ms|[0-9]+ms),"
start_nbdmount -C 1 -o timeout=1,retry=forever "$uri" "$(new_dir asked)"
asked=$mnt asked_pid=$nbdmount_pid asked_log=$nbdmount_log

cut_off
dd if="$asked/nbd" of="$tmp/got" bs=1M count=4 iflag=direct status=none 2>"$tmp/read.err" &
reader=$!
ok "timeout=1: a request without an answer ends the connection" \
    wait_for grep -q "connection lost: no answer in time" "$asked_log"
# Of that connection nothing may be left in the kernel, waiting to be sent.
left() { in_ns "$here" ss -Htna state fin-wait-1 state closing state last-ack && echo listed; }
is "and the kernel has nothing of it to send any more" "$(left)" listed
begin=$SECONDS
ok "without a request the connection is found dead too" \
    wait_for grep -q "connection lost" "$idle_log"
at_most "within 30 seconds and some" "$((SECONDS - begin))" 50
mend
wait "$reader"
is "when the network is back the reader goes on" "$? $(cat "$tmp/read.err")" "0 "
ok "with the right bytes" cmp -n 4194304 "$tmp/got" "$image"
ok "and the other mount works" cmp "$idle/nbd" "$image"
mnt=$idle nbdmount_pid=$idle_pid
stop_nbdmount
is "the daemon ends well" "$status" 0
mnt=$asked nbdmount_pid=$asked_pid
stop_nbdmount
is "so does the other" "$status" 0

# A write that is on its way when the network goes is done once, and not again later.
start_nbdmount -C 1 -o timeout=1 "$uri" "$(new_dir mnt)"
dd if=/dev/urandom of="$tmp/new" bs=1M count=8 status=none
cut_off
dd if="$tmp/new" of="$mnt/nbd" bs=1M count=8 conv=notrunc,fsync status=none 2>"$tmp/write.err" &
writer=$!
ok "a writer's connection ends too" wait_for grep -q "connection lost: no answer in time" "$nbdmount_log"
is "and nothing of it is left to be sent" "$(left)" listed
mend
wait "$writer"
is "the writer goes on" "$? $(cat "$tmp/write.err")" "0 "
ok "and all of it is there" cmp -n 8388608 "$tmp/new" "$image"
stop_nbdmount
is "the daemon ends well" "$status" 0
stop "$server" KILL # it may have connections that it does not know to be dead
done_testing
