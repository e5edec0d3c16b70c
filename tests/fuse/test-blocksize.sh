# SPDX-License-Identifier: LGPL-2.1-or-later
# A server with block size constraints gets only requests that keep them.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd cmp
need_nbdkit memory --filter=blocksize-policy --filter=log

log=$tmp/requests.log
for minimum in 512 4096 65536; do
    : >"$log"
    # error-policy: a request that does not fit is refused with EINVAL. The log is below it.
    start_nbdkit --filter=blocksize-policy --filter=log memory 4M \
        blocksize-minimum="$minimum" blocksize-preferred=65536 blocksize-maximum=256k \
        blocksize-error-policy=error logfile="$log" logappend=true
    start_nbdmount "$uri" "$(new_dir mnt)"
    head -c 4M /dev/urandom >"$tmp/model"
    ok "$minimum: the whole disk is written" dd if="$tmp/model" of="$mnt/nbd" bs=1M \
        conv=notrunc,fsync status=none
    ok "$minimum: and read" cmp "$tmp/model" "$mnt/nbd"
    for place in 1:1 511:2 1000:5000 70000:333 131071:131074 4194303:1 4000000:194304; do
        offset=${place%:*} length=${place#*:}
        head -c "$length" /dev/urandom >"$tmp/bytes"
        ok "$minimum: $length bytes at $offset are written" dd if="$tmp/bytes" of="$mnt/nbd" \
            bs="$length" seek="$offset" oflag=seek_bytes conv=notrunc,fsync status=none
        dd if="$tmp/bytes" of="$tmp/model" bs="$length" seek="$offset" oflag=seek_bytes \
            conv=notrunc status=none
    done
    ok "$minimum: everything reads back" cmp "$tmp/model" "$mnt/nbd"
    ok "$minimum: direct reads too" dd if="$mnt/nbd" of="$tmp/copy" bs=512k iflag=direct status=none
    ok "$minimum: with the same bytes" cmp "$tmp/model" "$tmp/copy"
    is "$minimum: no request was longer than the maximum" \
        "$(sed -nE 's/.* (Read|Write) id=.* count=0x([0-9a-f]+).*/\2/p' "$log" |
            while read -r n; do [ $((16#$n)) -le $((256 * 1024)) ] || echo "$n"; done)" ""
    stop_nbdmount
    is "$minimum: the daemon ends well" "$status" 0
    stop "$nbdkit_pid"
done

# Many small writes into the same blocks from several processes at once.
start_nbdkit --filter=blocksize-policy memory 1M blocksize-minimum=4096 \
    blocksize-preferred=4096 blocksize-maximum=1M blocksize-error-policy=error
start_nbdmount "$uri" "$(new_dir mnt)"
head -c 64k /dev/urandom >"$tmp/model"
writers=()
for ((w = 0; w < 4; w++)); do
    (
        for ((i = w; i < 128; i += 4)); do
            dd if="$tmp/model" of="$mnt/nbd" bs=512 skip="$i" seek="$i" count=1 \
                conv=notrunc oflag=direct status=none
        done
    ) &
    writers+=($!)
done
wait "${writers[@]}"
dd if="$mnt/nbd" of="$tmp/copy" bs=64k count=1 iflag=direct status=none
ok "neighbours in one block do not lose each other's bytes" cmp "$tmp/model" "$tmp/copy"
stop_nbdmount
done_testing
