# SPDX-License-Identifier: LGPL-2.1-or-later
# What is read ahead, for whom, and that nobody ever sees an old byte because of it.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_nbdkit memory pattern file sparse-random --filter=delay --filter=error --filter=stats \
    --filter=noextents
readahead=$abs_top_builddir/tests/fuse/readahead
need_program "$readahead"

# served WHAT: of the last nbdkit with --filter=stats, after it has ended: how many reads
# reached it, or how many bytes of them.
served() {
    stop "$nbdkit_pid"
    awk -v what="$1" '/^read: / {
        if (what == "reads") { print $2; exit }
        for (i = 1; i < NF; i++)
            if ($(i + 1) ~ /^(bytes|KiB|MiB|GiB|TiB)/) {
                unit = $(i + 1); sub(/[,;].*/, "", unit)
                factor["bytes"] = 1 / 1048576; factor["KiB"] = 1 / 1024; factor["MiB"] = 1
                factor["GiB"] = 1024; factor["TiB"] = 1048576
                printf "%d\n", $i * factor[unit]; exit
            } }' "$tmp/stats" | grep . || echo 0
}

start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
nbdcopy "$uri" "$tmp/right" 2>/dev/null || qemu-img convert -f raw -O raw "$uri" "$tmp/right"
stop "$nbdkit_pid"

start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
start_nbdmount "$uri" "$(new_dir mnt)"
ok "what was read ahead is what is there" cmp "$tmp/right" "$mnt/nbd"
stop_nbdmount
is "and the daemon ends well" "$status" 0
at_most "64 MiB come in few requests" "$(served reads)" 160

start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
start_nbdmount -o readahead=0 "$uri" "$(new_dir mnt)"
ok "without read-ahead the same bytes are there" cmp "$tmp/right" "$mnt/nbd"
stop_nbdmount
at_least "in the kernel's smaller ones" "$(served reads)" 300

for value in "" x -1 1X 1MM 99999999999999999999 2000G; do
    run "$nbdmount" -o "readahead=$value" "$uri" "$(new_dir mnt)"
    like "readahead=$value is refused" "$status $err" "^1 .*readahead"
done

# A random reader of one block here and one there.
start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
start_nbdmount "$uri" "$(new_dir mnt)"
ok "random reads" dd if="$mnt/nbd" of="$tmp/random" bs=4k count=1 skip=777 iflag=direct
for ((i = 0; i < 64; i++)); do
    dd if="$mnt/nbd" bs=4k count=1 skip=$((i * 7919 % 16384)) status=none
done >/dev/null
stop_nbdmount
at_most "a random reader makes the server read no more than the kernel asks for" \
    "$(served bytes)" 17

# Where others may write to the export, O_DIRECT gets what the server has at that time.
read_8_direct() { # OPTIONS
    start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
    start_nbdmount -o "$1" "$uri" "$(new_dir mnt)"
    dd if="$mnt/nbd" of=/dev/null bs=1M count=8 iflag=direct status=none
    stop_nbdmount
}
for cache in open none; do
    read_8_direct "cache=$cache"
    is "nothing is read ahead of O_DIRECT, cache=$cache" "$(served bytes)" 8
done
for cache in always writeback readahead; do
    read_8_direct "cache=$cache"
    at_least "O_DIRECT is read ahead, cache=$cache" "$(served bytes)" 9
done

# With nothing but read-ahead, nothing stays.
start_nbdkit --filter=stats --filter=noextents pattern 64M statsfile="$tmp/stats"
start_nbdmount -o cache=readahead "$uri" "$(new_dir mnt)"
ok "cache=readahead: the bytes are right" cmp "$tmp/right" "$mnt/nbd"
ok "also in pieces that fit nothing" cmp "$tmp/right" <(dd if="$mnt/nbd" bs=1000003 status=none)
ok "also two MiB at a time" cmp "$tmp/right" <(dd if="$mnt/nbd" bs=2M status=none)
at_least "programs are told to read large pieces" "$(stat -c %o "$mnt/nbd")" 131072
stop_nbdmount
is "the daemon ends well" "$status" 0
bytes=$(served bytes)
at_least "each reader makes the server read anew" "$bytes" $((3 * 64))
at_most "and nearly nothing twice" "$bytes" $((3 * 64 + 16))

# Holes that the server tells of are not fetched.
start_nbdkit --filter=stats --filter=delay memory 4G statsfile="$tmp/stats" rdelay=5ms
start_nbdmount "$uri" "$(new_dir mnt)"
is "4 GiB of hole" "$(head -c 4G "$mnt/nbd" | tr -d '\000' | wc -c)" 0
stop_nbdmount
at_most "are hardly asked for" "$(served bytes)" 256

# A copy seeks from data to data: what comes after the hole is fetched meanwhile.
"$abs_top_builddir/tests/fuse/sparsefile" make "$tmp/pieces" 1G 32M 32 1
start_nbdkit --filter=stats file "$tmp/pieces" statsfile="$tmp/stats"
start_nbdmount "$uri" "$(new_dir mnt)"
ok "a sparse disk is copied" cp --sparse=always "$mnt/nbd" "$tmp/copy"
ok "as it is" cmp "$tmp/pieces" "$tmp/copy"
stop_nbdmount
at_most "none of its data is fetched twice, nor a hole" "$(served bytes)" 33
at_most "in few requests" "$(served reads)" 150
rm -f "$tmp/pieces" "$tmp/copy"

# Data and holes in small pieces, at odd places.
start_nbdkit sparse-random 256M seed=7 percent=30 runlength=102400
nbdcopy "$uri" "$tmp/sparse" 2>/dev/null || qemu-img convert -f raw -O raw "$uri" "$tmp/sparse"
start_nbdmount -o readahead=8M "$uri" "$(new_dir mnt)"
ok "a patchwork of data and holes" cmp "$tmp/sparse" "$mnt/nbd"
stop_nbdmount
rm -f "$tmp/sparse"

# A server with a bad place: who reads there gets the error, and nobody else.
start_nbdkit --filter=error --filter=noextents pattern 64M \
    error-pread=EIO error-pread-rate=100% error-pread-file="$tmp/bad"
start_nbdmount "$uri" "$(new_dir mnt)"
exec {fd}<"$mnt/nbd"
head -c 8M <&"$fd" >/dev/null
touch "$tmp/bad"
run timeout 60 dd if="$mnt/nbd" of=/dev/null bs=1M skip=32 status=none
isnt "a read fails while the server fails" "$status" 0
rm "$tmp/bad"
ok "and works again afterwards" cmp "$tmp/right" "$mnt/nbd"
is "also for the reader who had read before" "$(md5sum <&"$fd")" \
    "$(tail -c +$((8 * 1048576 + 1)) "$tmp/right" | md5sum)"
exec {fd}<&-
stop_nbdmount
is "the daemon ends well after errors" "$status" 0

# The end of the mount in the middle of reading.
start_nbdkit --filter=delay --filter=noextents pattern 64M rdelay=20ms
start_nbdmount "$uri" "$(new_dir mnt)"
exec {fd}<"$mnt/nbd"
head -c 4M <&"$fd" >/dev/null
exec {fd}<&-
stop_nbdmount
is "a daemon that had read ahead ends well" "$status" 0

for options in readahead=32M readahead=512K readahead=0 cache=readahead; do
    start_nbdkit --filter=delay memory 32M rdelay=2ms wdelay=4ms
    start_nbdmount -o "$options" "$uri" "$(new_dir mnt)"
    ok "no old byte among readers and writers, $options" \
        timeout 100 "$readahead" "$mnt/nbd" 2 4
    stop_nbdmount
    is "and the daemon ends well" "$status" 0
    stop "$nbdkit_pid"
done
done_testing
