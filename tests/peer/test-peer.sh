#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-peer.sh - the scripted server itself, as a program on a Unix socket

. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

bin=$abs_top_builddir/tests/peer
cat >"$tmp/script" <<'END'
case good
handshake
serve
case expects a write
handshake
request write
drain
case two connections
handshake
request read
close
connection
handshake
serve
END

# play CASE-AND-OPTIONS -- OPERATION...
play() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    run "$bin/peer" "${options[@]}" "$tmp/script" sh -c \
        'exec "$0" "connect-unix $UNIXSOCKET" "$@"' "$bin/client" "$@"
}

play -c good -- size "pread 512 512" shutdown
is "a good script serves a good client" "$status" 0
is "the client sees the export" "$out" "connect-unix: ok
size: 1048576
pread: ok p512
shutdown: ok"

play -c good -p 1 -- "pread 512 512" shutdown
is "byte by byte it is the same" "$status" 0

play -c good -k 20 -- size
is "cut off in the handshake the client fails" "$status" 1
like "and says that it did" "$out" "connect-unix: error"

play -c "expects a write" -- "pread 512 512"
isnt "a client that does something else makes the server fail" "$status" 0
like "and the server says in which line" "$err" "line 6: the client sends read"

run "$bin/peer" -c "two connections" "$tmp/script" sh -c \
    '"$0" "connect-unix $UNIXSOCKET" "pread 0 512"
     exec "$0" "connect-unix $UNIXSOCKET" "pread 512 512" shutdown' "$bin/client"
is "each connection gets its section" "$status" 0
like "the first one is closed on, the second one served" "$out" \
    "pread: error .*pread: ok p512"

run "$bin/peer" "$tmp/script" sh -c 'echo "$uri"'
like "a command gets the URI" "$out" "^nbd\+unix:///\?socket=/"
isnt "the folder of the socket is gone at the end" "$(ls -d "${out#*=}" 2>&1)" "${out#*=}"

done_testing
