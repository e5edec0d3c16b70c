# SPDX-License-Identifier: LGPL-2.1-or-later
# A mount begins when it works and ends in good order, whichever way it is asked to.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program fusermount3 umount dd
need_nbdkit memory --filter=log --filter=exitlast

log=$tmp/requests.log
: >"$log"
start_nbdkit --filter=log memory 8M logfile="$log" logappend=true

# dirty_then_end NAME HOW...: data that was written but not synced reaches the server
# before the daemon ends.
dirty_then_end() {
    local name=$1
    shift
    : >"$log"
    start_nbdmount "$uri" "$(new_dir mnt)"
    dd if=/dev/urandom of="$mnt/nbd" bs=1M count=2 conv=notrunc status=none
    "$@"
    ok "$name: the daemon ends" wait_for is_gone "$nbdmount_pid"
    ok "$name: nothing is mounted" is_unmounted "$mnt"
    stop "$nbdmount_pid"
    is "$name: its status is 0" "$status" 0
    at_least "$name: the server was told to flush" "$(grep -c ' Flush id' "$log")" 1
    at_least "$name: and saw the client leave" "$(grep -cE 'Disconnect|Finalize|Close' "$log")" 1
}
signal() { kill -s "$1" "$nbdmount_pid"; }
unmount() { wait_for "$@" "$mnt"; }
dirty_then_end "SIGTERM" signal TERM
dirty_then_end "SIGINT" signal INT
dirty_then_end "SIGHUP" signal HUP
dirty_then_end "fusermount3 -u" unmount fusermount3 -u
dirty_then_end "umount" unmount umount

# In the background: it returns when the mount works, with nothing left of the terminal.
mnt=$(new_dir mnt)
run "$nbdmount" "$uri" "$mnt"
is "without -f it returns 0" "$status" 0
is "it says nothing" "$out$err" ""
ok "the mount works at once" test -s "$mnt/nbd"
ok "df shows where it comes from" bash -c "df '$mnt' | grep -qF '$sock'"
ok "fusermount3 -u ends it" fusermount3 -u "$mnt"
ok "and nothing is mounted" is_unmounted "$mnt"

# In the place of a file.
: >"$tmp/disk"
start_nbdmount "$uri" "$tmp/disk"
is "a regular file as mountpoint: it is the export" "$(stat -c %s "$tmp/disk")" 8388608
ok "it can be read" dd if="$tmp/disk" of=/dev/null bs=1M status=none
stop_nbdmount
is "and is what it was afterwards" "$(stat -c %s "$tmp/disk")" 0

start_nbdmount --filename=boot.img "$uri" "$(new_dir mnt)"
is "--filename names the file" "$(ls "$mnt")" boot.img
stop_nbdmount
start_nbdmount "nbd+unix:///some-export?socket=$sock" "$(new_dir mnt)"
is "the file has the export's name" "$(ls "$mnt")" some-export
is "a file that is not there is not there" \
    "$(cat "$mnt/other" 2>&1 | grep -c 'No such file')" 1
for attempt in "touch $mnt/new" "mkdir $mnt/new" "mkfifo $mnt/new" "ln -s x $mnt/new" \
    "rm -f $mnt/some-export" "mv $mnt/some-export $mnt/new"; do
    run $attempt
    like "nothing can be made in it or taken away: ${attempt%% *} says so" "$status $err" \
        "^1 .*: Operation not permitted"
done
stop_nbdmount

# Readers at work while it is unmounted lazily.
start_nbdmount "$uri" "$(new_dir mnt)"
exec {held}<"$mnt/nbd"
nok "a busy mount is not unmounted" fusermount3 -u "$mnt"
exec {held}<&-
stop_nbdmount
is "the daemon ends well" "$status" 0

run "$nbdmount" -V
is "-V: status" "$status" 0
like "-V: name and version" "$out" "^nbdmount [0-9]"
run "$nbdmount" -h
is "-h: status" "$status" 0
like "-h: shows how to call it" "$out" "SOURCE MOUNTPOINT"
done_testing
