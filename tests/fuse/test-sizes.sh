# SPDX-License-Identifier: LGPL-2.1-or-later
# Sizes that are no multiple of anything, and very large ones.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_program head cmp dd
need_nbdkit memory pattern null file

sparsefile=$abs_top_builddir/tests/fuse/sparsefile

for size in 0 1 511 512 513 4095 4097 65537 1000003; do
    head -c "$size" /dev/urandom >"$tmp/odd"
    start_nbdkit file "$tmp/odd"
    start_nbdmount "$uri" "$(new_dir mnt)"
    is "$size bytes: the size is right" "$(stat -c %s "$mnt/nbd")" "$size"
    ok "$size bytes: they read to the last" cmp "$tmp/odd" "$mnt/nbd"
    is "$size bytes: a read at the end is empty" "$("$sparsefile" read "$mnt/nbd" "$size" 10)" 0
    if [ "$size" -gt 0 ]; then
        is "$size bytes: a read across the end is short" \
            "$("$sparsefile" read "$mnt/nbd" $((size - 1)) 100)" 1
        cp "$tmp/odd" "$tmp/want"
        printf Z | dd of="$tmp/want" bs=1 seek=$((size - 1)) conv=notrunc status=none
        printf Z | dd of="$mnt/nbd" bs=1 seek=$((size - 1)) conv=notrunc,fsync status=none
    fi
    run dd if=/dev/zero of="$mnt/nbd" bs=1 seek="$size" count=1 conv=notrunc
    like "$size bytes: a write behind the end says that there is no space" "$err" \
        "No space left on device"
    stop_nbdmount
    if [ "$size" -gt 0 ]; then
        ok "$size bytes: the last byte was written, and nothing else" cmp "$tmp/want" "$tmp/odd"
    fi
    stop "$nbdkit_pid"
done

# The pattern plugin's bytes tell their own offset.
start_nbdkit pattern 7E
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "7 EiB: the size" "$(stat -c %s "$mnt/nbd")" "$((7 * 1024 ** 6))"
offset=$((7 * 1024 ** 6 - 4096))
is "7 EiB: the last block tells its offset" \
    "$(dd if="$mnt/nbd" bs=4096 skip=$((offset / 4096)) count=1 status=none | od -An -tx1 -N8 |
        tr -d ' \n')" "$(printf '%016x' "$offset")"
is "7 EiB: reads end at the end" \
    "$("$sparsefile" read "$mnt/nbd" $((offset + 4000)) 4096)" 96
stop_nbdmount

start_nbdkit null size=$((2 ** 62 + (2 ** 62 - 1)))
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "2^63 - 1 bytes: the size" "$(stat -c %s "$mnt/nbd")" 9223372036854775807
is "2^63 - 1 bytes: the last byte reads" \
    "$("$sparsefile" read "$mnt/nbd" 9223372036854775806 1)" 1
stop_nbdmount
is "the daemon ends well" "$status" 0
done_testing
