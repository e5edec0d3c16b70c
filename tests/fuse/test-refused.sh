# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be mounted: a message that names the thing, a status that is not 0, nothing left mounted.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_nbdkit memory null --filter=exportname

mnt=$(new_dir mnt)
start_nbdkit memory 1M

# refused NAME REGEX ARGS...: both in the foreground and in the background.
refused() {
    local name=$1 regex=$2 mode
    shift 2
    for mode in -f ''; do
        run timeout 20 "$nbdmount" $mode "$@"
        isnt "$name${mode:+ ($mode)}: the status is not 0" "$status" 0
        at_most "$name${mode:+ ($mode)}: it ended by itself" "$status" 123
        like "$name${mode:+ ($mode)}: the message names it" "$err" "$regex"
        is "$name${mode:+ ($mode)}: it is one line" "$(wc -l <"$tmp/.err")" 1
        ok "$name${mode:+ ($mode)}: nothing is mounted" is_unmounted "$mnt"
    done
}

refused "no URI" "not-a-uri" not-a-uri "$mnt"
refused "an unknown scheme" "http" http://localhost/ "$mnt"
refused "an unknown parameter" "colour" "$uri&colour=red" "$mnt"
refused "no socket parameter" "socket" nbd+unix:/// "$mnt"
refused "a bad escape" "%zz" "nbd+unix:///%zz?socket=$sock" "$mnt"
refused "a port that is none" "99999|port" nbd://localhost:99999/ "$mnt"
refused "no such socket" "$tmp/nowhere.*No such file" "nbd+unix:///?socket=$tmp/nowhere" "$mnt"
: >"$tmp/plain"
refused "a socket that is a file" "$tmp/plain" "nbd+unix:///?socket=$tmp/plain" "$mnt"
# A port that was free a moment ago and that nobody listens on.
refused "nobody listens" "localhost.*refused" nbd://localhost:1/ "$mnt"
refused "no such host" "no-such-host.invalid" nbd://no-such-host.invalid/ "$mnt"
refused "no mountpoint" "$tmp/missing.*No such file" "$uri" "$tmp/missing"
refused "an option that does not exist" "--frobnicate|frobnicate" --frobnicate "$uri" "$mnt"
refused "a mount option that does not exist" "frobnicate" -o frobnicate "$uri" "$mnt"
refused "a number of connections that is none" "many" -C many "$uri" "$mnt"
refused "no connections" "0" -C 0 "$uri" "$mnt"
refused "no arguments" "[Uu]sage|SOURCE" 
refused "no mountpoint given" "MOUNTPOINT" "$uri"
refused "too many arguments" "extra" "$uri" "$mnt" extra
refused "a name with a slash" "a/b" --filename=a/b "$uri" "$mnt"

mknod "$tmp/fifo" p
refused "a mountpoint that is neither file nor directory" "$tmp/fifo" "$uri" "$tmp/fifo"
start_nbdmount "$uri" "$(new_dir mnt)"
busy=$mnt
mnt=$(new_dir mnt)
refused_busy() {
    run timeout 20 "$nbdmount" $1 "$uri" "$busy/nbd/nothing"
    isnt "a mountpoint below a file is refused" "$status" 0
}
refused_busy -f
refused "a mountpoint in use" "$busy: busy, .*take another, or unmount it" "$uri" "$busy"
mnt=$busy
stop_nbdmount

# What the server refuses.
start_nbdkit --filter=exportname memory 1M exportname=good exportname-strict=true
mnt=$(new_dir mnt)
refused "an export that the server does not have" "bad" "nbd+unix:///bad?socket=$sock" "$mnt"
start_nbdkit eval get_size='echo ENOMEDIUM there is no disk in the drive >&2; exit 1'
refused "an export that cannot be opened" "nbd" "$uri" "$mnt"

# A server that speaks something else.
start greeter perl -MIO::Socket::UNIX -e '
    my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die;
    while (my $c = $l->accept) { print $c "SSH-2.0-OpenSSH_9.2\r\n" x 40; close $c }' "$tmp/ssh"
wait_for test -S "$tmp/ssh"
refused "another protocol" "NBD" "nbd+unix:///?socket=$tmp/ssh" "$mnt"

# One that waits for the client to begin, as a web server does.
start silent perl -MIO::Socket::UNIX -e '
    my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die;
    my @clients; while (my $c = $l->accept) { push @clients, $c }' "$tmp/silent"
wait_for test -S "$tmp/silent"
for which in "" --single; do
    start nbdmount "$nbdmount" $which -o timeout=1 "nbd+unix:///?socket=$tmp/silent" "$mnt"
    ok "a silent server, $which: it is said what is waited for" wait_while_alive "$started_pid" \
        grep -q "$tmp/silent has not answered" "$started_log"
    ok "a silent server, $which: that ends" wait_for is_gone "$started_pid"
    stop "$started_pid"
    is "a silent server, $which: with status 1" "$status" 1
    like "a silent server, $which: and a reason" "$(cat "$started_log")" \
        "cannot connect to .*$tmp/silent.*no answer from the server"
    ok "a silent server, $which: nothing is mounted" is_unmounted "$mnt"
done

# What only a scripted server does.
printf 'case %s\nhandshake size=2^63\n\n' "too large" >"$tmp/script"
printf 'case %s\nhandshake\nserve\n\n' "good" >>"$tmp/script"
start_peer "too large" -r
refused "a size above 2^63 - 1" "$sock.*too large.* 9223372036854775808 " "$uri" "$mnt"
stop "$peer_pid"

# Until so much of the handshake is there that it is mounted.
bad=
for ((cut = 0; cut < 1000; cut += 9)); do
    start_peer good -r -k "$cut"
    run timeout 20 "$nbdmount" -C 1 -o retry=0 "$uri" "$mnt"
    [ "$status" -ne 0 ] || break
    [ "$status" -le 123 ] && is_unmounted "$mnt" && [ "$(wc -l <"$tmp/.err")" -eq 1 ] &&
        [[ $err == *"$sock"* ]] || bad+=" $cut"
    stop "$peer_pid"
done
is "closed anywhere in the handshake: one line that names it, nothing mounted" "$bad" ""
at_least "closed in many places of it" "$cut" 60
at_most "the whole handshake is no reason to refuse" "$cut" 999
unmount_lazily "$mnt"
done_testing
