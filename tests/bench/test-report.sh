# SPDX-License-Identifier: LGPL-2.1-or-later
# The benchmark's report: medians, ratios, verdicts, and that rows and their description agree.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_program perl
bench=$abs_top_srcdir/tests/bench

# samples ROW METRIC PROGRAM VALUE...: one for each round.
samples() {
    local row=$1 metric=$2 program=$3 round=0 value
    shift 3
    for value; do
        round=$((round + 1))
        printf '%d\t%s\t%s\t%s\t%s\t\n' "$round" "$row" "$program" "$metric" "$value"
    done >>"$tmp/samples.tsv"
}
report() {
    printf 'rounds\t5\n' >"$tmp/facts.tsv"
    run perl "$bench/report.pl" "$@" "$tmp/rows.tsv" "$tmp"
}
# The line of a table that begins with a title, with single blanks; the first table is 1.
line() { # TITLE TABLE
    grep "^$1 " "$tmp/bench.txt" | sed -n "$2p" | tr -s ' '
}

{
    printf 'fast\trate\tFast\tMB/s\tmore\t1.4\t1.6\t-\t-\n'
    printf 'short\ttime\tShort\ts\tless\t0.6\t-\t-\t-\n'
    printf 'small\tloaded\tSmall\tMiB\tless\t-\t-\t-\t64\n'
    printf 'big\tratio\tBig\tx\tmore\t-\t-\t-\t0.95\n'
} >"$tmp/rows.tsv"

quiet() { : >"$tmp/samples.tsv" && samples fast calibration machine 0.10 0.10 0.10 0.10 0.10; }

quiet
samples fast rate nbdmount 140 150 160 150 151
samples fast rate nbdfuse 100 100 101 99 100
samples fast rate qemu 100 101 100 99 100
samples short time nbdmount 4 5 6 5 5
samples short time nbdfuse 10 10 10 10 10
samples small loaded nbdmount 65 66 65 65 65
samples big ratio nbdmount 0.96 0.97 1.02 0.97 0.99
report
is "a report of whole samples succeeds" "$status" 0
like "a median has its lowest and highest beside it" "$(line Fast 1)" '150 \(140-160\) 100 \(99\.0-101\)'
like "where more is better, a ratio above its target is met" \
    "$(line Fast 2)" '1\.50 \(1\.40-1\.58; 1\.50 \+-2%\) >= 1\.4 met '
like "a ratio below its target in every round is missed" "$(line Fast 2)" '>= 1\.6 MISSED$'
like "where less is better, a ratio below its target is met" "$(line Short 2)" '0\.50 .*<= 0\.6 met$'
like "a value above its limit is missed" "$(line Small 2)" '65\.0 .*<= 64 MISSED$'
like "where more is better, a limit is the least" "$(line Big 2)" '0\.97 .*>= 0\.95 met$'
unlike "a quiet machine is not called noisy" "$out" 'TOO NOISY'
ok "the JSON has the median" perl -MJSON::PP -e '
    local $/; open my $f, "<", shift or die; my $r = decode_json(<$f>)->{results};
    exit !($r->[0]{values}{nbdmount}{median} == 150 && $r->[0]{ratios}{nbdfuse}{verdict} eq "met")' \
    "$tmp/bench.json"
report --strict
is "strictly, a target that is missed is an error" "$status" 1

quiet
samples fast rate nbdmount 100 200 150 260 120
samples fast rate nbdfuse 100 100 100 100 100
report --strict
like "samples that scatter leave a doubt" "$(line Fast 2)" '>= 1\.4 met\?'
is "strictly, a doubt is no error" "$status" 0

quiet
samples fast rate nbdmount 130 230 150 260 160 170 240 210 180
samples fast rate nbdfuse 100 100 100 100 100 100 100 100 100
samples fast rate qemu 100 100 100 100 100 100 100 100 100
report
like "unless the mean of several rounds is far from the target" \
    "$(line Fast 2)" '1\.80 \(1\.30-2\.60; 1\.88 \+-8%\) >= 1\.4 met '
like "which is a matter of its standard error" "$(line Fast 2)" '>= 1\.6 met\?$'

quiet
samples fast rate nbdmount 139 200 280 220 260 210 250 180 300
samples fast rate nbdfuse 100 100 100 100 100
report
like "rounds that the other has not do not count for that" "$(line Fast 2)" '>= 1\.4 met\?'

quiet
samples fast rate nbdmount 0 230 150
samples fast rate nbdfuse 100 100 100
report
like "nothing has no geometric mean" "$(line Fast 2)" '1\.50 \(0\.00-2\.30\) >= 1\.4 met\?'

quiet
samples big ratio nbdmount 0.90 1.20 1.50 1.30 1.40 1.10 1.30
report
like "a limit is judged so, too" "$(line Big 2)" '1\.30 \(0\.90-1\.50\) x >= 0\.95 met$'

quiet
samples fast rate nbdmount 130 230 150 260 160 170
samples fast rate nbdfuse 100 100 100 100 100 100
report
like "and of few rounds nothing" "$(line Fast 2)" '>= 1\.4 met\?'

quiet
samples fast rate nbdmount 200 300
samples fast rate nbdfuse 100 100
report
like "so do two rounds" "$(line Fast 2)" '>= 1\.4 met\?'

: >"$tmp/samples.tsv"
samples fast calibration machine 0.10 0.13 0.10 0.16 0.10
samples fast rate nbdmount 139 141 142 143 141
samples fast rate nbdfuse 100 100 100 100 100
samples short time nbdmount 4 5 6 5 5
samples short time nbdfuse 10 10 10 10 10
report
like "a calibration that scatters says that the machine was too noisy" "$out" 'TOO NOISY'
like "then medians alone decide nothing" "$(line Fast 2)" '>= 1\.4 met\?'
like "but rounds that all agree do" "$(line Short 2)" '<= 0\.6 met$'

quiet
printf '1\tshort\tnbdfuse\ttime\t500\t~\n' >>"$tmp/samples.tsv"
samples short time nbdmount 4 5 6 5 5
printf '1\tfast\tnbdmount\tstatus\t0\tn/a: did not mount\n' >>"$tmp/samples.tsv"
report --complete
like "an estimate is marked" "$(line Short 1)" '~500'
like "and is compared with every round" "$(line Short 2)" '0\.01 .*met$'
like "what was not measured is listed with the reason" "$out" 'fast, nbdmount: n/a: did not mount'
is "to be complete, all of nbdmount's rows are needed" "$status" 1
like "and the row is named" "$err" 'not measured: fast'

quiet
samples fast rate nbdmount 1 2 3
report
is "a peer that is not there leaves the table whole" "$status" 0
unlike "and nothing is compared" "$out" '^Ratios'
is "and nothing to complain of" "$err" ""

is "each row that is measured is described, and no other" \
    "$(BENCH_SHORT='' bash "$bench/bench.sh" --list 2>&1 | sort -u)" \
    "$(grep -v '^#' "$bench/rows.tsv" | cut -f1 | sort -u)"
done_testing
