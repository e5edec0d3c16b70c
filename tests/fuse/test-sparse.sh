# SPDX-License-Identifier: LGPL-2.1-or-later
# A sparse file of 1 TiB with 64 MiB of data in 100 pieces, through the mount.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_program cp du stat timeout
need_nbdkit file

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
image=$tmp/disk.img
copy=$tmp/copy.img
# A sanitizer slows the daemon down, not what it does.
limit_ms=3000
[ "$SANITIZER" = none ] || limit_ms=30000
# So do the other tests and whoever else has the machine: one copy of so many is quick.
copies=3

blocks() { stat -c %b "$1"; }
now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# copy_cold CP-OPTIONS...: from a new mount, whose extents nobody has asked for.
copy_cold() {
    local start
    start_nbdmount "$uri" "$(new_dir mnt)"
    before=$(blocks "$mnt/nbd")
    rm -f "$copy"
    start=$(now_ms)
    run timeout 60 cp "$@" "$mnt/nbd" "$copy"
    took=$(($(now_ms) - start))
    diag "cp${*:+ $*} took $took ms"
}

# copy_in_time NAME CP-OPTIONS...
copy_in_time() {
    local name=$1 n=1
    shift
    copy_cold "$@"
    while [ "$status" = 0 ] && [ "$took" -gt "$limit_ms" ] && [ $((n++)) -lt $copies ]; do
        stop_nbdmount
        copy_cold "$@"
    done
    is "$name works" "$status" 0
    at_most "$name ends in under $limit_ms ms" "$took" "$limit_ms"
    at_most "$name: st_blocks is below the size before anything was asked" \
        "$((before * 512))" "$((1024 ** 4 - 1))"
    at_least "$name: and above 0" "$before" 1
    ok "$name: the copy is equal, piece by piece" "$sparsefile" compare "$image" "$copy"
    local difference=$(($(blocks "$copy") - $(blocks "$image")))
    at_most "$name: the copy takes as much space as the original, within 1 MiB" \
        "${difference#-}" 2048
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0
    rm -f "$copy"
}

"$sparsefile" make "$image" 1T 64M 100 20261121 || bail_out "cannot make $image"
start_nbdkit file "$image"

copy_in_time "cp --sparse=always" --sparse=always
copy_in_time "plain cp"

start_nbdmount "$uri" "$(new_dir mnt)"
"$sparsefile" walk "$image" >"$tmp/walk.original"
"$sparsefile" walk "$mnt/nbd" >"$tmp/walk.mount" 2>"$tmp/walk.err"
at_least "the original has its 100 pieces" "$(grep -c data "$tmp/walk.original")" 100
ok "lseek walks the mount in the same steps as the original" \
    diff "$tmp/walk.original" "$tmp/walk.mount"
is "after the walk st_blocks is what the data takes" "$(blocks "$mnt/nbd")" \
    "$(awk '$1 == "data" { n += $3 } END { print n / 512 }' "$tmp/walk.original")"
is "du says the same" "$(du -B512 "$mnt/nbd" | cut -f1)" "$(blocks "$mnt/nbd")"
is "the size is the disk's" "$(stat -c %s "$mnt/nbd")" "$((1024 ** 4))"
stop_nbdmount
done_testing
