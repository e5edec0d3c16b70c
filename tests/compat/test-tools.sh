# SPDX-License-Identifier: LGPL-2.1-or-later
# test-tools.sh - programs that were built for libnbd run on this library: nbdinfo,
# nbdcopy, nbdsh, nbdkit's nbd plugin and nbdfuse of the distribution
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/compat/on-libnbd.sh"

need_nbdkit memory pattern data nbd
need "nbdsh" nbdsh -c 'print(1)'
export tmp

ok "it is this library that nbdinfo takes" takes_ours "$(command -v nbdinfo)"
ok "and nbdcopy" takes_ours "$(command -v nbdcopy)"
module=$(python3 -c 'import libnbdmod; print(libnbdmod.__file__)')
ok "and Python's module" takes_ours "$module"
plugin=$(nbdkit nbd --dump-plugin | sed -n 's/^path=//p')
ok "and nbdkit's plugin" takes_ours "$plugin"

with() { # PLUGIN... -- COMMAND of a shell
    local server=()
    while [ "$1" != -- ]; do
        server+=("$1")
        shift
    done
    run timeout 60 nbdkit -U - "${server[@]}" \
        --run "export LD_LIBRARY_PATH=$shared\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}; $2"
}

with memory 1M -- 'nbdinfo --size "$uri"'
is "nbdinfo tells the size" "$out" 1048576
with data '1 @0x100000 2' size=2M -- 'nbdinfo --map "$uri"'
like "nbdinfo maps the data" "$out" '0 +32768 +0 +data'
like "nbdinfo maps the hole" "$out" '32768 +1015808 +3 +hole,zero'
with memory 1M -- 'nbdinfo --list "$uri"'
like "nbdinfo lists the exports" "$out" 'export=""'

with pattern 64M -- 'nbdcopy "$uri" - | cksum'
copied=$out
with pattern 64M -- 'nbdcopy --synchronous "$uri" - | cksum'
is "nbdcopy copies the same with and without waiting" "$copied" "$out"
isnt "nbdcopy copies something" "$copied" ''
with pattern 64M -- 'nbdcopy "$uri" "$tmp/copy" && cksum <"$tmp/copy"'
is "nbdcopy to a file copies that, too" "$out" "$copied"
run on_ours nbdcopy -- "$tmp/copy" [ nbdkit --exit-with-parent memory 64M ]
is "nbdcopy to a server that it starts ends well" "$status" 0

# ---- nbdsh

with memory 1M -- 'nbdsh -u "$uri" -c "h.pwrite(b\"abc\", 5)" -c "print(h.pread(3, 5).decode(), h.get_size())"'
is "nbdsh writes and reads" "$out" "abc 1048576"
with memory 1M -- 'nbdsh --base-allocation -u "$uri" -c "h.block_status(1048576, 0, lambda c, o, e, err: print(c, o, e))"'
is "nbdsh maps" "$out" "base:allocation 0 [1048576, 3]"
with memory 1M -- 'nbdsh --opt-mode -u "$uri" -c "h.opt_go()" -c "
buf = nbd.Buffer.from_bytearray(bytearray(b\"x\" * 512))
cookies = [h.aio_pwrite(buf, 512 * i) for i in range(100)]
while cookies:
    cookies = [c for c in cookies if not h.aio_command_completed(c)]
    if cookies:
        h.poll(-1)
print(h.aio_in_flight())
"'
is "nbdsh writes a hundred blocks at once" "$out" 0
with memory 1M -- 'nbdsh -u "$uri" -c "
try:
    h.pread(512, 1 << 20)
except nbd.Error as e:
    print(e.string, e.errno)
"'
like "nbdsh gets errors with the function's name and errno" "$out" 'nbd_pread: .* EINVAL'

# ---- nbdkit's plugin proxies an export

start_nbdkit pattern 64M
run on_ours timeout 60 nbdkit -U - nbd uri="$uri" --run 'nbdcopy "$uri" - | cksum'
is "nbdkit's plugin proxies what is read" "$out" "$copied"
start_nbdkit memory 1M
export uri
run on_ours timeout 60 nbdkit -U - nbd uri="$uri" \
    --run 'nbdsh -u "$uri" -c "h.pwrite(b\"proxied\", 4096)" -c "h.flush()"'
is "and takes what is written" "$status" 0
run on_theirs nbdsh -u "$uri" -c 'print(h.pread(7, 4096).decode())'
is "which is then on the server" "$out" proxied
run on_ours timeout 60 nbdkit -U - nbd uri="$uri" --run 'nbdinfo --map "$uri"'
like "and tells the extents" "$out" '32768 +1015808 +3 +hole,zero'

# ---- nbdfuse: threads that wait for what another one's callbacks tell

need_fuse
need_program nbdfuse
mountpoint=$(new_dir fuse)
LD_LIBRARY_PATH=$shared${their_path:+:$their_path} start nbdfuse nbdfuse "$mountpoint/disk" \
    --command nbdkit -s --exit-with-parent memory 64M
wait_while_alive "$started_pid" timeout 5 test -f "$mountpoint/disk" ||
    diag_file "$started_log"
head -c 16M /dev/urandom >"$tmp/random"
ok "nbdfuse writes" timeout 60 dd if="$tmp/random" of="$mountpoint/disk" bs=64k \
    conv=notrunc,fsync status=none
ok "and reads it back" timeout 60 cmp -n 16777216 "$tmp/random" "$mountpoint/disk"
fusermount3 -uz "$mountpoint"
done_testing
