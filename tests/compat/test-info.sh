# SPDX-License-Identifier: LGPL-2.1-or-later
# test-info.sh - nbdinfo says with this library what it says with the distribution's
# libnbd, to the byte, of exports of nbdkit, qemu-nbd and nbd-server
#
# Not so of a server without structured replies that lists meta contexts all the same
# (nbdkit --no-sr): libnbd 1.14 does not ask it, 1.24 does and so does this library.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/compat/on-libnbd.sh"

PATH=$PATH:/usr/sbin:/sbin
need_nbdkit data file null
need_program qemu-nbd qemu-img qemu-io nbd-server

# same NAME URI: each way to ask.  The error of a refusal has other words.
same() {
    local name=$1 uri=$2 ways=0 options ours theirs
    local all=('' --json --list --map '--json --list' '--json --map' '--list --no-content'
        '--map --totals' '--map=qemu:allocation-depth' '--map=qemu:dirty-bitmap:dirty'
        --size '--is read-only' '--is tls' '--can flush' '--can fast-zero'
        '--can multi-conn' '--has structured-reply')
    for options in "${all[@]}"; do
        # shellcheck disable=SC2086
        theirs=$(on_theirs timeout 30 nbdinfo $options "$uri" 2>/dev/null; echo "status $?")
        # shellcheck disable=SC2086
        ours=$(on_ours timeout 30 nbdinfo $options "$uri" 2>/dev/null; echo "status $?")
        if [ "$ours" != "$theirs" ]; then
            is "nbdinfo $options of $name" "$ours" "$theirs"
            return
        fi
        case $theirs in *"status 0") ways=$((ways + 1)) ;; esac
    done
    at_least "nbdinfo says the same of $name in ${#all[@]} ways, $ways without an error" \
        "$ways" 6
}

start_nbdkit data '1 @0x100000 2 @0x1ffffff 3' size=64M
same "nbdkit's data" "$uri"
start_nbdkit --oldstyle --read-only null 1M
same "an oldstyle nbdkit" "$uri"
start_nbdkit null 100G
same "nbdkit with an export of more than 4 GiB" "$uri"
dir=$(new_dir exports)
truncate -s 1M "$dir/one"
seq 100000 >"$dir/two"
start_nbdkit file dir="$dir"
same "one file of nbdkit's folder" "nbd+unix:///two?socket=$sock"

disk=$tmp/disk.qcow2
qemu-img create -q -f qcow2 "$disk" 64M
qemu-io -c 'write -P 1 1M 3M' -c 'write -z 8M 1M' "$disk" >/dev/null
qemu-img bitmap --add "$disk" dirty
qemu-io -c 'write -P 2 16M 1M' "$disk" >/dev/null
start_qemu_nbd -f qcow2 -x disk -D 'a "description"' -B dirty -A -r "$disk"
same "qemu-nbd with a bitmap" "nbd+unix:///disk?socket=$sock"
truncate -s 10M "$tmp/raw"
start_qemu_nbd -f raw "$tmp/raw"
same "qemu-nbd with a sparse file" "$uri"

# As from inetd (port 0): else it takes a TCP port that is always the same.
printf '[generic]\n allowlist = true\n port = 0\n[one]\n exportname = %s\n trim = true
[two]\n exportname = %s\n readonly = true\n flush = true\n fua = true\n' \
    "$tmp/raw" "$tmp/raw" >"$tmp/nbd-server.conf"
start nbd-server perl -MIO::Socket::UNIX -MPOSIX=dup2 -e '
    my ($path, @command) = @ARGV;
    my $server = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!";
    $SIG{CHLD} = "IGNORE";
    while (1) {
        my $client = $server->accept or next;
        next if fork;
        dup2(fileno $client, $_) for 0, 1;
        exec @command;
    }' "$tmp/n.sock" nbd-server -d -C "$tmp/nbd-server.conf"
wait_for test -S "$tmp/n.sock" || diag_file "$started_log"
same "nbd-server" "nbd+unix:///one?socket=$tmp/n.sock"
same "nbd-server, read-only" "nbd+unix:///two?socket=$tmp/n.sock"
done_testing
