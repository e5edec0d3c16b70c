#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-exports.sh - what real servers tell about their exports, and what is in them,
# with blocking and asynchronous calls

. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_program nbdkit qemu-nbd qemu-img nbd-server
need_nbdkit pattern data linuxdisk floppy memory file sh --filter=error \
    --filter=blocksize-policy --filter=noextents --filter=multi-conn \
    --filter=exportname

client=$abs_top_builddir/tests/peer/client

# both NAME WANTED OPERATION...: the same with blocking and with asynchronous calls
both() {
    local name=$1 want=$2
    shift 2
    run "$client" "$@"
    is "$name" "$out" "$want" || diag_file "$tmp/.err"
    run "$client" -a "$@"
    is "$name, asynchronous" "$out" "$want" || diag_file "$tmp/.err"
}

# A server of its own for each session: nbdkit through socket activation.
via() {
    echo "connect-activation nbdkit $*"
}

both "pattern: its bytes at every offset" "connect-activation: ok
protocol: newstyle-fixed
structured: 1
size: 1099511627776
pread: ok p512
pread: ok p100
pread: ok p65536
shutdown: ok" "$(via pattern 1T)" protocol structured size "pread 0 512" \
    "pread 2^39+3 100" "pread 2^40-65536 65536" shutdown

both "pattern: a large read" "connect-activation: ok
pread: ok p33554432" "$(via pattern 64M)" "pread 4096 32M"

both "memory: what was written and what was not" "connect-activation: ok
pwrite: ok
preads: data 32768+163840
preads: ok z32768 p65536 z65536
shutdown: ok" "$(via memory 1M)" "pwrite 65536 65536" "preads 32768 163840" shutdown

both "data: extents of a sparse export" "connect-activation: ok
can-meta: 1
status: base:allocation 0 32768:0 1015808:3
status: ok
status: base:allocation 32768 1015808:3
status: ok" "context base:allocation" "$(via data data='1*32768' size=1M)" \
    "can-meta base:allocation" "status 0 1M" "status 32768 1M-32768"

both "noextents: all is data" "connect-activation: ok
status: base:allocation 0 1048576:0
status: ok" "context base:allocation" "$(via --filter=noextents memory 1M)" \
    "status 0 1M"

both "no structured replies: no extents" "connect-activation: ok
structured: 0
can-meta: 0
pread: ok p512" "context base:allocation" "$(via --no-sr pattern 1M)" structured \
    "can-meta base:allocation" "pread 512 512"

both "oldstyle" "connect-activation: ok
protocol: oldstyle
size: 1048576
pread: ok p512
shutdown: ok" "$(via -o pattern 1M)" protocol size "pread 512 512" shutdown

both "newstyle, not fixed" "connect-activation: ok
protocol: newstyle
pread: ok p512" "$(via --mask-handshake=0 pattern 1M)" protocol "pread 512 512"

both "the default is newstyle: -n changes nothing" "connect-activation: ok
protocol: newstyle-fixed" "$(via -n pattern 1M)" protocol

both "block sizes are told" "connect-activation: ok
block-size: 512 4096 1048576" "$(via --filter=blocksize-policy memory 1M \
    blocksize-minimum=512 blocksize-preferred=4K blocksize-maximum=1M)" block-size

both "a read-only export tells so" "connect-activation: ok
flags: read-only df multi-conn cache" "$(via -r pattern 1M)" flags

both "multi-conn can be switched off" "connect-activation: ok
flags: read-only df cache" \
    "$(via --filter=multi-conn -r pattern 1M multi-conn-mode=disable)" flags

run "$client" "$(via --filter=error memory 1M error=ENOSPC error-pwrite-rate=100%)" \
    "pwrite 512 512" state "pread 512 512" shutdown
like "ENOSPC of the server is ENOSPC here" "$out" \
    "connect-activation: ok
pwrite: error ENOSPC nbd_pwrite: .*
state: ready
pread: ok z512"
run "$client" -a "$(via --filter=error memory 1M error=EIO error-pread-rate=100%)" \
    "pread 0 65536" state shutdown
like "a read that fails says EIO and leaves no other bytes" "$out" \
    "^connect-activation: ok
pread: error EIO nbd_aio_command_completed: [^
]*
state: ready
shutdown: ok$"

# ---- names and lists

mkdir "$tmp/dir"
truncate -s 1M "$tmp/dir/one"
truncate -s 2M "$tmp/dir/two"
start_nbdkit file dir="$tmp/dir"
both "the exports are listed" "connect-unix: ok
list: export one ()
list: export two ()
list: ok
abort: ok" "opt-mode 1" "connect-unix $sock" list abort
both "INFO of one, GO to the other" "connect-unix: ok
info: ok
size: 1048576
go: ok
size: 2097152
shutdown: ok" "opt-mode 1" "connect-unix $sock" "export one" info size "export two" go \
    size shutdown
both "the name in the URI chooses" "connect-uri: ok
size: 2097152" "connect-uri nbd+unix:///two?socket=$sock" size
run "$client" "connect-uri nbd+unix:///three?socket=$sock"
is "an export that is not there fails" "$status" 1
like "and the error names the function" "$out" "^connect-uri: error E[A-Z]+ nbd_connect_uri: "
run "$client" "opt-mode 1" "connect-unix $sock" "export three" go state "export one" go size
like "in opt mode one can try again" "$out" "go: error E[^
]*
state: negotiating
go: ok
size: 1048576"

# ---- disks

mkdir "$tmp/tree"
head -c 300000 /dev/urandom >"$tmp/tree/file"
start_nbdkit linuxdisk "$tmp/tree"
run "$client" "context base:allocation" "connect-uri $uri" "can-meta base:allocation" \
    "pread 510 2" "status 0 1M"
like "linuxdisk has a partition table and extents" "$out" "can-meta: 1
pread: ok o2
status: base:allocation 0 [0-9: ]+
status: ok"
start_nbdkit floppy "$tmp/tree"
run "$client" "connect-uri $uri" "pread 510 2" "flags"
like "floppy is a read-only disk" "$out" "pread: ok o2
flags: read-only"

# ---- other servers

qemu-img create -q -f qcow2 "$tmp/disk.qcow2" 1G
qemu-io -f qcow2 -c "write -q -P 1 1M 64k" "$tmp/disk.qcow2"
start_qemu_nbd --format=qcow2 --allocation-depth "$tmp/disk.qcow2"
both "qemu-nbd tells the extents of a qcow2 in two contexts" "connect-uri: ok
can-meta: 1
can-meta: 1
pread: ok z65536
shutdown: ok" "context base:allocation" "context qemu:allocation-depth" \
    "connect-uri $uri" "can-meta base:allocation" "can-meta qemu:allocation-depth" \
    "pread 2M 64K" shutdown
run "$client" "context base:allocation" "connect-uri $uri" "status 0 2M" shutdown
is "the data is where it was written" "$out" "connect-uri: ok
status: base:allocation 0 1048576:3 65536:0 983040:3
status: ok
shutdown: ok"

truncate -s 1M "$tmp/disk"
printf '[generic]\nport = 0\nallowlist = true\n[one]\nexportname = %s\n[two]\nexportname = %s\nreadonly = true\n' \
    "$tmp/disk" "$tmp/disk" >"$tmp/nbd-server.conf"
both "nbd-server lists its exports and serves one" "connect-command: ok
list: export one ()
list: export two ()
list: ok
go: ok
size: 1048576
pread: ok z512
shutdown: ok" "opt-mode 1" "connect-command nbd-server -d -C $tmp/nbd-server.conf" list \
    "export two" go size "pread 512 512" shutdown

done_testing
