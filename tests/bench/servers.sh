# SPDX-License-Identifier: LGPL-2.1-or-later
# servers.sh - the nbdkits that all programs of a row are measured on; for bench.sh
#
# A server is started when the first row needs it and kept. What it serves is in memory, so
# that it is not what bounds the programs. use_server sets $uri, $server_pid, $size,
# $kind, and $sock (Unix socket) or $port (TCP).

declare -A server_state=()

use_server() { # NAME
    [ -n "${server_state[$1]:-}" ] || new_server "$1" || return
    eval "${server_state[$1]}"
}

new_server() { # NAME
    sock='' port='' kind=unix size=$bench_bytes
    case $1 in
    mem) start_on_unix "${full_disk[@]}" ;;
    delay-*)
        local delay=${1#delay-}
        start_on_unix --filter=delay "${full_disk[@]}" rdelay="$delay" wdelay="$delay" \
            delay-zero="$delay" delay-trim="$delay" delay-extents="$delay"
        ;;
    tcp) start_on_tcp && uri=nbd://127.0.0.1:$port/ ;;
    tls)
        make_key
        start_on_tcp --tls=require --tls-psk="$tmp/psk/keys.psk" &&
            uri="nbds://bench@127.0.0.1:$port/?tls-psk-file=$tmp/psk/keys.psk" && kind=tls
        ;;
    hole) size=$hole_bytes && start_on_unix memory "$size" ;;
    sparse)
        size=$sparse_bytes
        [ -e "$tmp/sparse.img" ] ||
            "$sparsefile" make "$tmp/sparse.img" "$size" "$sparse_data" "$sparse_pieces" 1 || return
        sync "$tmp/sparse.img" # what is written to the disk later would slow the first rounds
        start_on_unix file "$tmp/sparse.img"
        ;;
    extents-*)
        local pieces=${1#extents-}
        # Data and hole in turn, so that no two of them can be merged. The filter needs a time
        # that grows with the square of them to start: 1 s for 100,000, minutes for a million.
        size=$((pieces * 65536))
        awk -v n="$pieces" 'BEGIN { for (i = 0; i < n; i += 2) printf "%.0f 65536\n", i * 65536 }' \
            >"$tmp/$1.list"
        start_on_unix --filter=extentlist memory "$size" extentlist="$tmp/$1.list"
        ;;
    *) bail_out "no server '$1'" ;;
    esac || return
    server_pid=$started_pid
    server_state[$1]="uri='$uri' sock='$sock' port='$port' kind=$kind size=$size server_pid=$server_pid"
}

# What it serves is read once before each row: the machine's host may have taken memory that
# nobody used for a minute or two, and the first program would pay for getting it back.
warm_server() { # NAME
    local program=nbdmount connections='' mount_options=''
    case $1 in
    mem | delay-* | tcp | tls)
        use_server "$1" && mount_program || return 0 # the row will say why not
        timeout "$row_seconds" cat "$file" >/dev/null
        unmount_program
        ;;
    sparse)
        use_server "$1" || return 0
        cp --sparse=always "$tmp/sparse.img" "$copy_folder/warm.img"
        rm -f "$copy_folder/warm.img"
        ;;
    esac
}

# A disk with data everywhere: one allocation, no lock between two readers.
set_full_disk() {
    full_disk=(data "data=0x55*$bench_bytes" "size=$bench_bytes" allocator=malloc)
}

# As start_nbdkit, but a server that does not start costs its rows and not all of them.
start_on_unix() {
    sock=$tmp/server-$started_count.sock
    uri="nbd+unix:///?socket=$sock"
    start nbdkit nbdkit --foreground --exit-with-parent --pidfile="$sock.pid" --unix="$sock" "$@"
    wait_while_alive "$started_pid" test -s "$sock.pid" && return
    diag_file "$started_log"
    return 1
}

# nbdkit takes no port 0, so it gets a socket that listens already.
start_on_tcp() {
    local portfile=$tmp/port-$started_count
    start nbdkit "$driver" listen "$portfile" -- nbdkit --foreground --exit-with-parent "$@" \
        "${full_disk[@]}"
    wait_while_alive "$started_pid" test -s "$portfile" || return
    port=$(cat "$portfile")
    sock=''
    # It listens before nbdkit runs, so a client that comes early waits; but not for one
    # that died of its options.
    wait_while_alive "$started_pid" is_serving "$port" && return
    diag_file "$started_log"
    return 1
}

is_serving() { # PORT
    local magic
    exec {serving}<>"/dev/tcp/127.0.0.1/$1" || return
    read -r -t 5 -N 8 -u "$serving" magic
    exec {serving}>&-
    [ "$magic" = NBDMAGIC ]
}

# A pre-shared key, laid out as QEMU too wants it: keys.psk in a folder.
make_key() {
    mkdir -p "$tmp/psk"
    (umask 077 && printf 'bench:%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" \
        >"$tmp/psk/keys.psk")
}
