# SPDX-License-Identifier: LGPL-2.1-or-later
# bench.sh - measures nbdmount beside other ways to an NBD export, alternately on the same
# servers; "make bench" runs it, README.md explains it
#
#     BENCH_ROUNDS=5      rounds; in each, every program in every row once
#     BENCH_ROWS=.        a regular expression that a row's name matches (list: bench.sh --list)
#     BENCH_PROGRAMS=.    the same for programs
#     BENCH_BASE=         'COMMAND OPTIONS' of one more nbdmount, to compare with
#     BENCH_SIZE=1G       of the disk that is full of data; one for each server
#     BENCH_CP_SECONDS=20 how long a copy of the sparse disk may take
#     BENCH_OUT=          where the result goes (default: the current folder's bench-result)
#     BENCH_SHORT=        not empty: all small and once, to prove that the harness works
#     BENCH_PROFILE=      not empty: perf watches the whole machine meanwhile; what each sample's
#                         time went to is in the result's profile/ROW-PROGRAM-ROUND.txt
#     BENCH_HOLD_MEMORY=  not empty: what is free is not given back to the machine's host until
#                         this ends, where the kernel can be told that (by root; README.md)
#     BENCH_STRICT=       not empty: a target that is missed makes the exit status 1
here=$(cd "$(dirname "$0")" && pwd)
. "${abs_top_srcdir:=$(cd "$here/../.." && pwd)}/tests/lib.sh"
tap_done=1 # what this prints is not TAP
. "$here/machine.sh"
. "$here/servers.sh"
. "$here/programs.sh"
. "$here/rows.sh"

driver=$abs_top_builddir/tests/bench/driver
map=$abs_top_builddir/tests/bench/map
sparsefile=$abs_top_builddir/tests/fuse/sparsefile
out=${BENCH_OUT:-$PWD/bench-result}
rounds=${BENCH_ROUNDS:-5}
fio_seconds=2 cap_seconds=3 row_seconds=20 calls_reads=2000 cp_seconds=${BENCH_CP_SECONDS:-20}
bench_size=${BENCH_SIZE:-1G} hole_bytes=$((100 << 30))
sparse_bytes=$((1 << 40)) sparse_data=1G sparse_pieces=1000
if [ -n "${BENCH_SHORT:-}" ]; then
    rounds=1 fio_seconds=1 cap_seconds=1 calls_reads=200 bench_size=32M
    sparse_data=16M sparse_pieces=10 cp_seconds=5
fi
bench_bytes=$(numfmt --from=iec "$bench_size") || exit 2
set_full_disk

row_names=()
declare -A row_server=() row_programs=() row_function=() gave_up=()
define_rows
if [ "${1:-}" = --list ]; then
    printf '%s\n' "${row_names[@]}"
    exit 0
fi

# Libtool's wrapper is a shell script, which would be measured along. Our library must not be
# found by the other programs, so the variable is for nbdmount alone.
real=$abs_top_builddir/src/.libs/nbdmount
nbdmount_command=("$nbdmount")
if [ -z "${NBDMOUNT:-}" ] && [ -x "$real" ]; then
    nbdmount_command=(env "LD_LIBRARY_PATH=$abs_top_builddir/lib/.libs" "$real")
fi

[ "$SANITIZER" = none ] || { echo "bench: built with a sanitizer ($SANITIZER): not measured" >&2; exit 2; }
for program in nbdkit fusermount3 fio; do
    command -v "$program" >/dev/null || { echo "bench: $program is needed" >&2; exit 2; }
done
[ -w /dev/fuse ] || { echo "bench: /dev/fuse is needed" >&2; exit 2; }

if [ -n "${BENCH_PROFILE:-}" ]; then
    command -v perf >/dev/null || { echo "bench: perf is needed (linux-perf)" >&2; exit 2; }
    rm -rf "$out/profile"
    mkdir -p "$out/profile" || exit 2
fi

mkdir -p "$out" || exit 2
samples=$out/samples.tsv
: >"$samples"
rm -f "$out"/chart.dat "$out"/bench.*

# sample METRIC VALUE [NOTE]: '>' says "at least", '~' "estimated".
sample() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$round" "$row" "$program" "$1" "$2" "${3:-}" >>"$samples"
}

# One program in one row, once.
measure() {
    reason=$(why_not "$program") daemon_pid='' connections='' mount_options=''
    local server=${row_server[$row]}
    if [ -n "$reason" ] || { [ "$server" != none ] && ! use_server "$server"; }; then
        sample status 0 "n/a: ${reason:-the server did not start}"
        return
    fi
    # shellcheck disable=SC2086
    ${row_function[$row]} || sample status 0 "n/a: ${reason:-not measured}"
    if [ -n "$daemon_pid" ]; then
        is_alive "$daemon_pid" || sample status 0 "failed: the daemon is gone"
        unmount_program
    fi
}

# Programs of this row that are wanted, another first in each round.
ordered_programs() {
    local wanted=() name
    for name in ${row_programs[$row]}; do
        [[ $name =~ ${BENCH_PROGRAMS:-.} ]] || continue
        [ "$name" != base ] || [ -n "${BENCH_BASE:-}" ] || continue
        wanted+=("$name")
    done
    local n=${#wanted[@]} i
    for ((i = 0; i < n; i++)); do
        echo "${wanted[(i + round - 1) % n]}"
    done
}

# Rows that are wanted, from the last to the first in every other round: what is measured
# earlier may find another machine.
ordered_rows() {
    local name wanted=()
    for name in "${row_names[@]}"; do
        [[ ! $name =~ ${BENCH_ROWS:-.} ]] || wanted+=("$name")
    done
    [ "${#wanted[@]}" -gt 0 ] || return 0
    printf '%s\n' "${wanted[@]}" | if [ $((round % 2)) -eq 1 ]; then cat; else tac; fi
}

no_io_uring=$(why_no_io_uring)
set_copy_folder
hold_memory
row=facts round=0 program=machine
facts >"$out/facts.tsv"
begin=$SECONDS
for ((round = 1; round <= rounds; round++)); do
    for row in $(ordered_rows); do
        calibrate
        warm_server "${row_server[$row]}"
        for program in $(ordered_programs); do
            [ ! -t 2 ] || printf '\r\033[Kround %d of %d: %s, %s' "$round" "$rounds" "$row" "$program" >&2
            measure
        done
    done
    compare_rows
done
[ ! -t 2 ] || printf '\r\033[K' >&2
late_facts >>"$out/facts.tsv"
stop_all

code=0
perl "$here/report.pl" ${BENCH_STRICT:+--strict} ${BENCH_SHORT:+--complete} \
    "$here/rows.tsv" "$out" || code=$?
if [ ! -s "$out/chart.dat" ]; then
    echo "no chart: nothing to compare with"
elif command -v gnuplot >/dev/null; then
    (cd "$out" && gnuplot "$here/chart.gp") && echo "chart: $out/bench.svg" || code=1
else
    echo "no chart: gnuplot is not installed"
fi
exit "$code"
