#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# check-testing.sh - this library with what Debian testing has: a qemu-nbd with extended
# headers, 64-bit extents and filters; a newer nbdkit; and a newer libnbd's programs
#
#     make check-testing [TESTING_TREE=FOLDER]
#
# As root.  The tree is one that debootstrap has made, with nbdkit, qemu-utils and
# libnbd-bin in it; without TESTING_TREE it is made in the build folder, and kept there
# for the next time.  Servers run in it by chroot; the library and its client outside,
# through the servers' Unix sockets.
set -u
: "${abs_top_builddir:=$PWD}" "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
[ "$(id -u)" -eq 0 ] || { echo "1..0 # SKIP chroot needs root"; exit 0; }
tree=${TESTING_TREE:-}
if [ -z "$tree" ]; then
    tree=$abs_top_builddir/testing-tree
    [ -e "$tree/.whole" ] || command -v debootstrap >/dev/null || { echo "1..0 # SKIP there is no debootstrap"; exit 0; }
    bash "$abs_top_srcdir/tests/debian-tree.sh" "$tree" testing nbdkit,qemu-utils,libnbd-bin ||
        exit 99
fi
[ -e "$tree/etc/debian_version" ] || { echo "Bail out! no Debian in $tree"; exit 99; }

# The folder of the test is in the tree, so that both sides see the sockets.
tree=$(realpath "$tree")
export TMPDIR=$tree/tmp
. "$abs_top_srcdir/tests/lib.sh"
. "$abs_top_srcdir/tests/compat/on-libnbd.sh"
inside=${tmp#"$tree"}
client=$abs_top_builddir/tests/peer/client

in_tree() {
    timeout 60 chroot "$tree" "$@"
}
# start_in_tree SOCKET COMMAND...
start_in_tree() {
    local socket=$1
    shift
    start "$1" chroot "$tree" "$@"
    wait_while_alive "$started_pid" test -S "$tmp/$socket" ||
        { diag_file "$started_log"; bail_out "$1 of the tree does not start"; }
}
client() { # OPERATION...
    run timeout 60 "$client" "$@"
}
diag "$(in_tree qemu-nbd --version | head -n 1), $(in_tree nbdkit --version)," \
    "libnbd $(in_tree nbdcopy --version | sed -n 's/^nbdcopy //p')"

# ---- qemu-nbd

in_tree qemu-img create -q -f qcow2 "$inside/disk" 9T
start_in_tree q qemu-nbd --persistent --shared=16 -k "$inside/q" -f qcow2 -x disk -A \
    "$inside/disk"
client "context base:allocation" "context qemu:allocation-depth" "export disk" \
    "connect-unix $tmp/q" extended can-payload "pwrite 4096 512" "status64 0 8T" shutdown
is "qemu-nbd has extended headers, filters, and tells 8 TiB in one block status" "$out" \
    "connect-unix: ok
extended: 1
can-payload: 1
pwrite: ok
status64: base:allocation 0 65536:0 8796092956672:3
status64: qemu:allocation-depth 0 65536:1 8796092956672:0
status64: ok
shutdown: ok"
client "context base:allocation" "context qemu:allocation-depth" "export disk" \
    "connect-unix $tmp/q" "filter 1T 8T 0 qemu:allocation-depth" \
    "filter 1T 8T 0 base:allocation" shutdown
is "of two contexts a filter asks for one" "$out" "connect-unix: ok
filter: qemu:allocation-depth 1099511627776 8796093022208:0
filter: ok
filter: base:allocation 1099511627776 8796093022208:3
filter: ok
shutdown: ok"
client "context base:allocation" "export disk" "connect-unix $tmp/q" "status 1T 8T" \
    "pread 8T 512" "pwrite 8T 512" "pread 8T 512" "trim 1T 512" "zero 2T 1M" flush shutdown
is "the 32-bit call cuts a long extent; reads, writes, trims with long headers" "$out" \
    "connect-unix: ok
status: base:allocation 1099511627776 4227858432:3
status: ok
pread: ok z512
pwrite: ok
pread: ok p512
trim: ok
zero: ok
flush: ok
shutdown: ok"
client "eh 0" "context base:allocation" "export disk" "connect-unix $tmp/q" extended \
    "status64 1T 2G" "status64 0 8T" shutdown
like "who does not ask for extended headers has none" "$out" \
    "extended: 0.*status64: base:allocation 1099511627776 2147483648:3.*status64: error ERANGE"

# ---- nbdkit

start_in_tree k nbdkit --foreground --unix="$inside/k" memory 8T
client "context base:allocation" "connect-unix $tmp/k" "pwrite 4096 512" \
    "pread 4096 512" "status64 0 1G" "trim 0 1G" "status64 0 1G" shutdown
like "nbdkit: reads, writes, trims and extents" "$out" \
    "pread: ok p512.*status64: base:allocation 0 32768:0 .*trim: ok.*base:allocation 0 1073741824:3.*shutdown: ok"

# ---- the tree's programs on this library, and on their own

same() { # NAME COMMAND...
    local name=$1 ours theirs
    shift
    theirs=$(in_tree "$@" 2>/dev/null; echo "status $?")
    ours=$(in_tree env LD_LIBRARY_PATH="${shared#"$tree"}" "$@" 2>/dev/null; echo "status $?")
    is "$name" "$ours" "$theirs"
}
ok "the tree's nbdinfo takes this library" in_tree env \
    LD_LIBRARY_PATH="${shared#"$tree"}" sh -c "ldd /usr/bin/nbdinfo | grep -q ${shared#"$tree"}/"
for export in "disk?socket=$inside/q" "?socket=$inside/k"; do
    for options in --json --list --map '--json --map' --size '--has extended-headers'; do
        # shellcheck disable=SC2086
        same "nbdinfo $options says the same of $export" nbdinfo $options "nbd+unix:///$export"
    done
done
same "nbdcopy copies the same" sh -c \
    'nbdkit -U - --filter=truncate pattern 64M --run "nbdcopy \$uri - | cksum"'
same "nbddump dumps the same" sh -c 'nbdkit -U - pattern 64K --run "nbddump \$uri"'
done_testing
