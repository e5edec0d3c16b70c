# SPDX-License-Identifier: LGPL-2.1-or-later
# The tools that people copy disks with: each gives the same bytes and keeps the holes.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_fuse
need_program tar rsync dd cmp qemu-img
need_nbdkit file

sparsefile=$abs_top_builddir/tests/fuse/sparsefile
image=$tmp/disk.img
blocks() { stat -c %b "$1"; }

# same_and_sparse NAME COPY [GRAIN]: equal, and on the disk at most 1 MiB more than the
# original, or what 20 pieces grow by where holes are seen in grains of so many KiB only.
same_and_sparse() {
    local more=$((20 * 2 * 2 * ${3:-26}))
    ok "$1: the bytes are the same" cmp "$image" "$2"
    at_most "$1: the copy is as sparse" "$(blocks "$2")" "$(($(blocks "$image") + more))"
    at_least "$1: and has its data" "$(blocks "$2")" "$(($(blocks "$image") - 2048))"
    rm -f "$2"
}

"$sparsefile" make "$image" 256M 8M 20 7 || bail_out "cannot make $image"
start_nbdkit file "$image"
fresh_mount() { start_nbdmount "$uri" "$(new_dir mnt)"; }

mkdir "$tmp/out"

# Right after the mount, with nothing known of its holes: this is where an archive of
# zeros would come from.
fresh_mount
ok "tar -S archives" tar -C "$mnt" -cSf "$tmp/a.tar" nbd
at_most "the archive holds little but the data" "$(stat -c %s "$tmp/a.tar")" $((10 * 1024 ** 2))
tar -C "$tmp/out" -xSf "$tmp/a.tar"
same_and_sparse "tar -S" "$tmp/out/nbd"
stop_nbdmount

fresh_mount
ok "rsync -S copies" rsync -S "$mnt/nbd" "$tmp/out/nbd"
same_and_sparse "rsync -S" "$tmp/out/nbd"
stop_nbdmount

fresh_mount
ok "dd conv=sparse copies" dd if="$mnt/nbd" of="$tmp/out/nbd" bs=64k conv=sparse status=none
same_and_sparse "dd conv=sparse" "$tmp/out/nbd" 64
ok "dd iflag=direct copies" dd if="$mnt/nbd" of="$tmp/out/nbd" bs=1M iflag=direct \
    conv=sparse status=none
same_and_sparse "dd iflag=direct" "$tmp/out/nbd" 1024
stop_nbdmount

fresh_mount
ok "mv's sibling install copies" install "$mnt/nbd" "$tmp/out/nbd"
ok "install: the bytes are the same" cmp "$image" "$tmp/out/nbd"
rm -f "$tmp/out/nbd"
run qemu-img compare -f raw -F raw "$mnt/nbd" "$image"
is "qemu-img compare says identical" "$out" "Images are identical."
ok "qemu-img convert reads it" qemu-img convert -f raw -O qcow2 "$mnt/nbd" "$tmp/out/q"
run qemu-img compare -f qcow2 -F raw "$tmp/out/q" "$image"
is "qemu-img convert copied all" "$out" "Images are identical."
at_most "the qcow2 holds little but the data" "$(stat -c %s "$tmp/out/q")" $((12 * 1024 ** 2))
run qemu-img map -f raw --output=json "$mnt/nbd"
is "qemu-img map sees the pieces" "$(grep -c '"data": true' <<<"$out")" \
    "$("$sparsefile" walk "$image" | grep -c data)"
stop_nbdmount
is "the daemon ends well" "$status" 0

# A qcow2 through qemu-nbd.
qemu-img convert -f raw -O qcow2 "$image" "$tmp/disk.qcow2"
start_qemu_nbd --read-only --format=qcow2 "$tmp/disk.qcow2"
start_nbdmount -r "$uri" "$(new_dir mnt)"
ok "qcow2: cp --sparse=always copies" cp --sparse=always "$mnt/nbd" "$tmp/out/nbd"
same_and_sparse "qcow2: cp" "$tmp/out/nbd" 64
run qemu-img compare -f raw -F qcow2 "$mnt/nbd" "$tmp/disk.qcow2"
is "qcow2: qemu-img compare says identical" "$out" "Images are identical."
tar -C "$mnt" -cSf "$tmp/a.tar" nbd && tar -C "$tmp/out" -xSf "$tmp/a.tar"
same_and_sparse "qcow2: tar -S" "$tmp/out/nbd" 64
stop_nbdmount
done_testing
