# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes, fsync, punched holes and zeroed ranges, and what of it reaches the server.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program fallocate dd cmp truncate
need_nbdkit memory file --filter=log --filter=nozero --filter=fua

log=$tmp/requests.log
# How many requests of this kind the server has seen begin.
requests() { grep -cE " $1 id=[0-9]+" "$log"; }
forget_requests() { : >"$log"; }

truncate -s 16M "$tmp/image"
truncate -s 16M "$tmp/model"
start_nbdkit --filter=log file "$tmp/image" logfile="$log" logappend=true
start_nbdmount "$uri" "$(new_dir mnt)"

# zero_model OFFSET LENGTH: fallocate --zero-range is not in every file system.
zero_model() {
    dd if=/dev/zero of="$tmp/model" bs="$2" count=1 seek="$1" oflag=seek_bytes conv=notrunc \
        status=none
}

# write_both OFFSET LENGTH SEED: the same random bytes into the mount and the model.
write_both() {
    head -c "$2" /dev/urandom >"$tmp/bytes"
    dd if="$tmp/bytes" of="$mnt/nbd" bs="$2" seek="$1" oflag=seek_bytes conv=notrunc status=none
    dd if="$tmp/bytes" of="$tmp/model" bs="$2" seek="$1" oflag=seek_bytes conv=notrunc status=none
}

write_both 0 4096
write_both 12345 54321
write_both $((16 * 1024 * 1024 - 777)) 777
write_both 5000000 3000000
ok "what was written reads back" cmp "$tmp/model" "$mnt/nbd"

forget_requests
dd if=/dev/urandom of="$tmp/bytes" bs=64k count=1 status=none
dd if="$tmp/bytes" of="$mnt/nbd" seek=10 bs=64k conv=notrunc,fsync status=none
dd if="$tmp/bytes" of="$tmp/model" seek=10 bs=64k conv=notrunc status=none
at_least "fsync is a FLUSH" "$(requests Flush)" 1
# No write is begun or answered after the FLUSH has begun.
is "which comes after the writes were answered" \
    "$(awk '/ Flush id=/ { flushing = 1 } / (\.\.\.)?Write id=/ && flushing { print }' "$log")" ""

forget_requests
ok "fallocate punches a hole" fallocate -p -o 5242880 -l 1048576 "$mnt/nbd"
zero_model 5242880 1048576
ok "and the range reads as zeros" cmp "$tmp/model" "$mnt/nbd"
at_least "by one request, not by writing zeros" "$(($(requests Zero) + $(requests Trim)))" 1
is "no data was sent for it" "$(requests Write)" 0
is "the hole is seen by lseek" \
    "$("$abs_top_builddir/tests/fuse/sparsefile" walk "$mnt/nbd" | grep -c '^hole 5242880 ')" 1

ok "fallocate zeroes a range" fallocate -z -n -o 100 -l 70000 "$mnt/nbd"
zero_model 100 70000
ok "unaligned ranges too, to the byte" cmp "$tmp/model" "$mnt/nbd"
nok "the file does not grow" fallocate -o 16777216 -l 4096 "$mnt/nbd"
is "its size stays" "$(stat -c %s "$mnt/nbd")" 16777216
nok "truncating it is refused" truncate -s 4096 "$mnt/nbd"
is "and nothing is lost by trying" "$(stat -c %s "$mnt/nbd")" 16777216
ok "the bytes are all there still" cmp "$tmp/model" "$mnt/nbd"

# A write into a hole is data at once.
write_both 5500000 10
ok "a write into the hole reads back" cmp "$tmp/model" "$mnt/nbd"
ok "a piece of data is found there by lseek" bash -c \
    "'$abs_top_builddir/tests/fuse/sparsefile' walk '$mnt/nbd' |
        awk '\$1 == \"data\" && \$2 <= 5500000 && \$2 + \$3 >= 5500010 { found = 1 } END { exit !found }'"
forget_requests
stop_nbdmount
is "the daemon ends well" "$status" 0
ok "the image on the server is the model" cmp "$tmp/model" "$tmp/image"

# A server without WRITE_ZEROES.
start_nbdkit --filter=nozero memory 1M zeromode=none
start_nbdmount "$uri" "$(new_dir mnt)"
head -c 1M /dev/urandom >"$tmp/model"
dd if="$tmp/model" of="$mnt/nbd" bs=1M conv=notrunc status=none
if fallocate -z -n -o 4096 -l 8192 "$mnt/nbd" 2>"$tmp/err"; then
    zero_model 4096 8192
    pass "without WRITE_ZEROES a range is zeroed all the same"
else
    like "without WRITE_ZEROES fallocate says so" "$(cat "$tmp/err")" "not supported|unsupported"
fi
ok "and the bytes are what was said" cmp "$tmp/model" "$mnt/nbd"
stop_nbdmount

# Read-only, by the option and by the server.
start_nbdkit memory 1M
start_nbdmount "$uri" "$(new_dir mnt)"
touch -d 1969-12-31T23:59:57.5Z "$mnt/nbd"
is "a time before 1970 is kept" "$(stat -c %.1Y "$mnt/nbd")" -2.5
touch -d 2500-01-01 "$mnt/nbd"
is "a time that has no room becomes the last one that has" "$(date -u -d "@$(stat -c %Y "$mnt/nbd")" +%Y)" 2262
stop_nbdmount
start_nbdmount -r "$uri" "$(new_dir mnt)"
run dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc
like "-r: the file cannot be written" "$err" "Read-only|Permission"
is "-r: its mode says so" "$(stat -c %A "$mnt/nbd" | tr -d 'r-')" ""
stop_nbdmount
start_nbdkit -r memory 1M
start_nbdmount "$uri" "$(new_dir mnt)"
run dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc
like "a read-only export cannot be written" "$err" "Read-only|Permission"
stop_nbdmount
is "the daemon ends well" "$status" 0
done_testing
