# SPDX-License-Identifier: LGPL-2.1-or-later
# nbdmount [ COMMAND ] MOUNTPOINT: a server of its own, which ends when the mount ends.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program cmp qemu-nbd qemu-img
need_nbdkit file memory

head -c 1M /dev/urandom >"$tmp/disk.img"
children() { pgrep -P "$1" || true; }

start_nbdmount [ nbdkit file "$tmp/disk.img" ] "$(new_dir mnt)"
ok "[ nbdkit file ]: the disk is there" cmp "$tmp/disk.img" "$mnt/nbd"
server=$(children "$nbdmount_pid")
isnt "the server is a child of the daemon" "$server" ""
stop_nbdmount
is "the daemon ends well" "$status" 0
ok "and the server with it" wait_for is_gone "$server"

mnt=$(new_dir mnt)
run "$nbdmount" [ nbdkit memory 1M ] "$mnt"
is "in the background too" "$status" 0
is "with the file in it" "$(stat -c %s "$mnt/nbd")" 1048576
fusermount3 -u "$mnt"

qemu-img convert -f raw -O qcow2 "$tmp/disk.img" "$tmp/disk.qcow2"
start_nbdmount [ qemu-nbd -f qcow2 "$tmp/disk.qcow2" ] "$(new_dir mnt)"
ok "[ qemu-nbd ]: a qcow2 as a raw file" cmp "$tmp/disk.img" "$mnt/nbd"
printf hello | dd of="$mnt/nbd" bs=5 seek=100 oflag=seek_bytes conv=notrunc status=none
stop_nbdmount
run qemu-io -r -f qcow2 -c 'read -v 100 5' "$tmp/disk.qcow2"
like "what was written is in the qcow2" "$out" "hello"

start_nbdmount -C 4 [ nbdkit memory 1M ] "$(new_dir mnt)"
server=$(children "$nbdmount_pid")
kill -s TERM "$nbdmount_pid"
ok "SIGTERM ends daemon" wait_for is_gone "$nbdmount_pid"
ok "and server" wait_for is_gone "$server"
stop "$nbdmount_pid"

mnt=$(new_dir mnt)
for mode in -f ''; do
    run timeout 20 "$nbdmount" $mode [ no-such-program-here ] "$mnt"
    isnt "a command that does not exist: status ${mode}" "$status" 0
    like "a command that does not exist is named ${mode}" "$err" "no-such-program-here"
    run timeout 20 "$nbdmount" $mode [ nbdkit file "$tmp/missing.img" ] "$mnt"
    isnt "a server that ends at once: status ${mode}" "$status" 0
    like "a server that ends at once is named ${mode}" "$err" "nbdkit"
    run timeout 20 "$nbdmount" $mode [ nbdkit memory 1M "$mnt"
    like "a bracket that is not closed ${mode}" "$err" "\]"
    run timeout 20 "$nbdmount" $mode [ ] "$mnt"
    isnt "an empty command ${mode}" "$status" 0
done
ok "nothing is mounted" is_unmounted "$mnt"
done_testing
