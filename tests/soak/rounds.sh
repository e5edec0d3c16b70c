# SPDX-License-Identifier: LGPL-2.1-or-later
# rounds.sh - for soak.sh, after servers.sh: what can happen to a mount at which programs
# are at work, each for some seconds.  All choices come from $RANDOM.

workers=$abs_top_builddir/tests/soak/workers
faulty=$abs_top_builddir/tests/soak/faulty
image=$tmp/durable.img
namespaces=()

random() { # FROM TO
    echo $(($1 + RANDOM % ($2 - $1 + 1)))
}
pick() { # WORD...
    local words=("$@")
    echo "${words[RANDOM % $#]}"
}
# As "pause", for so many hundredths of a second.
pause_some() { # FROM TO
    local n
    n=$(random "$1" "$2")
    pause "$((n / 100)).$(printf %02d $((n % 100)))"
}

new_image() { # SIZE
    rm -f "$image" "$tmp/stop" "$tmp/full"
    truncate -s "$1" "$image"
}

# begin URI OPTIONS [ERRNO...]: mounts, and lets programs work; ERRNO is what may fail.
begin() {
    local uri=$1 options=$2
    shift 2
    start_nbdmount $options "$uri" "$(new_dir mnt)"
    start workers "$workers" "$mnt/nbd" "$image" "$RANDOM" 6 "$tmp/stop" "$@"
    work_pid=$started_pid
    work_log=$started_log
}
at_work() { [ "$SECONDS" -lt "$end" ] && is_alive "$work_pid"; }

finish() { # NAME
    end_work "$1"
    is "$1: no byte differs, and nothing fails that must not" "$status" 0 ||
        { diag_file "$work_log"; diag_file "$nbdmount_log"; }
    at_least "$1: they have done something" "$(done_some writes)" 1
    diag "$(tail -n 1 "$work_log")"
    stop_nbdmount
    is "$1: the daemon ends well" "$status" 0 || diag_file "$nbdmount_log"
    stop "$server"
}
# done_some WHAT: a figure of what the programs print at their end.
done_some() { grep -oE "[0-9]+ $1" "$work_log" | grep -oE '[0-9]+' || echo 0; }
socket_uri() { echo "nbd+unix:///?socket=$1"; }

# The server is killed and forgets.
round_kills() { # BLOCK CONNECTIONS REPLAY KILLS SECONDS
    local block=$1 kills=0
    end=$((SECONDS + $5))
    new_image 24M
    start_volatile early=10 block="$block"
    begin "$(socket_uri "$sock")" "-C $2 -o retry=forever,replay=$3"
    while [ "$kills" -eq 0 ] || { [ "$kills" -lt "$4" ] && at_work; }; do
        pause_some 10 70
        [ $((RANDOM % 6)) -gt 0 ] || { kill -s STOP "$server"; pause 0.1; }
        kill_server
        [ $((RANDOM % 3)) -gt 0 ] || pause_some 10 50
        start_volatile early=10 block="$block"
        kills=$((kills + 1))
    done
    diag "$kills kills"
    at_least "blocks of $1, $2 connections, replay=$3: the server is killed" "$kills" 1
    finish "blocks of $1, $2 connections, replay=$3"
}

# Without replay= what is forgotten is lost: the programs must find that out, or they
# find nothing.
round_forgets() { # KILLS
    local kills
    new_image 3M
    start_volatile
    begin "$(socket_uri "$sock")" "-o retry=forever,replay=0"
    for ((kills = 0; kills < $1; kills++)); do
        is_alive "$work_pid" || break
        pause_some 10 30
        kill_server
        start_volatile
    done
    end_work "replay=0"
    is "replay=0: programs find out that something is lost" "$status" 1 || diag_file "$work_log"
    like "replay=0: and what" "$(cat "$work_log")" "WRONG: (fsync|read|durable)"
    stop_nbdmount
    stop "$server"
}

# What it says is spoilt on the way: see faulty.c.
round_spoilt() { # FAULT EVERY SECONDS [ERRNO...]
    local name="$1 about every $2 bytes" fault=$1 every=$2 between=$tmp/between.sock
    end=$((SECONDS + $3))
    shift 3
    new_image 3M
    start_volatile block="$(random 1 2 | sed 's/2/512/')"
    rm -f "$between"
    start faulty "$faulty" "$between" "$sock" "$RANDOM" "$fault" "$every"
    local faulty_pid=$started_pid faulty_log=$started_log
    wait_while_alive "$faulty_pid" test -S "$between" || bail_out "faulty does not start"
    begin "$(socket_uri "$between")" "-C 1 -o retry=forever,replay=$(random 1 8)M" "$@"
    while at_work || { is_alive "$work_pid" && ! [ -s "$faulty_log" ]; }; do
        revive_server
        pause 0.1
    done
    finish "$name"
    at_least "$name: there are some" "$(wc -l <"$faulty_log")" 1
    diag "$(tail -n 1 "$faulty_log")"
    stop "$faulty_pid"
}

has_seen_error() { is_gone "$work_pid" || grep -q "the first error: " "$work_log"; }

# Each so manieth command fails, until the programs have seen one at least.
round_errors() { # EVERY SECONDS
    end=$((SECONDS + $2))
    new_image 24M
    start_volatile fail="$1" block="$(random 1 2 | sed 's/2/4096/')"
    begin "$(socket_uri "$sock")" "-C $(random 1 4)" EIO
    while at_work || ! has_seen_error; do pause 0.1; done
    finish "each ${1}th command fails"
    at_least "each ${1}th command fails: programs see it" "$(done_some errors)" 1
}

# The server's disk is full now and then; at first until the programs have seen it.
full_disk_was_seen() {
    revive_server
    has_seen_error
}
round_full() { # SECONDS
    end=$((SECONDS + $1))
    new_image 24M
    start_volatile full="$tmp/full"
    begin "$(socket_uri "$sock")" "-C $(random 1 4)" ENOSPC
    : >"$tmp/full"
    wait_for full_disk_was_seen
    while at_work; do
        : >"$tmp/full"
        pause_some 5 60
        rm -f "$tmp/full"
        pause_some 5 30
    done
    rm -f "$tmp/full"
    finish "a disk that is full now and then"
    at_least "a disk that is full now and then: programs see ENOSPC" "$(done_some errors)" 1
}

# It comes back with a larger disk, with another one that is smaller, and the right one.
round_sizes() { # SECONDS
    local turns=0
    end=$((SECONDS + $1))
    new_image 24M
    truncate -s 1M "$tmp/small"
    start_volatile
    begin "$(socket_uri "$sock")" "-C $(random 1 4) -o retry=forever" ESTALE
    while at_work || [ "$turns" -eq 0 ]; do
        pause_some 10 60
        kill_server
        truncate -s +1M "$image"
        start_volatile
        pause_some 10 60
        kill_server
        start_server file "$tmp/small"
        pause_some 30 60
        kill_server
        start_volatile
        turns=$((turns + 1))
    done
    finish "other sizes in between"
    like "other sizes in between: it is said" "$(cat "$nbdmount_log")" "this is not what was mounted: the export's size was"
}

# Its certificate is renewed, or it comes back with one that is nobody's to trust, or
# expired: nothing is sent to it then.
make_certificates() {
    [ -d "$tmp/trust" ] && return
    local name='dns_name = "localhost"'
    authority ca
    authority stranger
    certificate ca first "$name"
    certificate ca renewed "$name"
    certificate stranger untrusted "$name"
    certificate ca elsewhere 'dns_name = "nbd.example.com"'
    certificate ca expired "$name" 'activation_date = "2001-01-01 00:00:00"' \
        'expiration_date = "2001-02-01 00:00:00"'
    mkdir "$tmp/trust"
    cp "$tmp/ca/ca-cert.pem" "$tmp/trust"
}
start_with_certificate() { # FOLDER
    start_server --tls=require --tls-certificates="$tmp/$1" "$tmp/volatile.so" file="$image" early=10
}
says() { grep -q "$1" "$nbdmount_log"; }
round_certificates() { # SECONDS
    local turns=0 name="a certificate that changes"
    local bad=(untrusted elsewhere expired)
    local said=("issuer is unknown" "does not have the name" "has expired")
    end=$((SECONDS + $1))
    make_certificates
    new_image 24M
    start_with_certificate first
    begin "nbds+unix:///?socket=$sock&tls-hostname=localhost&tls-certificates=$tmp/trust" \
        "-C $(random 1 4) -o retry=forever"
    while at_work || [ "$turns" -lt 3 ]; do
        pause_some 10 60
        kill_server
        start_with_certificate "${bad[turns % 3]}"
        if [ "$turns" -lt 3 ]; then
            ok "$name: '${said[turns]}' is said" wait_for says "${said[turns]}"
        else
            pause_some 30 90
        fi
        kill_server
        start_with_certificate "$(pick first renewed)"
        turns=$((turns + 1))
    done
    diag "$turns times"
    finish "$name"
}

# ---- a network of two namespaces

end_network() {
    local namespace
    for namespace in ${namespaces[@]+"${namespaces[@]}"}; do
        ip netns del "$namespace" 2>/dev/null
    done
    namespaces=()
}
trap 'code=$?; end_network; (exit "$code"); cleanup' EXIT

# False where this may not be done.
begin_network() {
    local here=nbd-here-$$ there=nbd-there-$$ namespace
    for namespace in "$here" "$there"; do
        ip netns add "$namespace" 2>/dev/null || return 1
        namespaces+=("$namespace")
        ip -n "$namespace" link set lo up || return 1
    done
    ip -n "$here" link add wire type veth peer name wire netns "$there" || return 1
    ip -n "$here" address add 198.18.0.1/30 dev wire
    ip -n "$there" address add 198.18.0.2/30 dev wire
    ip -n "$here" link set wire up && ip -n "$there" link set wire up
}

# Its link goes down and up.
round_link() { # SECONDS
    local downs=0 name="a link that goes down and up" own=$nbdmount
    if ! begin_network; then
        end_network
        skip "$name" "no right to make network namespaces"
        return
    fi
    end=$((SECONDS + $1))
    new_image 24M
    rm -f "$tmp/pid"
    start nbdkit nsenter --net="/run/netns/${namespaces[1]}" nbdkit --foreground \
        --exit-with-parent --pidfile="$tmp/pid" --port=10809 "$tmp/volatile.so" file="$image"
    server=$started_pid
    wait_while_alive "$server" test -s "$tmp/pid" || bail_out "nbdkit does not start"
    printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s %q "$@"\n' "${namespaces[0]}" "$own" >"$tmp/there"
    chmod +x "$tmp/there"
    nbdmount=$tmp/there
    begin nbd://198.18.0.2 "-C $(random 1 4) -o retry=forever"
    nbdmount=$own
    while at_work || [ "$downs" -eq 0 ]; do
        pause_some 20 80
        ip -n "${namespaces[0]}" link set wire down
        pause_some 10 150
        ip -n "${namespaces[0]}" link set wire up
        downs=$((downs + 1))
    done
    diag "$downs times"
    finish "$name"
    end_network
}
