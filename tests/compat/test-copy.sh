# SPDX-License-Identifier: LGPL-2.1-or-later
# test-copy.sh - nbdcopy on this library copies an export of 1 GiB to a file and back,
# plain and with TLS, and nothing is lost
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/compat/on-libnbd.sh"

need_nbdkit pattern memory
: "${COPY_SIZE:=1G}"
umask 077
echo "tester:$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$tmp/keys.psk"

# The pattern: each 8 bytes are their offset, so that nothing can be in a wrong place.
want=$(timeout 120 nbdkit -U - pattern "$COPY_SIZE" \
    --run "$(declare -f on_theirs); their_path=; on_theirs nbdcopy \"\$uri\" - | cksum")

# there_and_back NAME URI-HEAD URI-TAIL SERVER-OPTIONS...
there_and_back() {
    local name=$1 head=$2 tail=$3
    shift 3
    start_nbdkit "$@" pattern "$COPY_SIZE"
    ok "nbdcopy copies $COPY_SIZE to a file$name" \
        on_ours timeout 120 nbdcopy "$head$sock$tail" "$tmp/file"
    stop "$nbdkit_pid"
    is "the file is equal$name" "$(cksum <"$tmp/file")" "$want"
    start_nbdkit "$@" memory "$COPY_SIZE"
    ok "nbdcopy copies it back$name" \
        on_ours timeout 120 nbdcopy --flush "$tmp/file" "$head$sock$tail"
    ok "the export is equal$name" cmp "$tmp/file" \
        <(on_theirs timeout 120 nbdcopy "$head$sock$tail" -)
    stop "$nbdkit_pid"
    rm -f "$tmp/file"
}

isnt "there is something to compare with" "$want" ""
there_and_back "" "nbd+unix:///?socket=" ""
there_and_back ", with TLS" "nbds+unix://tester@/?socket=" "&tls-psk-file=$tmp/keys.psk" \
    --tls=require --tls-psk="$tmp/keys.psk"
done_testing
