# SPDX-License-Identifier: LGPL-2.1-or-later
# rows.sh - what is measured; for bench.sh
#
# A row is a server, the programs, and a function with its arguments that measures one
# program once and gives samples of one or more metrics. rows.tsv says how each metric of
# each row is shown and what is expected of it.

# row NAME SERVER PROGRAMS FUNCTION ARGS...
row() {
    local name=$1
    row_names+=("$name")
    row_server[$name]=$2
    row_programs[$name]=$3
    shift 3
    row_function[$name]="$*"
}

define_rows() {
    local mounts="nbdmount base nbdfuse qemu" place n
    local all="$mounts nbdcopy"
    row seq-1M mem "$all" measure_dd 1M
    row seq-1M-readahead mem "$all" with_options cache=readahead measure_dd 1M
    row seq-128K mem "$mounts" measure_dd 128K
    row seq-warm mem "$mounts" measure_dd 1M warm
    row direct-1M mem "$mounts" measure_dd 1M direct
    row rand-qd1 mem "$mounts" measure_fio randread 1 1
    row rand-qd1-no-ahead mem "nbdmount base" with_options readahead=0 measure_fio_buffered randread 1
    row rand-qd1-buffered mem "$mounts" compared_with rand-qd1-no-ahead rate measure_fio_buffered randread 1
    row rand-qd32 mem "$mounts" measure_fio randread 32 1
    row rand-qd32-io-uring mem "nbdmount base" compared_with rand-qd32 rate with_io_uring measure_fio randread 32 1
    row readers-4 mem "$mounts" shorter measure_fio randread 1 4
    row readers-16 mem "$mounts" measure_fio randread 1 16
    row readers-64 mem "$mounts" with_growth rand-qd1 rate more measure_fio randread 1 64
    row write-seq mem "$mounts" measure_write 1M
    row write-seq-through mem "nbdmount base" compared_with write-seq rate with_options writebehind=0 measure_write 1M
    row write-4K mem "$mounts" shorter measure_write 4K
    row write-4K-writeback mem "nbdmount base" shorter compared_with write-4K rate with_options cache=writeback measure_write 4K
    row writers-4 mem "$mounts" shorter measure_fio_buffered randwrite 4
    row writers-4-no-cache mem "nbdmount base" shorter compared_with writers-4 rate with_options cache=none measure_fio_buffered randwrite 4
    row write-qd32 mem "$mounts" measure_fio randwrite 32 1
    row calls-qd1 mem "$mounts" measure_calls 1
    row calls-qd32 mem "$mounts" measure_calls 32
    row memory mem "$mounts" shorter measure_memory
    row start mem "$mounts" measure_start
    for n in 1 2 4; do
        row "connections-$n-seq" mem "nbdmount base nbdfuse" with_connections "$n" measure_dd 1M
        row "connections-$n-qd32" mem "nbdmount base nbdfuse" shorter with_connections "$n" measure_fio randread 32 1
    done
    for place in delay-2ms delay-10ms tcp tls; do
        row "$place-seq" "$place" "$all" measure_read 1M
        [[ $place != delay-* ]] || {
            row "$place-seq-readahead" "$place" "$all" with_options cache=readahead measure_read 1M
            row "$place-direct" "$place" "$mounts" shorter measure_read 1M direct
        }
        row "$place-qd1" "$place" "$mounts" shorter measure_fio randread 1 1
        row "$place-qd32" "$place" "$mounts" shorter measure_fio randread 32 1
        row "$place-write" "$place" "$mounts" shorter measure_write 1M
        [[ $place != delay-* ]] || row "$place-write-4K" "$place" "$mounts" shorter measure_write 4K
    done
    row cp-sparse sparse "$all" measure_cp
    row cp-sparse-readahead sparse "$all" with_options cache=readahead measure_cp
    row hole hole "$all" shorter measure_hole
    for n in 2 1000; do
        row "walk-$n" "extents-$n" "$mounts" measure_walk "$n"
    done
    row walk-100000 extents-100000 "$mounts" with_growth walk-1000 step less measure_walk 100000
    for n in 1 1000 1000000; do
        row "map-$n" none nbdmount measure_map "$n"
    done
}

# ---- tools

calc() { awk "BEGIN { printf \"%.6g\", $* }" </dev/null; }

# The value of a key=value word in $said.
got() {
    local word
    for word in $said; do
        [ "${word%%=*}" != "$1" ] || { echo "${word#*=}"; return; }
    done
    echo 0
}

# profiled COMMAND...: with BENCH_PROFILE also what the time of all processors went to, by
# program ("swapper" is nothing to do) and by function, those that led to it included.
profiled() {
    [ -n "${BENCH_PROFILE:-}" ] || { "$@"; return; }
    local name=$out/profile/$row-$program-$round code=0
    perf record --quiet --all-cpus --call-graph fp --event cpu-clock --freq 2000 \
        --output "$tmp/perf.data" -- "$@" || code=$?
    {
        perf report --input "$tmp/perf.data" --no-children --call-graph none --sort comm
        perf report --input "$tmp/perf.data" --no-children --call-graph none \
            --percent-limit 0.5 --sort comm,sym
        perf report --input "$tmp/perf.data" --children --call-graph none \
            --percent-limit 2 --sort comm,sym
    } 2>/dev/null | sed -n '/^# Overhead/p; /^[^#]/p' >"$name.txt"
    return "$code"
}

# So much memory as $needed_bytes, or as most need, is there.
have_memory() { "$driver" touch "${needed_bytes:-$((2 * bench_bytes))}" >/dev/null || exit 2; }

# run_measured SECONDS COMMAND...: sets $said. Fails, with $reason, if the command does;
# $(got timeout) is 1 where the time was up.
run_measured() {
    local limit=$1 code=0
    have_memory
    shift
    said=$(profiled "$driver" run ${daemon_pid:+-d "$daemon_pid"} -s "$server_pid" -t "$limit" \
        -- "$@" 2>"$tmp/measured.err") || code=$?
    [ "$code" -eq 0 ] && { [ "$(got status)" -eq 0 ] || [ "$(got timeout)" -eq 1 ]; } && return
    reason="failed: ${1##*/}: $(tail -n 1 "$tmp/measured.err" | tr '\t' ' ' | cut -c1-120)"
    return 1
}

# What the program needed for so many bytes: the daemon, or the command where there is none.
sample_cpu_per_gib() { # BYTES
    local cpu
    [ "$program" = nbdcopy ] && cpu=$(got command_cpu) || cpu=$(got daemon_cpu)
    sample cpu-gib "$(calc "$cpu / $1 * 1073741824")"
    sample server-cpu-gib "$(calc "$(got server_cpu) / $1 * 1073741824")"
}

# ---- what is measured

# For rows that show that nothing is wrong: no target of theirs depends on a few percent.
shorter() { # FUNCTION ARGS...
    local fio_seconds=1 cap_seconds=$((cap_seconds < 2 ? cap_seconds : 2))
    "$@"
}

with_connections() { # N FUNCTION ARGS...
    connections=$1
    shift
    "$@"
}

with_options() { # OPTIONS FUNCTION ARGS...: nbdmount's
    mount_options=$1
    shift
    "$@"
}

# Nothing is measured where it is not there: the facts say why.
with_io_uring() { # FUNCTION ARGS...
    [ -n "$no_io_uring" ] || with_options io_uring "$@"
}

# What was measured in this round.
sampled() { # ROW METRIC
    awk -F'\t' -v round="$round" -v row="$1" -v program="$program" -v metric="$2" \
        '$1 == round && $2 == row && $3 == program && $4 == metric { print $5 }' "$samples"
}

# What a round has measured is compared when it ends: which row came first changes.
to_compare=()

# How many times worse it is than in a row with less to do, where that was measured too.
with_growth() { # ROW METRIC more|less FUNCTION ARGS...
    to_compare+=("$row $program growth $1 $2 $3")
    "${@:4}"
}

# How many times the value is what it is in another row of the same round.
compared_with() { # ROW METRIC FUNCTION ARGS...
    to_compare+=("$row $program ratio $1 $2 more")
    "${@:3}"
}

compare_rows() {
    local line row program name before metric better from to
    for line in "${to_compare[@]}"; do
        read -r row program name before metric better <<<"$line"
        from=$(sampled "$before" "$metric") to=$(sampled "$row" "$metric")
        [ -n "$from" ] && [ -n "$to" ] || continue
        case $name-$better in
        growth-more) sample growth "$(calc "$from / $to")" ;;
        *) sample "$name" "$(calc "$to / $from")" ;;
        esac
    done
    to_compare=()
}

# The whole export once.
measure_dd() { # BLOCK [warm|direct]
    if [ "$program" = nbdcopy ]; then
        run_measured "$row_seconds" nbdcopy "$uri" null: || return
    else
        local flags=()
        [ "${2:-}" != direct ] || flags=(iflag=direct)
        mount_program || return
        [ "${2:-}" != warm ] || cat "$file" >/dev/null
        run_measured "$row_seconds" dd if="$file" of=/dev/null bs="$1" status=none ${flags[@]+"${flags[@]}"} || return
    fi
    [ "$(got timeout)" -eq 0 ] || { reason="not finished in $row_seconds s"; return 1; }
    sample rate "$(calc "$size / $(got seconds) / 1e6")"
    sample_cpu_per_gib "$size"
}

# In order, for at most $cap_seconds: programs that are slow where others are not.
measure_read() { # BLOCK [direct]
    local bytes=$size
    if [ "$program" = nbdcopy ]; then
        run_measured "$row_seconds" nbdcopy "$uri" null: || return
        [ "$(got timeout)" -eq 0 ] || { reason="not finished in $row_seconds s"; return 1; }
    else
        mount_program || return
        run_measured "$row_seconds" "$driver" read "$file" "$1" "$size" "$cap_seconds" ${2:+"$2"} || return
        bytes=$(got bytes)
        [ "$bytes" -gt 0 ] || { reason="nothing read in $row_seconds s"; return 1; }
    fi
    sample rate "$(calc "$bytes / $(got seconds) / 1e6")"
    sample_cpu_per_gib "$bytes"
}

# Whoever is quick fills more memory than elsewhere before the time is up.
measure_hole() {
    local needed_bytes=$((cap_seconds * 3 * bench_bytes))
    measure_read 1M
}

measure_write() { # BLOCK
    mount_program || return
    run_measured "$row_seconds" "$driver" write "$file" "$1" "$size" "$cap_seconds" || return
    [ "$(got bytes)" -gt 0 ] || { reason="nothing written in $row_seconds s"; return 1; }
    sample rate "$(calc "$(got bytes) / $(got seconds) / 1e6")"
    sample_cpu_per_gib "$(got bytes)"
}

# Sets fio_command; its result goes to $tmp/fio.
set_fio_command() { # READ-OR-WRITE DEPTH JOBS MORE...
    fio_command=(fio --name=bench --filename="$file" --rw="$1" --bs=4k --size="$size"
        --direct=1 --numjobs="$3" --group_reporting --randrepeat=0 --norandommap
        --fallocate=none --output-format=terse --terse-version=3 --output="$tmp/fio")
    if [ "$2" -gt 1 ]; then
        fio_command+=(--ioengine=libaio --iodepth="$2")
    else
        fio_command+=(--ioengine=psync)
    fi
    [ "$3" -eq 1 ] || fio_command+=(--thread) # one is a process, as fio has it by default
    shift 3
    fio_command+=("$@")
}

# A field of fio's terse output, version 3.
fio_field() { tail -n 1 "$tmp/fio" | cut -d';' -f"$1"; }

measure_fio() { # randread|randwrite DEPTH JOBS MORE...
    local kib=6 rate=8
    [ "$1" = randread ] || kib=47 rate=49
    mount_program || return
    set_fio_command "$@" --time_based --runtime="$fio_seconds"
    run_measured "$row_seconds" "${fio_command[@]}" || return
    [ "$(fio_field 5)" = 0 ] || { reason="fio: error $(fio_field 5)"; return 1; }
    local operations=$(($(fio_field "$kib") / 4))
    [ "$operations" -gt 0 ] || { reason="fio: no operation in $fio_seconds s"; return 1; }
    sample rate "$(fio_field "$rate")"
    sample cpu-op "$(calc "$(got daemon_cpu) / $operations * 1e6")"
    sample switches-op "$(calc "$(got switches) / $operations")"
}

# Through the page cache, and the kernel is not told that it is at random.
measure_fio_buffered() { # randread|randwrite JOBS
    measure_fio "$1" 1 "$2" --direct=0 --fadvise_hint=0
}

all_threads_traced() { # PID
    local task tracer
    for task in "/proc/$1/task/"*; do
        tracer=$(sed -n 's/^TracerPid:[[:space:]]*//p' "$task/status" 2>/dev/null)
        [ -z "$tracer" ] || [ "$tracer" -gt 0 ] || return 1
    done
}

# A run of its own, for strace slows it down. Once is enough.
measure_calls() { # DEPTH
    [ "$round" -eq 1 ] || return 0
    command -v strace >/dev/null || { reason="strace is not installed"; return 1; }
    mount_program || return
    set_fio_command randread "$1" 1 --number_ios="$calls_reads"
    start strace strace -c -f -p "$daemon_pid" -o "$tmp/strace"
    local strace_pid=$started_pid
    wait_while_alive "$strace_pid" all_threads_traced "$daemon_pid" ||
        { reason="strace: $(tail -n 1 "$started_log")"; return 1; }
    run_measured "$row_seconds" "${fio_command[@]}" || return
    stop "$strace_pid" INT
    local calls
    # Its columns: %, seconds, µs per call, calls, errors where there are any, name.
    calls=$(awk '$NF == "total" { print $4 }' "$tmp/strace")
    [ -n "$calls" ] || { reason="strace counted nothing"; return 1; }
    local operations=$(($(fio_field 6) / 4))
    [ "$operations" -gt 0 ] || { reason="fio: nothing read"; return 1; }
    sample calls-op "$(calc "$calls / $operations")"
}

peak_kib() { sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$daemon_pid/status"; }

measure_memory() {
    mount_program || return
    sample idle "$(calc "$(peak_kib) / 1024")"
    run_measured "$row_seconds" "$driver" read "$file" 1M "$size" "$cap_seconds" || return
    set_fio_command randrw 32 4 --time_based --runtime="$fio_seconds"
    run_measured "$row_seconds" "${fio_command[@]}" || return
    run_measured "$row_seconds" "$driver" write "$file" 1M "$size" "$cap_seconds" || return
    sample loaded "$(calc "$(peak_kib) / 1024")"
}

# From the start of the process to the first byte read.
measure_start() {
    local at code=0
    at=$(new_dir mnt)
    set_daemon_command "$program" "" "$at"
    have_memory
    said=$("$driver" start "$file" 20 -- "${daemon_command[@]}" 2>"$tmp/start.err") || code=$?
    unmount_lazily "$at/nbd" || unmount_lazily "$at" || true
    [ "$code" -eq 0 ] || { reason="failed: $(tail -n 1 "$tmp/start.err" | cut -c1-120)"; return 1; }
    sample time "$(calc "$(got start_seconds) * 1000")"
}

# Where the copies go: into memory if that can be had, because a disk takes now 0.3 s and now
# 3 s for the same bytes.
set_copy_folder() {
    copy_folder=$(new_dir copy)
    mount -t tmpfs -o "size=$((2 * $(numfmt --from=iec "$sparse_data")))" tmpfs "$copy_folder" 2>/dev/null ||
        echo "bench: the copies go to a disk, and take what that takes" >&2
}

# What does not finish is not tried again, nbdmount excepted; its time is estimated from how far it came.
measure_cp() {
    [ -z "${gave_up[$row/$program]:-}" ] || return 0
    local copy=$copy_folder/copy.img
    rm -f "$copy"
    sync -f "$tmp" # what the sample before it left to be written
    if [ "$program" != nbdcopy ]; then
        mount_program || return
    fi
    # The copy, the kernel's cache of what is read, and some more.
    local needed_bytes=$((3 * $(numfmt --from=iec "$sparse_data")))
    if [ "$program" = nbdcopy ]; then
        run_measured "$cp_seconds" nbdcopy "$uri" "$copy" || return
    else
        run_measured "$cp_seconds" cp --sparse=always "$file" "$copy" || return
    fi
    if [ "$(got timeout)" -eq 1 ]; then
        case $program in nbdmount | base) ;; *) gave_up[$row/$program]=1 ;; esac
        local reached
        reached=$(got reached)
        if [ "$reached" -gt 0 ] && [ "$program" != nbdcopy ]; then
            sample time "$(calc "$(got seconds) * $size / $reached")" '~'
        else
            sample time "$cp_seconds" '>'
        fi
    else
        sample time "$(got seconds)"
        [ "$(stat -c %s "$copy")" -eq "$size" ] || { reason="the copy has another size"; return 1; }
        # Fewer blocks than there is data: something was taken for a hole.
        [ "$(stat -c %b "$copy")" -ge $(($(stat -c %b "$tmp/sparse.img") * 9 / 10)) ] ||
            { reason="the copy lacks data"; return 1; }
    fi
    rm -f "$copy"
}

measure_walk() { # PIECES
    mount_program || return
    run_measured "$row_seconds" "$driver" walk "$file" "$cap_seconds" || return
    local steps
    steps=$(got steps)
    if [ "$(got whole)" -eq 1 ] && [ "$steps" -ne "$1" ]; then
        reason="$steps pieces instead of $1"
        return 1
    fi
    sample step "$(calc "$(got io_seconds) / $steps * 1e6")"
}

measure_map() { # EXTENTS
    said=$("$map" "$1") || { reason="failed"; return 1; }
    sample lookup "$(got lookup_ns)"
    sample bytes "$(calc "$(got bytes) / 1048576")"
    sample fill "$(got random_fill_ns)"
}
