# SPDX-License-Identifier: LGPL-2.1-or-later
# servers.sh - for the tests of this folder, after lib.sh: a server that forgets when it
# is killed what it has not flushed
#
#     build_volatile
#     image=$tmp/durable.img; truncate -s 24M "$image"
#     start_volatile block=512     # $server, on $sock, the same each time
#     kill_server

sock=$tmp/server.sock
server=
deaths=0

build_volatile() {
    need_program nbdkit
    need "nbdkit's header" "${CC:-cc}" -fsyntax-only -include nbdkit-plugin.h \
        -DNBDKIT_API_VERSION=2 -x c /dev/null
    "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O2 -fPIC -shared -o "$tmp/volatile.so" \
        "$abs_top_srcdir/tests/soak/volatile.c" 2>"$tmp/cc.log" && return
    diag_file "$tmp/cc.log"
    bail_out "the plugin does not compile"
}

# start_server ARGS...: nbdkit; it takes over the socket's name.
start_server() {
    server_args=("$@")
    rm -f "$sock" "$tmp/pid"
    start nbdkit nbdkit --foreground --exit-with-parent --pidfile="$tmp/pid" --unix="$sock" "$@"
    server=$started_pid
    server_log=$started_log
    wait_while_alive "$server" test -s "$tmp/pid" && return
    diag_file "$started_log"
    bail_out "nbdkit $* does not start"
}

# start_volatile PARAMETERS...: keeps what is flushed in $image.
start_volatile() {
    start_server "$tmp/volatile.so" file="$image" "$@"
}

kill_server() {
    kill -s KILL "$server"
    wait_for is_gone "$server"
    stop "$server"
}

# nbdkit 1.32 now and then crashes when a connection ends with commands under way: then
# it is started again, and that is a kill like others.
revive_server() {
    is_alive "$server" && return
    deaths=$((deaths + 1))
    cat "$server_log" >>"$tmp/deaths"
    stop "$server"
    start_server "${server_args[@]}"
}

# ---- the programs at work: $work_pid, which says in $work_log what they have done

have_ended() {
    revive_server
    is_gone "$work_pid"
}

# What each thread of a process waits for.
tell_threads() { # PID
    local task
    for task in "/proc/$1/task/"*; do
        diag "$(cat "$task/comm" "$task/wchan" "$task/syscall" 2>/dev/null | tr '\n\0' '  ')"
    done
}

# end_work NAME: lets them end; $status is how they did.  A slow machine has all the time
# that it needs, as long as they get on.
end_work() {
    : >"$tmp/stop"
    if ! WAIT_SECONDS=$((2 * WAIT_SECONDS)) ok "$1: the programs end" \
        wait_while_growing "$work_log" have_ended; then
        diag "$(timeout 5 "$nbdmount" --status "$mnt" 2>&1)"
        tell_threads "$work_pid"
        tell_threads "$nbdmount_pid"
        tell_threads "$server"
    fi
    stop "$work_pid"
}
