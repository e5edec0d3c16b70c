# SPDX-License-Identifier: LGPL-2.1-or-later
# A file system inside of an export: checked, read and written through the mount.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
PATH=$PATH:/usr/sbin:/sbin
need_program fsck.ext4 mkfs.ext4 debugfs
need_nbdkit linuxdisk memory --filter=partition

mkdir "$tmp/tree"
seq 1 200000 >"$tmp/tree/numbers"
mkdir "$tmp/tree/folder"
printf 'hello\n' >"$tmp/tree/folder/hello"

start_nbdkit --filter=partition linuxdisk "$tmp/tree" partition=1
start_nbdmount -r "$uri" "$(new_dir mnt)"
# fsck -n on a read-only file: 0 means clean
ok "fsck.ext4 -fn on a mounted linuxdisk is clean" fsck.ext4 -fn "$mnt/nbd"
run debugfs -R "cat /folder/hello" "$mnt/nbd"
is "a file in it reads right" "$out" "hello"
debugfs -R "dump /numbers $tmp/numbers" "$mnt/nbd" 2>/dev/null
ok "a larger one too" cmp "$tmp/tree/numbers" "$tmp/numbers"
stop_nbdmount

start_nbdkit linuxdisk "$tmp/tree"
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "the whole disk begins with a protective MBR" \
    "$(od -An -tx1 -j510 -N2 "$mnt/nbd" | tr -d ' ')" 55aa
is "and a GPT" "$(dd if="$mnt/nbd" bs=1 skip=512 count=8 status=none)" "EFI PART"
stop_nbdmount

start_nbdkit memory 64M
start_nbdmount "$uri" "$(new_dir mnt)"
ok "mkfs.ext4 makes a file system on the mount" mkfs.ext4 -q -F "$mnt/nbd"
ok "debugfs writes into it" debugfs -w -R "write $tmp/tree/numbers numbers" "$mnt/nbd"
ok "fsck.ext4 finds it clean" fsck.ext4 -fn "$mnt/nbd"
stop_nbdmount
is "the daemon ends well" "$status" 0
start_nbdmount "$uri" "$(new_dir mnt)"
ok "and clean still after a new mount" fsck.ext4 -fn "$mnt/nbd"
debugfs -R "dump /numbers $tmp/numbers2" "$mnt/nbd" 2>/dev/null
ok "with the file in it" cmp "$tmp/tree/numbers" "$tmp/numbers2"
stop_nbdmount
done_testing
