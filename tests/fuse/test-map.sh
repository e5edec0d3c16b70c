# SPDX-License-Identifier: LGPL-2.1-or-later
# nbdmount --map: where the data and holes of a file are, on any file system.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program jq script stty mkfifo
need_nbdkit file

map() { run "$nbdmount" --map "$@"; }
map_json() { run "$nbdmount" --json --map "$@"; }
field() { jq -c "$1" "$tmp/.out"; }

truncate -s 1G "$tmp/disk"
for at in 0 300 301 1023; do
    head -c 1M /dev/zero | tr '\0' x | dd of="$tmp/disk" bs=1M seek=$at conv=notrunc status=none
done
printf x | dd of="$tmp/disk" bs=1 seek=700M oflag=seek_bytes conv=notrunc status=none

# ---- the picture

export COLUMNS=72
LC_ALL=C map "$tmp/disk"
LC_ALL=C.UTF-8
export LC_ALL
row() { printf '%7s %s' "$1" "$2"; }
hole=$(printf '.%.0s' $(seq 64))
is "the picture is as wide as COLUMNS says, in ASCII where there is nothing else" "$out" \
    "$tmp/disk: 1G, 1073741824 bytes
$(row 0 "#${hole:1}")
$(row 64M "$hole")
$(row 128M "$hole")
$(row 192M "$hole")
$(row 256M "${hole:0:44}##${hole:46}")
$(row 320M "$hole")
$(row 384M "$hole")
$(row 448M "$hole")
$(row 512M "$hole")
$(row 576M "$hole")
$(row 640M "${hole:0:60}-${hole:61}")
$(row 704M "$hole")
$(row 768M "$hole")
$(row 832M "$hole")
$(row 896M "$hole")
$(row 960M "${hole:1}#")
. hole  - less than 1/3 data  + less than 2/3  * more  # data; each is 1M
data     4.0M  0.4%  4198400 bytes in 4 extents
holes 1020.0M  99.6%  1069543424 bytes in 3 extents"
is "the status is 0" "$status" 0
map "$tmp/disk"
like "blocks where the terminal has UTF-8" "$out" $'\n      0 █···'
like "and shades" "$out" '····░···'
unset COLUMNS
map "$tmp/disk"
is "without a terminal: 80 columns" "$(sed -n 2p <<<"$out" | wc -m)" 81
LC_ALL=C script -qec "stty cols 40; '$nbdmount' --map '$tmp/disk'" /dev/null </dev/null >"$tmp/typed" 2>&1
is "as wide as the terminal" "$(tr -d '\r' <"$tmp/typed" | sed -n 2p | tr -d '\n' | wc -c)" 40

# ---- a mount shows the same as the file that is served

start_nbdkit file "$tmp/disk"
start_nbdmount "$uri" "$(new_dir mnt)"
map "$mnt/nbd"
sed 1d "$tmp/.out" >"$tmp/mounted"
map "$tmp/disk"
ok "the export's map is that of the file" cmp "$tmp/mounted" <(sed 1d "$tmp/.out")
map_json "$mnt/nbd"
is "and so is JSON" "$(field '[.size, .data.bytes, .data.extents, .holes.bytes, .holes.extents]')" \
    '[1073741824,4198400,4,1069543424,3]'
is "its extents are those that lseek finds" \
    "$(field '.extents[] | [.data, .offset, .length]' | tr -d '[]' | tr , ' ' | sed 's/^true/data/; s/^false/hole/')" \
    "$("$abs_top_builddir/tests/fuse/sparsefile" walk "$tmp/disk")"
is "they cover the file" "$(field '[.extents[].length] | add')" 1073741824
stop_nbdmount

# ---- many extents

perl -e 'open my $f, ">", $ARGV[0] or die; for my $i (0 .. 2999) { sysseek $f, $i * 2**28 + 2**27, 0;
    syswrite $f, "x" } truncate $f, 2**40 or die' "$tmp/many"
COLUMNS=80 map "$tmp/many"
is "3000 extents in 1 TiB: each character has some" "$(sed -n '2,12p' <<<"$out" | cut -c 9- | grep -c '[^░]')" 1
like "the sums are right" "$out" "data    11.7M  <0.1%  12288000 bytes in 3000 extents"
like "and it is not all a hole" "$out" "holes [ 0-9.]*G  99.9%  "
map_json "$tmp/many"
is "JSON has them all" "$(field '[.extents[] | select(.data)] | length')" 3000

# ---- other files

: >"$tmp/empty"
map "$tmp/empty"
is "an empty file" "$out" "$tmp/empty: 0, 0 bytes"
map_json "$tmp/empty"
is "and as JSON" "$(field '[.size, .extents]')" '[0,[]]'
head -c 5000 /dev/zero | tr '\0' x >"$tmp/full"
map "$tmp/full"
like "one without holes" "$out" "holes +0  0.0%  0 bytes in 0 extents"
map "$tmp/"$'full\n'
isnt "one that is not there: status 1" "$status" 0
like "it is named" "$err" "^nbdmount: .*full : No such file or directory$"
map "$tmp"
like "a folder" "$err" "a directory; name a file in it"
mkfifo "$tmp/fifo"
map "$tmp/fifo"
like "a FIFO is not waited for" "$err" "neither a file nor a disk"
run "$nbdmount" --map
like "no file" "$err" "the path of what to look at is missing"
run "$nbdmount" --map --json "$tmp/full"
is "where the option for JSON stands does not matter" "$(field .size)" 5000
map "$tmp/full" more
like "more than one" "$err" "'more'"
run "$nbdmount" --map "$tmp/full" --json
is "nor behind the file" "$(field .size)" 5000

# A server that dies: what was found out, and an error.
start_nbdkit file "$tmp/disk"
start_nbdmount -o retry=0 "$uri" "$(new_dir mnt)"
stop "$nbdkit_pid" KILL
map "$mnt/nbd"
is "a file that cannot be asked: no picture" "$status $out" "1 "
like "but what is wrong" "$err" "$mnt/nbd: Input/output error"
map_json "$mnt/nbd"
is "JSON says so too" "$status $(field .error)" '1 "Input/output error"'
done_testing
