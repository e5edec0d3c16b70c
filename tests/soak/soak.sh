# SPDX-License-Identifier: LGPL-2.1-or-later
# soak.sh - programs write, read, zero and fsync through the mount while things happen to
# its server and to the way there.  Every byte is compared with what it must be, and every
# fsynced one with the server's file.
#
#     bash soak.sh                                     each thing once, for a moment
#     SOAK_SECONDS=600 SOAK_SEED=1 bash soak.sh        all of them, at random
#     SOAK_KILLS=200 bash soak.sh                      kills only
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/tls.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"
. "$abs_top_srcdir/tests/soak/rounds.sh"
need_fuse
need_program ip nsenter certtool
seed=${SOAK_SEED:-$((EPOCHSECONDS % 100000))}
seconds=${SOAK_SECONDS:-0}
round_seconds=${SOAK_ROUND_SECONDS:-20}
RANDOM=$seed
diag "SOAK_SEED=$seed SOAK_SECONDS=$seconds SOAK_KILLS=${SOAK_KILLS:-0}"
build_volatile

kills() { # KILLS SECONDS: with all kinds of servers
    round_kills 1 4 64M "$1" "$2"
    round_kills 512 1 1M "$1" "$2"
    round_kills 4096 4 1M "$1" "$2"
    round_kills 1 1 64M "$1" "$2"
}
one_at_random() {
    case $((RANDOM % 12)) in
    0 | 1 | 2) round_kills "$(pick 1 512 4096)" "$(pick 1 2 4)" "$(pick 1M 64M)" 100000 "$round_seconds" ;;
    3 | 4) round_spoilt reset "$(pick 500000 3000000 30000000)" "$round_seconds" ;;
    5) round_spoilt twice "$(pick 500000 10000000)" "$round_seconds" ;;
    6) round_spoilt garbage "$(pick 500000 10000000)" "$round_seconds" EIO ;;
    7) round_spoilt slow "$(pick 10000 1000000)" "$round_seconds" ;;
    8) round_errors "$(pick 40 100 300)" "$round_seconds" ;;
    9) "$(pick round_full round_sizes)" "$round_seconds" ;;
    10) round_link "$round_seconds" ;;
    11) round_certificates "$round_seconds" ;;
    esac
}

if [ -n "${SOAK_KILLS:-}" ]; then
    kills $(((SOAK_KILLS + 3) / 4)) $((seconds > 0 ? seconds / 4 : 600))
elif [ "$seconds" -gt 0 ]; then
    until [ "$SECONDS" -ge "$seconds" ]; do one_at_random; done
else
    round_kills 1 4 64M 3 6
    round_kills 4096 1 1M 3 6
    round_spoilt reset 2000000 2
    round_spoilt twice 1000000 1
    round_spoilt garbage 1000000 1 EIO
    round_spoilt slow 100000 1
    round_errors 50 1
    round_full 1
    round_sizes 1
    round_link 2
    round_certificates 1
    round_forgets 60
fi
[ "$deaths" -eq 0 ] || { diag "nbdkit died $deaths times by itself"; diag_file "$tmp/deaths"; }
done_testing
