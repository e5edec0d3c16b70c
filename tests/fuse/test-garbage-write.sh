# SPDX-License-Identifier: LGPL-2.1-or-later
# A server that lies in its answer to a change: no write or fsync succeeds for it. The
# connection is a dead one, so with replay=0 the program is told, and by default all is
# sent again on the next.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd perl

# Where there is another one, what it must be asked is the same once more.
write='request write offset=4096 length=4096
check-data pattern:4096:4096'
flush='request flush'

# lies_about NAME BEFORE REQUEST LIE AGAIN: cases "gone: NAME", whose server is good after
# that, and "again: NAME", whose next connection takes nothing but AGAIN first.
lies_about() {
    local name=$1 before=$2 request=$3 lie=$4 again=$5
    printf 'case gone: %s\nhandshake\n%s\n%s\n%s\nserve\n' "$name" "$before" "$request" "$lie"
    printf 'connection\nhandshake\nserve\n\n'
    [ -n "$again" ] || return 0
    printf 'case again: %s\nhandshake\n%s\n%s\n%s\nserve\n' "$name" "$before" "$request" "$lie"
    printf 'connection\nhandshake\n%s\nserve\n\n' "$again"
}
about_write() { lies_about "$1, for a write" "" "$write" "$2" "$write"$'\nsimple'; }
about_flush() {
    lies_about "$1, for a flush" "$write"$'\nsimple' "$flush" "$2" \
        "$write"$'\nsimple\n'"$flush"$'\nsimple'
}
about_both() { about_write "$@" && about_flush "$@"; }
# What is wrong with it is said by an error chunk, so it is an error: told, not tried again.
about_errors() {
    lies_about "$1, for a write" "" "$write" "$2" ""
    lies_about "$1, for a flush" "$write"$'\nsimple' "$flush" "$2" ""
}
{
    about_both "not NBD" 'send "HTTP/1.0 200 OK\n\n" zero:5000'
    about_both "zeros" 'send zero:4096'
    about_both "another cookie" 'simple cookie=$cookie+1'
    about_both "another cookie in a chunk" 'chunk none done cookie=$cookie+1'
    about_both "data" 'chunk data done be64:$offset pattern:4096:4096'
    about_both "data that go on" 'chunk data be64:$offset pattern:4096:4096'
    about_both "a hole" 'chunk hole done be64:$offset be32:4096'
    about_both "extents" 'chunk status done be32:1 be32:4096 be32:0'
    about_both "an unknown chunk" 'chunk 77 done zero:8'
    about_errors "no error in an error chunk" 'chunk error done be32:0 be16:0'
    about_errors "an error whose text is too long" 'chunk error done be32:5 be16:60000 "bad"'
    about_both "something in an empty chunk" 'chunk none done zero:8'
    about_both "half an answer" 'send hex:67446698
close'
    about_both "the end" 'close'
} >"$tmp/script"
perl -e 'print pack("Q>*", map { 4096 + $_ * 8 } 0 .. 511)' >"$tmp/block"

# One block with its fsync, past the kernel's cache: its one write and its one flush.
write_block() {
    timeout 20 dd if="$tmp/block" of="$mnt/nbd" bs=4096 seek=4096 oflag=direct,seek_bytes \
        conv=notrunc,fsync status=none 2>"$tmp/dd.err"
}

while IFS= read -r name; do
    name=${name#case }
    start_peer "$name" -r
    peer_log=$started_log
    case $name in
    gone:*)
        start_nbdmount -C 1 -o retry=0,replay=0 "$uri" "$(new_dir mnt)"
        if write_block; then
            fail "$name: dd fails"
        else
            like "$name: dd fails with EIO" "$(cat "$tmp/dd.err")" "Input/output error"
        fi
        ok "$name: it works again" wait_for write_block
        ;;
    again:*)
        start_nbdmount -C 1 "$uri" "$(new_dir mnt)"
        ok "$name: dd ends well" write_block
        ;;
    esac
    stop_nbdmount
    is "$name: the daemon ends well" "$status" 0
    stop "$peer_pid"
    is "$name: the server was asked for what it should be" "$(grep '^peer:' "$peer_log")" ""
done < <(grep '^case ' "$tmp/script")
done_testing
