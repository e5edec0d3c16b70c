# SPDX-License-Identifier: LGPL-2.1-or-later
# What counts as a hole: ZERO does, HOLE alone does not, and nothing does where the server cannot tell.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program cmp
need_nbdkit data file eval --filter=noextents --filter=log

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
blocks() { stat -c %b "$1"; }

# One page of data at 1 MiB, then a hole to 4 MiB.
start_nbdkit data '@1048576 (0x12 0x34)*2048' size=4M
start_nbdmount -r "$uri" "$(new_dir mnt)"
"$sparsefile" walk "$mnt/nbd" >"$tmp/walk"
is "hole, data, hole" "$(awk '{ printf "%s ", $1 }' "$tmp/walk")" "hole data hole "
is "the data is where it belongs" "$(awk '$1 == "data" { print ($2 <= 1048576 && $2 + $3 >= 1052672) }' "$tmp/walk")" 1
run "$sparsefile" read "$mnt/nbd" 3000000 4096
is "a known hole reads" "$out" 4096
stop_nbdmount

start_nbdkit data '' size=1G
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "all hole: lseek finds no data" "$("$sparsefile" walk "$mnt/nbd")" "hole 0 1073741824"
is "all hole: once that is known the file takes no blocks" "$(blocks "$mnt/nbd")" 0
stop_nbdmount

log=$tmp/requests.log
: >"$log"
start_nbdkit --filter=log data '' size=64M logfile="$log" logappend=true
start_nbdmount -r "$uri" "$(new_dir mnt)"
"$sparsefile" walk "$mnt/nbd" >/dev/null
ok "a known hole is read" cmp -n 67108864 "$mnt/nbd" /dev/zero
is "without asking the server for its zeros" "$(grep -c ' Read id' "$log")" 0
stop_nbdmount

start_nbdkit --filter=noextents data "@1048576 1" size=4M
start_nbdmount -r "$uri" "$(new_dir mnt)"
blocks_now=$(blocks "$mnt/nbd")
# nbdkit then says that everything is data
is "without extents all is data" "$("$sparsefile" walk "$mnt/nbd")" "data 0 4194304"
is "and all blocks are taken" "$(blocks "$mnt/nbd")" 8192
stop_nbdmount

start_nbdkit --no-sr data '@1048576 1' size=4M
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "without structured replies there are no holes" "$("$sparsefile" walk "$mnt/nbd")" "data 0 4194304"
is "and all blocks are taken at once" "$(blocks "$mnt/nbd")" 8192
stop_nbdmount

# HOLE without ZERO: undefined contents, never shown as zeros.
start_nbdkit eval get_size='echo 4M' pread='head -c $3 /dev/zero | tr "\0" x' \
    can_extents='exit 0' \
    extents='echo 0 1M; echo 1M 1M hole; echo 2M 1M zero; echo 3M 1M hole,zero'
start_nbdmount -r "$uri" "$(new_dir mnt)"
is "HOLE alone is data, ZERO alone is a hole" "$("$sparsefile" walk "$mnt/nbd")" \
    $'data 0 2097152\nhole 2097152 2097152'
is "HOLE alone reads what the server has there" \
    "$(dd if="$mnt/nbd" bs=1 skip=1048576 count=4 status=none)" xxxx
stop_nbdmount
is "the daemon ends well" "$status" 0

# Whole blocks are asked about, and the answer ends inside of the first one.
start_nbdkit eval get_size='echo 16K' pread='head -c $3 /dev/zero' \
    can_extents='exit 0' extents='echo $4 512 hole,zero' block_size='echo 4096 4096 1M'
start_nbdmount -r "$uri" "$(new_dir mnt)"
run timeout 20 "$sparsefile" walk "$mnt/nbd"
is "what is not told of a block is data, and lseek goes on" "$out" "$(for at in 0 4096 8192 12288; do
    printf 'hole %d 512\ndata %d 3584\n' "$at" $((at + 512)); done)"
stop_nbdmount

# Each answer comes at once and tells of one block of very many.
start_nbdkit eval get_size='echo 1E' pread='head -c $3 /dev/zero' can_extents='exit 0' \
    extents="echo >>'$tmp/questions'; echo \$4 4096"
start_nbdmount -r "$uri" "$(new_dir mnt)"
start walk "$sparsefile" walk "$mnt/nbd"
wait_for bash -c "[ \$(wc -l <'$tmp/questions') -ge 100 ]"
ok "who waits for many answers can be killed" stop "$started_pid" KILL
stop_nbdmount
is "and the daemon ends well" "$status" 0
done_testing
