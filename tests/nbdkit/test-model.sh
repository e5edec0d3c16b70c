#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-model.sh - random commands, many in flight, on servers of all kinds, each answer
# compared with a model in memory

. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_program nbdkit qemu-nbd qemu-img nbd-server
need_nbdkit memory file sparse-random --filter=delay --filter=noextents \
    --filter=blocksize-policy --filter=multi-conn --filter=log

model=$abs_top_builddir/tests/nbdkit/model

# A plain file for the servers that want one, with data and holes.
truncate -s 4M "$tmp/disk"
dd if=/dev/urandom of="$tmp/disk" bs=64K seek=3 count=9 conv=notrunc status=none
dd if=/dev/urandom of="$tmp/disk" bs=1 seek=4194000 count=304 conv=notrunc status=none

# ---- main loops, depths, ways of connecting

for loop in poll epoll nbd; do
    ok "nbdkit memory, main loop $loop" "$model" -l $loop -a nbdkit memory 4M
done
ok "nbdkit memory, one command at a time" "$model" -d 1 -n 500 -a nbdkit memory 1M
ok "nbdkit memory, 1000 commands in flight" "$model" -d 1000 -n 8000 -a nbdkit memory 8M
ok "nbdkit on stdin and stdout" "$model" -x nbdkit -s memory 4M
ok "an export of 3 x 512 + 1 bytes" "$model" -d 8 -n 300 -a nbdkit memory 1537
start_nbdkit memory 8M
ok "nbdkit memory through a URI" "$model" "$uri"
ok "four connections" "$model" -c 4 -l epoll "$uri"
ok "eight connections, each with its share of 1000 commands" "$model" -c 8 -d 1000 "$uri"

# ---- what the server can and cannot

ok "answers out of order, by random delays" \
    "$model" -n 400 -a nbdkit --filter=delay memory 4M rdelay=3ms wdelay=1ms
ok "answers one by one, by a server without parallel requests" \
    "$model" -n 1000 -a nbdkit --filter=noparallel memory 4M serialize=requests
ok "without structured replies" "$model" -u -a nbdkit --no-sr memory 4M
ok "without extents" "$model" -a nbdkit --filter=noextents memory 4M
# nbdkit 1.32 tells commands in the oldstyle handshake that it refuses afterwards.
ok "an oldstyle server" "$model" -u -w -a nbdkit -o memory 4M
ok "a newstyle server that is not fixed" "$model" -u -a nbdkit --mask-handshake=0 memory 4M
ok "a server that knows no NO_ZEROES" "$model" -a nbdkit --mask-handshake=1 memory 4M
ok "a read-only export" "$model" -a nbdkit -r file "$tmp/disk"
ok "a random sparse export" "$model" -a nbdkit -r sparse-random 8M seed=1
ok "a minimum block size of 512" "$model" -a nbdkit --filter=blocksize-policy memory 4M \
    blocksize-minimum=512 blocksize-preferred=4K blocksize-maximum=256K \
    blocksize-error-policy=error
ok "a minimum block size of 64 KiB" "$model" -a nbdkit --filter=blocksize-policy memory 4M \
    blocksize-minimum=64K blocksize-preferred=64K blocksize-maximum=1M \
    blocksize-error-policy=error
cp --sparse=always "$tmp/disk" "$tmp/copy"
ok "nbdkit file" "$model" -a nbdkit file "$tmp/copy"

# ---- other servers

cp --sparse=always "$tmp/disk" "$tmp/copy"
qemu-img convert -q -f raw -O qcow2 "$tmp/copy" "$tmp/one.qcow2"
cp "$tmp/one.qcow2" "$tmp/two.qcow2"
start_qemu_nbd --format=qcow2 --discard=unmap "$tmp/one.qcow2"
ok "qemu-nbd with qcow2, in whole clusters" "$model" -b 65536 "$uri"
ok "qemu-nbd with qcow2, reads and writes of any length" "$model" -w "$uri"
start_qemu_nbd --format=raw --discard=unmap "$tmp/copy"
ok "qemu-nbd with a raw file" "$model" "$uri"
start_qemu_nbd --format=qcow2 --read-only "$tmp/two.qcow2"
ok "qemu-nbd read-only, three connections" "$model" -c 3 "$uri"

printf '[generic]\nport = 0\n[one]\nexportname = %s\nflush = true\nfua = true\ntrim = true\n' \
    "$tmp/copy" >"$tmp/nbd-server.conf"
ok "nbd-server on stdin and stdout" \
    "$model" -u -e one -x nbd-server -d -C "$tmp/nbd-server.conf"

done_testing
