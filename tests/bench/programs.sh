# SPDX-License-Identifier: LGPL-2.1-or-later
# programs.sh - the programs that are compared, run as a user would run them; for bench.sh
#
#     nbdmount   of this tree; NBDMOUNT=PATH for another
#     base       with BENCH_BASE='COMMAND OPTIONS': one more nbdmount, to compare with
#     nbdfuse    libnbd's
#     qemu       qemu-storage-daemon's FUSE export
#     nbdcopy    libnbd's; it mounts nothing and is there as a bound
#
# nbdfuse 1.14 has no way to be given a pre-shared key, so its TLS rows are n/a.
#
# All with their defaults, which is up to 4 connections where the server allows it, but
# for QEMU, whose client has one.

# Sets daemon_command, and file: where the export can be read once it runs.
set_daemon_command() { # PROGRAM CONNECTIONS ("" for the default) MOUNTPOINT
    local program=$1 connections=$2 at=$3
    local -a words
    case $program in
    nbdmount | base)
        words=("${nbdmount_command[@]}")
        [ "$program" = nbdmount ] || read -r -a words <<<"$BENCH_BASE"
        daemon_command=("${words[@]}" -f ${connections:+-C "$connections"}
            ${mount_options:+-o "$mount_options"} "$uri" "$at")
        file=$at/nbd
        ;;
    nbdfuse)
        daemon_command=(nbdfuse ${connections:+-C "$connections"} "$at" "$uri")
        file=$at/nbd
        ;;
    qemu)
        local server="server.type=unix,server.path=$sock" objects=()
        [ -n "$sock" ] || server="server.type=inet,server.host=127.0.0.1,server.port=$port"
        if [ "$kind" = tls ]; then
            objects=(--object "tls-creds-psk,id=tls,endpoint=client,dir=$tmp/psk,username=bench")
            server+=",tls-creds=tls"
        fi
        daemon_command=(qemu-storage-daemon ${objects[@]+"${objects[@]}"}
            --blockdev "driver=nbd,node-name=disk,$server"
            --export "type=fuse,id=export,node-name=disk,mountpoint=$at/nbd,writable=on")
        # It mounts over a file.
        : >"$at/nbd"
        file=$at/nbd
        ;;
    esac
}

can_read_file() { [ "$(head -c 1 "$file" 2>/dev/null | wc -c)" -eq 1 ]; }

# Mounts anew, so that nothing is cached; sets $file and $daemon_pid. Where it does not
# mount, $reason says why.
mount_program() {
    local at
    at=$(new_dir mnt)
    set_daemon_command "$program" "$connections" "$at"
    start "$program" "${daemon_command[@]}"
    daemon_pid=$started_pid daemon_log=$started_log mountpoint=$at
    if ! wait_while_alive "$daemon_pid" can_read_file; then
        reason="did not mount"
    elif [ "$mount_options" = io_uring ] &&
        ! awk '/^CqTail:/ && $2 > 2 { used = 1 } END { exit !used }' "/proc/$daemon_pid/fdinfo/"*; then
        reason="io_uring is not used"
    else
        return 0
    fi
    reason+=": $(tail -n 1 "$daemon_log" | tr '\t' ' ' | cut -c1-120)"
    unmount_program
    return 1
}

unmount_program() {
    WAIT_SECONDS=10 stop "$daemon_pid" || true
    unmount_lazily "$mountpoint/nbd" || unmount_lazily "$mountpoint" || true
    rm -f "$mountpoint/nbd" 2>/dev/null
    rmdir "$mountpoint" 2>/dev/null || true
    daemon_pid=''
}

# Prints why a program cannot run here, or nothing.
why_not() { # PROGRAM
    local needed
    case $1 in
    nbdmount) needed=${nbdmount_command[${#nbdmount_command[@]} - 1]} ;;
    base) needed=${BENCH_BASE%% *} ;;
    qemu) needed=qemu-storage-daemon ;;
    *) needed=$1 ;;
    esac
    command -v "$needed" >/dev/null || echo "$needed is not installed"
}

# Prints why nbdmount does not get its requests through io_uring here, or nothing.
why_no_io_uring() {
    if ! "${nbdmount_command[@]}" --help -o io_uring >/dev/null 2>&1; then
        echo "nbdmount was built without liburing"
    elif [ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" != Y ]; then
        echo "not enabled in /sys/module/fuse/parameters/enable_uring"
    fi
}

version_of() { # PROGRAM
    case $1 in
    nbdmount) "${nbdmount_command[@]}" --version ;;
    base) echo "$BENCH_BASE" ;;
    qemu) qemu-storage-daemon --version ;;
    *) "$1" --version ;;
    esac 2>&1 | head -n 1
}
