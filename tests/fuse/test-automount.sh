# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounted when somebody looks, by an automounter: x-systemd.automount. tests/systemd has the same
# with systemd itself.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
need_nbdkit pattern
# No package brings that: it is part of the kernel, or is not.
grep -qw autofs /proc/filesystems || modprobe -q autofs4 || skip_all "the kernel has no autofs"

start_nbdkit pattern 4M
mnt=$(new_dir mnt)
start_nbdmount -o ro "$uri" "$mnt"
cat "$mnt/nbd" >"$tmp/wanted"
stop_nbdmount

daemon() { pgrep -nf "socket=$sock"; }
is_waiting() { grep -q waiting "$started_log"; }

# mounts NAME COMMAND...: COMMAND mounts $folder when somebody looks into it.
mounts() {
    local name=$1 pid automounter
    shift
    start automounter "$here/automounter" "$folder" "$@"
    automounter=$started_pid
    if ! wait_while_alive "$automounter" is_waiting; then
        fail "$name: autofs"
        diag_file "$started_log"
        return
    fi
    # In a group of its own, as everybody who is not the automounter's.
    run setsid timeout 20 cmp "$folder/nbd" "$tmp/wanted"
    is "$name: who looks finds the file" "$status $err" "0 "
    wait "$automounter"
    is "$name: it is mounted without a word" "$? $(grep -v waiting "$started_log")" "0 "
    pid=$(daemon)
    ok "$name: umount" umount "$folder"
    ok "$name: and the daemon ends" wait_for is_gone "$pid"
    ok "$name: what was there before is there" umount "$folder"
}

here=$abs_top_builddir/tests/fuse
folder=$(new_dir auto)
mounts "nbdmount" "$nbdmount" -o ro "$uri" "$folder"
mounts "mount -t nbd" mount -t nbd -o ro,_netdev,x-systemd.automount "$uri" "$folder"
chmod 666 "$sock"
chmod 755 "$folder"
mounts "setuid=" mount -t nbd -o ro,setuid=nobody,drop_privileges,allow_other "$uri" "$folder"

# Anything else that is mounted there is in the way as before, also above an automounter's.
start automounter "$here/automounter" "$folder" \
    sh -c 'mount -t tmpfs tmpfs "$1" && "$2" "$3" "$1"' sh "$folder" "$nbdmount" "$uri"
wait_while_alive "$started_pid" is_waiting
run setsid timeout 20 stat "$folder/nbd"
isnt "another mount above it: who looks finds nothing" "$status" 0
ok "and it is said" grep -q 'busy, something is mounted there' "$started_log"
umount "$folder"
umount "$folder"
done_testing
