# SPDX-License-Identifier: LGPL-2.1-or-later
# What a service manager is told, what SIGHUP means, and a dead mount that is cleared.
# tests/systemd does the same with a real systemd.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program perl fusermount3
need_nbdkit memory file

# listen NAME: what is sent to $tmp/NAME.sock is written to $heard, a line each.
listen() {
    heard=$tmp/$1.heard
    : >"$heard"
    start listen perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
        open my $out, ">>", $ARGV[1] or die $!; $out->autoflush(1);
        while (defined $s->recv(my $text, 65536)) { print $out "$text\n"; }' \
        "$tmp/$1.sock" "$heard"
    listener_pid=$started_pid
}
hears() { grep -qE "$1" "$heard"; }
count() { grep -cE "$1" "$heard" || true; }

start_nbdkit memory 8M
listen one
wait_for test -S "$tmp/one.sock"
export NOTIFY_SOCKET=$tmp/one.sock WATCHDOG_USEC=400000
mnt=$(new_dir mnt)
start nbdmount "$nbdmount" -f -C 2 "$uri" "$mnt"
nbdmount_pid=$started_pid nbdmount_log=$started_log
ok "READY=1 comes" wait_for hears '^READY=1$'
ok "and then the mount is there" is_mounted "$mnt"
is "with its file" "$(stat -c %s "$mnt/nbd")" 8388608
is "first it was connecting" "$(head -n 1 "$heard")" "STATUS=Connecting"
ok "the main process is named" hears "^MAINPID=$nbdmount_pid\$"
ok "STATUS= tells the connections" wait_for hears '^STATUS=2 of 2 connections to .*in flight'
dd if=/dev/zero of="$mnt/nbd" bs=1M count=3 conv=notrunc,fsync status=none
ok "and the traffic" wait_for hears '^STATUS=.* 3\.0 MiB written'
seen=$(count '^WATCHDOG=1')
more_alive() { [ "$(count '^WATCHDOG=1')" -ge $((seen + 3)) ]; }
ok "WATCHDOG=1 comes again and again" wait_for more_alive

kill -s HUP "$nbdmount_pid"
ok "SIGHUP: RELOADING=1 comes" wait_for hears '^RELOADING=1$'
ok "with the time" hears '^MONOTONIC_USEC=[0-9]+$'
ready_again() { [ "$(count '^READY=1$')" -eq 2 ]; }
ok "and READY=1 when it is done" wait_for ready_again
ok "the log says that it worked" wait_for grep -q 'reloaded: new connections' "$nbdmount_log"
ok "the mount is still there" is_mounted "$mnt"

stop "$nbdkit_pid" KILL 2>/dev/null
kill -s HUP "$nbdmount_pid"
ok "a reload without a server says so" \
    wait_for grep -q 'reloaded: no new connection' "$nbdmount_log"
ready_thrice() { [ "$(count '^READY=1$')" -eq 3 ]; }
ok "and ends" wait_for ready_thrice
kill -s TERM "$nbdmount_pid"
ok "STOPPING=1 comes" wait_for hears '^STOPPING=1$'
ok "and the daemon ends" wait_for is_gone "$nbdmount_pid"
stop "$nbdmount_pid"
stop "$listener_pid"

# An abstract socket; a server of its own does not hear of it; no watchdog for others.
heard=$tmp/two.heard
start listen perl -MSocket -e '
    socket my $s, PF_UNIX, SOCK_DGRAM, 0 or die; bind $s, pack_sockaddr_un("\0$ARGV[0]") or die $!;
    open my $out, ">>", $ARGV[1] or die $!; select $out; $| = 1; print "bound\n";
    while (defined recv $s, my $text, 65536, 0) { print "$text\n"; }' \
    "nbdmount-test-$$" "$heard"
wait_for hears '^bound$'
export NOTIFY_SOCKET=@nbdmount-test-$$ WATCHDOG_USEC=200000 WATCHDOG_PID=1
head -c 1M /dev/zero >"$tmp/disk.img"
start_nbdmount [ nbdkit file "$tmp/disk.img" ] "$(new_dir mnt)"
ok "an abstract socket hears READY=1" wait_for hears '^READY=1$'
ok "and how it goes" wait_for hears '^STATUS=1 of 1|^STATUS=[0-9] of [0-9]'
is "no WATCHDOG=1 where another process is to send it" "$(count WATCHDOG)" 0
server=$(pgrep -P "$nbdmount_pid")
is "a server of its own does not have the socket" \
    "$(tr '\0' '\n' <"/proc/$server/environ" | grep -cE '^(NOTIFY_SOCKET|WATCHDOG)')" 0
stop_nbdmount
is "it ends well" "$status" 0
unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID

NOTIFY_SOCKET=$tmp/nobody.sock start_nbdmount [ nbdkit memory 1M ] "$(new_dir mnt)"
ok "a socket that nobody listens on does no harm" test -s "$mnt/nbd"
stop_nbdmount

# SIGHUP without a service manager.
start_nbdmount [ nbdkit memory 1M ] "$(new_dir mnt)"
kill -s HUP "$nbdmount_pid"
ok "in the foreground SIGHUP is a terminal that goes away" wait_for is_gone "$nbdmount_pid"
ok "and the mount ends" is_unmounted "$mnt"
stop "$nbdmount_pid"
start_nbdkit --filter=log memory 1M logfile="$tmp/requests.log"
mnt=$(new_dir mnt)
run "$nbdmount" -C 1 "$uri" "$mnt"
daemon=$(pgrep -f -- "^[^ ]*nbdmount -C 1 .* $mnt\$")
connects() { [ "$(grep -c ' Connect ' "$tmp/requests.log")" -ge "$1" ]; }
wait_for connects 1
kill -s HUP "$daemon"
ok "in the background SIGHUP tries a new connection" wait_for connects 2
ok "and the mount stays" test -s "$mnt/nbd"
fusermount3 -u "$mnt"

# What a crash leaves.
start_nbdkit memory 1M
start_nbdmount "$uri" "$(new_dir mnt)"
kill -s KILL "$nbdmount_pid"
stop "$nbdmount_pid"
like "after a crash a dead mount is left" "$(stat "$mnt" 2>&1)" "not connected"
start_nbdmount "$uri" "$mnt" # it is mounted already, and dead
ok "it is taken away by the next start there" wait_for test -s "$mnt/nbd"
like "which says so" "$(cat "$nbdmount_log")" "took away a mount whose daemon was gone"
run "$nbdmount" --clean "$mnt"
is "--clean leaves a mount that works alone: status" "$status" 0
ok "and mount" test -s "$mnt/nbd"
kill -s KILL "$nbdmount_pid"
stop "$nbdmount_pid"
run "$nbdmount" --clean "$mnt/"
is "--clean takes a dead one away: status" "$status" 0
ok "and mount" is_unmounted "$mnt"
run "$nbdmount" --clean "$mnt"
is "--clean does nothing where there is none" "$status$out$err" 0
run "$nbdmount" --clean "$tmp/no-such-folder"
is "nor where there is no mountpoint" "$status" 0
run "$nbdmount" --clean "$uri" "$mnt"
like "--clean takes nothing but a mountpoint" "$err" "too many"
done_testing
