# SPDX-License-Identifier: LGPL-2.1-or-later
# A server that lies after the mount: the reader gets EIO, never other bytes; the daemon
# neither crashes nor hangs, and what the next connection serves is read as always.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd cmp perl

sparsefile=$abs_top_builddir/tests/fuse/sparsefile

# The bytes at an offset of the pattern are the offset.
is_pattern() { # FILE OFFSET
    [ "$(od -An -tx1 -N8 "$1" | tr -d ' \n')" = "$(printf '%016x' "$2")" ]
}
read_block() { # OFFSET: 4 KiB into $tmp/block, past all caches
    timeout 20 dd if="$mnt/nbd" of="$tmp/block" bs=4096 skip="$1" iflag=direct,skip_bytes \
        count=1 status=none 2>"$tmp/dd.err"
}
reads_well() { read_block "$1" && is_pattern "$tmp/block" "$1"; }

{
    # lie NAME STATEMENTS: what the server answers to the first read; it is good to whoever
    # goes on after that, on this connection or another one
    lie() {
        printf 'case %s\nhandshake\nrequest read\n%s\nserve\nconnection\n' "$1" "$2"
        printf 'handshake\nserve\n\n'
    }
    lie "not NBD" 'send "HTTP/1.0 200 OK\n\n" zero:5000'
    lie "zeros" 'send zero:4096'
    lie "another cookie" 'chunk data done be64:$offset pattern:4096:4096 cookie=$cookie+1'
    lie "a simple reply where it must be structured" 'simple pattern:4096:4096'
    lie "a chunk before the request" 'chunk data done be64:0 pattern:0:4096'
    lie "a chunk behind the request" 'chunk data done be64:$offset+4096 pattern:8192:4096'
    lie "an offset that wraps around" 'chunk data done be64:0xffffffffffffffff pattern:0:4096'
    lie "too little" 'chunk data done be64:$offset pattern:4096:100'
    lie "too much" 'chunk data done be64:$offset pattern:4096:4097'
    lie "the same bytes twice" 'chunk data be64:$offset pattern:4096:4096
chunk data done be64:$offset fill:4096:255'
    lie "one half twice" 'chunk data be64:$offset pattern:4096:2048
chunk data done be64:$offset pattern:4096:2048'
    lie "a hole over the data" 'chunk data be64:$offset pattern:4096:2048
chunk hole done be64:$offset+1024 be32:2048'
    lie "a hole of 4 GiB" 'chunk hole done be64:$offset be32:0xffffffff'
    lie "a hole of no length" 'chunk hole done be64:$offset be32:0'
    lie "nothing at all" 'chunk none done'
    lie "an unknown chunk" 'chunk 77 done zero:4096'
    lie "a length of 4 GiB" 'chunk data done be64:$offset pattern:4096:4096 length=0xffffffff'
    lie "the end in the middle" 'chunk data done be64:$offset pattern:4096:1000 length=4104
close'
    lie "an error in the middle of the data" 'chunk data be64:$offset pattern:4096:2048
chunk error done be32:5 be16:3 "bad"'
    lie "an error whose text is too long" 'chunk error done be32:5 be16:60000 "bad"'
    lie "an unknown error chunk" 'chunk 0x8077 done be32:5 be16:0'
    lie "the end" 'close'
} >"$tmp/script"

lies_to_a_reader() {
    while read -r _ name; do
        start_peer "$name" -r
        start_nbdmount -r -C 1 -o retry=0 "$uri" "$(new_dir mnt)"
        if read_block 4096; then
            fail "$name: the read fails"
        else
            like "$name: the read fails with EIO" "$(cat "$tmp/dd.err")" "Input/output error"
        fi
        ok "$name: later reads give the right bytes" wait_for reads_well 8192
        stop_nbdmount
        is "$name: the daemon ends well" "$status" 0
        stop "$peer_pid"
    done < <(grep '^case ' "$tmp/script")
}
lies_to_a_reader

# Without structured replies a read's data has no offset or length of its own.
{
    simple() {
        printf 'case %s\nhandshake sr=0\nrequest read\n%s\nserve\n' "$1" "$2"
        printf 'connection\nhandshake sr=0\nserve\n\n'
    }
    simple "a simple reply that ends early" 'simple pattern:4096:4000
close'
    simple "a simple reply to another request" 'simple pattern:4096:4096 cookie=$cookie+1'
    simple "an error with data behind it" 'simple EIO pattern:4096:4096'
    simple "a chunk where none was agreed on" 'chunk data done be64:$offset pattern:4096:4096'
} >"$tmp/script"
lies_to_a_reader

# Several readers at work: who gets an error has got nothing false before.
cat >"$tmp/script" <<'S'
case one lie among many answers
handshake size=4M
serve 200
request read
chunk data be64:$offset zero:2048
chunk data done be64:$offset+1024 zero:3072
connection
handshake size=4M
serve
S
perl -e 'print pack("Q>*", map { $_ * 8 } 0 .. (4 << 20) / 8 - 1)' >"$tmp/model"
start_peer "one lie among many answers" -r
start_nbdmount -r -C 1 -o retry=0 "$uri" "$(new_dir mnt)"
readers=()
for at in 0 1 2 3; do
    dd if="$mnt/nbd" of="$tmp/read.$at" bs=4k skip=$((at * 256)) count=256 iflag=direct \
        status=none 2>"$tmp/dd.err.$at" &
    readers+=($!)
done
failed=0
for at in 0 1 2 3; do
    wait "${readers[at]}" || failed=$((failed + 1))
    ok "one lie among many: what reader $at got is right" \
        cmp -n "$(stat -c %s "$tmp/read.$at")" "$tmp/read.$at" "$tmp/model" 0 $((at << 20))
done
at_least "one lie among many: a reader was told" "$failed" 1
ok "one lie among many: later all of it is right" wait_for cmp "$tmp/model" "$mnt/nbd"
stop_nbdmount
is "one lie among many: the daemon ends well" "$status" 0
stop "$peer_pid"

# Lies about extents: no hole is believed in, the bytes are read.
{
    extents() {
        printf 'case %s\nhandshake contexts=base:allocation\nrequest status\n%s\n' "$1" "$2"
        printf 'serve\nconnection\n'
        printf 'handshake\nserve\n\n'
    }
    extents "no extents" 'chunk none done'
    extents "an extent of no length" 'chunk status done be32:1 be32:0 be32:3'
    extents "half an extent" 'chunk status done be32:1 be32:4096'
    extents "another context" 'chunk status done be32:9 be32:0xfffff000 be32:3'
    extents "a million extents" 'chunk status done be32:1 zero:8000000 length=8000004'
    extents "an error" 'chunk error done be32:5 be16:0'
    extents "not NBD at all" 'send zero:100'
} >"$tmp/script"

while read -r _ name; do
    start_peer "$name" -r
    start_nbdmount -r -C 1 "$uri" "$(new_dir mnt)"
    run timeout 20 "$sparsefile" walk "$mnt/nbd"
    at_most "$name in place of extents: lseek ends" "$status" 1
    unlike "$name in place of extents: no hole is made of it" "$out" "hole"
    stop_nbdmount
    is "$name in place of extents: the daemon ends well" "$status" 0
    stop "$peer_pid"
done < <(grep '^case ' "$tmp/script")
done_testing
