# SPDX-License-Identifier: LGPL-2.1-or-later
# The options of a mount: owner and mode, cache, truncating, discarding, export.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program jq nc taskset
need_nbdkit memory file eval --filter=log --filter=delay --filter=exportname

run "$nbdmount" --help
is "--help succeeds" "$status" 0
for word in --tls= --cache= --truncate= --meta-context= "The file:" "TLS:" allow_other _netdev; do
    like "--help has $word" "$out" "$word"
done
run "$nbdmount" --help -o io_uring
like "io_uring is there, or it is said what it needs" "$status $err" '^0 $|^1 .*io_uring.*liburing'
run "$nbdmount" --help
is "its lines fit a terminal" "$(awk 'length > 80' "$tmp/.out")" ""

head -c 1M /dev/urandom >"$tmp/disk.img"
start_nbdkit --filter=log file "$tmp/disk.img" logfile="$tmp/log"

start_nbdmount -o uid=1,gid=daemon,umask=022 "$uri" "$(new_dir mnt)"
is "uid=, gid= and umask=" "$(stat -c '%u %G %a' "$mnt/nbd")" "1 daemon 644"
is "the folder follows" "$(stat -c '%u %a' "$mnt")" "1 555"
stop_nbdmount
start_nbdmount --mode=640 -o ro "$uri" "$(new_dir mnt)"
is "what is read-only has no w" "$(stat -c %a "$mnt/nbd")" 440
stop_nbdmount

# truncate=zero: as cp does it.
head -c 300001 /dev/urandom >"$tmp/new"
start_nbdmount -o truncate=zero "$uri" "$(new_dir mnt)"
cat "$mnt/nbd" >/dev/null # what is in the kernel's cache is not to survive
ok "cp onto the file" cp "$tmp/new" "$mnt/nbd"
is "the size stays" "$(stat -c %s "$mnt/nbd")" 1048576
cp "$tmp/new" "$tmp/want" && truncate -s 1M "$tmp/want"
ok "behind what was written are zeros" cmp "$tmp/want" "$mnt/nbd"
ok "also on the server" cmp "$tmp/want" "$tmp/disk.img"
cat "$mnt/nbd" >/dev/null
ok "truncate(1) to some odd size" truncate -s 5001 "$mnt/nbd"
truncate -s 5001 "$tmp/want" && truncate -s 1M "$tmp/want"
ok "zeroes the rest" cmp "$tmp/want" "$mnt/nbd"
nok "it does not grow" truncate -s 2M "$mnt/nbd"
stop_nbdmount
start_nbdmount "$uri" "$(new_dir mnt)"
nok "without it, truncating is an error" truncate -s 5 "$mnt/nbd"
like "the log says what to do" "$(cat "$nbdmount_log")" "truncate=zero"
stop_nbdmount

# A server that cannot zero gets zeros.
start_nbdkit --filter=log eval get_size='echo 200000' can_write='exit 0' can_zero='echo none' \
    can_trim='exit 3' pread='dd if='"$tmp"'/plain skip=$4 count=$3 iflag=count_bytes,skip_bytes status=none' \
    pwrite='dd of='"$tmp"'/plain seek=$4 conv=notrunc oflag=seek_bytes status=none' logfile="$tmp/log2"
head -c 200000 /dev/urandom >"$tmp/plain"
start_nbdmount -o truncate=zero "$uri" "$(new_dir mnt)"
ok "truncating where the server cannot zero" truncate -s 100 "$mnt/nbd"
is "writes zeros" "$(tail -c +101 "$tmp/plain" | tr -d '\000' | wc -c)" 0
isnt "and nothing before them" "$(head -c 100 "$tmp/plain" | tr -d '\000' | wc -c)" 0
stop_nbdmount

# discard=
for how in zero trim none; do
    start_nbdkit --filter=log memory 1M logfile="$tmp/log.$how"
    start_nbdmount -o "discard=$how" "$uri" "$(new_dir mnt)"
    run fallocate -p -o 4096 -l 8192 "$mnt/nbd"
    case $how in
    none) isnt "discard=none: no holes are punched" "$status" 0 ;;
    *) is "discard=$how: a hole is punched" "$status" 0 ;;
    esac
    stop_nbdmount
    case $how in
    none) is "and nothing is sent" "$(grep -cE 'Zero|Trim' "$tmp/log.$how")" 0 ;;
    zero) like "by WRITE_ZEROES" "$(cat "$tmp/log.$how")" "Zero .*offset=0x1000 count=0x2000" ;;
    trim) like "by TRIM" "$(cat "$tmp/log.$how")" "Trim .*offset=0x1000 count=0x2000" ;;
    esac
done

# As many connections as processors, but two to four; four where the server is elsewhere
# (and over TCP: test-tls.sh).
connections() {
    "$nbdmount" --status --json "$mnt" | jq '.exports[0].connections | length'
}
most=$(nproc)
[ "$most" -ge 2 ] || most=2
[ "$most" -le 4 ] || most=4
start_nbdkit memory 1M
start_nbdmount "$uri" "$(new_dir mnt)"
is "over a Unix socket there are as many connections as processors" "$(connections)" "$most"
stop_nbdmount
start_nbdmount -C 3 "$uri" "$(new_dir mnt)"
is "or as many as were asked for" "$(connections)" 3
stop_nbdmount
# Whoever starts nbdmount may let it have one processor.
processor=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
printf '#!/bin/sh\nexec taskset -c %s "%s" "$@"\n' "$processor" "$nbdmount" >"$tmp/nbdmount-on-one"
chmod +x "$tmp/nbdmount-on-one"
nbdmount=$tmp/nbdmount-on-one start_nbdmount "$uri" "$(new_dir mnt)"
is "but two where there is one" "$(connections)" 2
stop_nbdmount
# What a command leads to may be far away.
mkdir "$tmp/bin"
printf '#!/bin/sh\nexec nc -U "%s"\n' "${uri#*socket=}" >"$tmp/bin/ssh"
chmod +x "$tmp/bin/ssh"
PATH=$tmp/bin:$PATH nbdmount=$tmp/nbdmount-on-one start_nbdmount "nbd+ssh://elsewhere/?socket=/nbd" "$(new_dir mnt)"
is "by ssh there are four, also then" "$(connections)" 4
stop_nbdmount

# Without a cache, who writes does not wait for others that do.
start_nbdkit --filter=delay memory 1M wdelay=3
start_nbdmount -o cache=none "$uri" "$(new_dir mnt)"
writers=()
for i in 1 2 3 4; do
    start writer dd if=/dev/zero of="$mnt/nbd" bs=4k count=1 seek="$i" conv=notrunc status=none
    writers+=("$started_pid")
done
in_flight() {
    "$nbdmount" --status --json "$mnt" | jq '[.. | .connections? // empty | .[].in_flight] | add'
}
are_in_flight() { [ "$(in_flight)" -eq "$1" ]; }
ok "cache=none: four writes of four programs are under way at once" wait_for are_in_flight 4
for pid in "${writers[@]}"; do
    wait "$pid"
done
stop_nbdmount

# cache=: how often the server is asked for the same bytes.
for how in always open none; do
    start_nbdkit --filter=log file "$tmp/disk.img" logfile="$tmp/log.$how"
    start_nbdmount -o "cache=$how" "$uri" "$(new_dir mnt)"
    # three times, two of them with one open
    exec 5<"$mnt/nbd"
    for _ in 1 2; do dd bs=4096 count=1 iflag=fullblock status=none of=/dev/null <"/proc/self/fd/5"; done
    first=$(grep -c 'Read id=.*offset=0x0 ' "$tmp/log.$how")
    dd bs=4096 count=1 skip=0 status=none of=/dev/null <&5
    exec 5<&-
    second=$(grep -c 'Read id=.*offset=0x0 ' "$tmp/log.$how")
    case $how in
    always) is "cache=always: one read" "$first $second" "1 1" ;;
    open) is "cache=open: one for each open" "$first $second" "2 2" ;;
    none) is "cache=none: one for each read" "$first $second" "2 3" ;;
    esac
    stop_nbdmount
done

# extents=: others write to the export too.
truncate -s 1M "$tmp/sparse.img"
start_nbdkit file "$tmp/sparse.img"
start_nbdmount -o extents=3,cache=none "$uri" "$(new_dir mnt)"
cp "$mnt/nbd" "$tmp/copy"
is "all of it is a hole" "$(stat -c %b "$mnt/nbd")" 0
printf data | dd of="$tmp/sparse.img" conv=notrunc seek=8 bs=64k status=none
seen() { [ "$(dd if="$mnt/nbd" bs=64k skip=8 count=1 status=none | head -c 4)" = data ]; }
ok "extents=3: what others write is seen" wait_for seen
cp "$mnt/nbd" "$tmp/copy"
ok "and copied" cmp "$tmp/copy" "$tmp/sparse.img"
stop_nbdmount

# export=
start_nbdkit --filter=exportname memory 1M exportname="a b/c,d" exportname="e" exportname-strict=true
start_nbdmount -o 'export=a b/c\,d' "$uri" "$(new_dir mnt)"
ok "export= names the export, whatever is in it" test -e "$mnt/nbd"
like "and the source" "$(findmnt -no SOURCE "$mnt")" "a%20b/c%2Cd"
stop_nbdmount
mnt=$(new_dir mnt)
run "$nbdmount" -o export=nope "$uri" "$mnt"
isnt "one that is not there is refused" "$status" 0
like "and named" "$err" "nope"
start_nbdmount -o export= --filename=x [ nbdkit --filter=exportname memory 1M exportname= exportname-strict=true ] "$(new_dir mnt)"
ok "the default export of a server of our own" test -e "$mnt/x"
stop_nbdmount
done_testing
