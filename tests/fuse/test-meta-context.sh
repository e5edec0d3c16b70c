# SPDX-License-Identifier: LGPL-2.1-or-later
# meta-context=: a bitmap of qemu's decides what is data; incremental backups.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program qemu-nbd qemu-img qemu-io python3

# A disk that was full, a copy of it, then a bitmap, then changes: one of data, one of zeros.
qemu-img create -q -f qcow2 "$tmp/disk.qcow2" 4M
qemu-io -f qcow2 -c 'write -q -P 0x11 0 4M' "$tmp/disk.qcow2"
qemu-img convert -O raw "$tmp/disk.qcow2" "$tmp/full.img"
qemu-img bitmap --add "$tmp/disk.qcow2" since
qemu-io -f qcow2 -c 'write -q -P 0x22 1M 64k' -c 'write -q -z 2M 128k' "$tmp/disk.qcow2"
start_qemu_nbd -r -f qcow2 --bitmap=since "$tmp/disk.qcow2"
mnt=$(new_dir mnt)

run "$nbdmount" -o meta-context=qemu:dirty-bitmap:other "$uri" "$mnt"
isnt "a bitmap that is not there is refused" "$status" 0
like "and named" "$err" "qemu:dirty-bitmap:other"

start_nbdmount -o meta-context=qemu:dirty-bitmap:since "$uri" "$mnt"
is "the first change is data" "$(python3 -c '
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
pos, got = 0, []
while True:
    try: start = os.lseek(f, pos, os.SEEK_DATA)
    except OSError: break
    pos = os.lseek(f, start, os.SEEK_HOLE)
    got.append("%d+%d" % (start >> 10, (pos - start) >> 10))
print(*got)' "$mnt/nbd")" "1024+64 2048+128"
qemu-img convert -O raw "$tmp/disk.qcow2" "$tmp/now.img"
ok "reads give the whole disk" cmp "$mnt/nbd" "$tmp/now.img"
ok "cp copies the changes" cp --sparse=auto "$mnt/nbd" "$tmp/changes.img"
# An old cp leaves out what has become zeros.
like "and nothing else" "$(du -k "$tmp/changes.img" | cut -f1)" '^(64|192)$'
is "not the rest of the disk" "$(od -An -tx1 -N1 "$tmp/changes.img" | tr -d ' ')" 00

ok "tar -S takes the zeros too" tar -C "$mnt" -cSf "$tmp/changes.tar" nbd
rm "$tmp/changes.img"
tar -C "$tmp" -xf "$tmp/changes.tar" && mv "$tmp/nbd" "$tmp/changes.img"
is "and nothing else" "$(du -k "$tmp/changes.img" | cut -f1)" 192

# Put onto the full copy they make the disk as it is now: where there is data, it counts.
python3 -c '
import os, sys
f, t = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_WRONLY)
pos = 0
while True:
    try: start = os.lseek(f, pos, os.SEEK_DATA)
    except OSError: break
    pos = os.lseek(f, start, os.SEEK_HOLE)
    os.pwrite(t, os.pread(f, pos - start, start), start)' "$tmp/changes.img" "$tmp/full.img"
ok "changes and full copy together are the disk" cmp "$tmp/full.img" "$tmp/now.img"
stop_nbdmount

start_nbdmount "$uri" "$(new_dir mnt)"
cp "$mnt/nbd" "$tmp/copy"
is "without it the zeros are a hole" "$(stat -c %b "$mnt/nbd")" $(((4096 - 128) * 2))
stop_nbdmount

# Two images behind it, which are full.
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 "$tmp/middle.qcow2"
qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 "$tmp/top.qcow2"
qemu-io -f qcow2 -c 'write -q -P 0x33 0 64k' "$tmp/middle.qcow2"
qemu-io -f qcow2 -c 'write -q -P 0x44 3M 192k' "$tmp/top.qcow2"
start_qemu_nbd -r -f qcow2 --allocation-depth "$tmp/top.qcow2"
start_nbdmount -o meta-context=qemu:allocation-depth "$uri" "$(new_dir mnt)"
ok "qemu:allocation-depth: cp copies" cp --sparse=auto "$mnt/nbd" "$tmp/layer.img"
is "what is in the image itself, and not what is behind it" "$(stat -c %b "$mnt/nbd")" 384
is "at its place" "$(tr -d '\000' <"$tmp/layer.img" | wc -c) $(dd if="$tmp/layer.img" bs=1M skip=3 count=1 status=none | head -c 196608 | tr -d D | wc -c)" "196608 0"
stop_nbdmount
done_testing
