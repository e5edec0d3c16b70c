# SPDX-License-Identifier: LGPL-2.1-or-later
# machine.sh - what the machine is, what it can do, and its memory; for bench.sh

# What the machine can do at this moment, and how much of it was taken away.
calibrate() {
    said=$("$driver" calibrate) || exit 2
    program=machine sample calibration "$(got calibration)"
}

facts() {
    printf 'date\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    printf 'kernel\t%s\n' "$(uname -sr)"
    printf 'processors\t%s x %s\n' "$(nproc)" \
        "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
    printf 'memory\t%s MiB\n' "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
    printf 'rounds\t%s\n' "$rounds"
    printf 'full disk\t%s, nbdkit data, allocator=malloc\n' "$bench_size"
    printf 'sparse disk\t%s with %s in %s pieces\n' "$(numfmt --to=iec "$sparse_bytes")" \
        "$sparse_data" "$sparse_pieces"
    printf 'copies of it\t%s\n' "to $(stat -f -c %T "$copy_folder")"
    printf 'cold\t%s\n' "a fresh mount for each sample, which empties the page cache of the file"
    printf 'server\t%s\n' "$(nbdkit --version)"
    printf 'io_uring\t%s\n' "${no_io_uring:-usable}"
    [ -z "${BENCH_PROFILE:-}" ] || printf 'profile\tperf is at work, so rates are lower\n'
    for program in nbdmount ${BENCH_BASE:+base} nbdfuse qemu nbdcopy; do
        [ -n "$(why_not "$program")" ] || printf '%s\t%s\n' "$program" "$(version_of "$program")"
    done
}

# What is known only when all was measured.
late_facts() {
    printf 'took\t%s s\n' $((SECONDS - begin))
    [ ! -r "$reporting/reported_kib" ] || printf 'given back\t%s MiB of free memory to the host%s\n' \
        $((($(cat "$reporting/reported_kib") - reported_before) / 1024)) "${memory_is_held:+ (BENCH_HOLD_MEMORY)}"
}

# ---- memory that is free

# A virtual machine's kernel reports it to the host, which takes it (free page reporting). That
# takes a part of the processors' time, in the middle of a sample too, and what it took is slow
# to come back. These say how long a page has to be free and, whatever that is, how much may
# wait; few kernels have them. What is free for longer than a minute, the most that can be said,
# goes all the same.
reporting=/sys/module/page_reporting/parameters
memory_is_held='' reported_before=0 settings_before=()
held_settings=(min_free_ms=60000 max_waiting_mib=1048576)

hold_memory() {
    local setting name
    [ ! -r "$reporting/reported_kib" ] || reported_before=$(cat "$reporting/reported_kib")
    [ -n "${BENCH_HOLD_MEMORY:-}" ] || return 0
    trap 'code=$?; release_memory; (exit "$code"); cleanup' EXIT
    for setting in "${held_settings[@]}"; do
        name=${setting%%=*}
        [ -w "$reporting/$name" ] && settings_before+=("$name=$(cat "$reporting/$name")") &&
            echo "${setting#*=}" 2>/dev/null >"$reporting/$name" ||
            { echo "bench: BENCH_HOLD_MEMORY: $reporting/$name cannot be set" >&2; exit 2; }
    done
    memory_is_held=1
}

release_memory() {
    local setting
    for setting in "${settings_before[@]}"; do
        echo "${setting#*=}" >"$reporting/${setting%%=*}"
    done
}
