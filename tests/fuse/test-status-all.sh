# SPDX-License-Identifier: LGPL-2.1-or-later
# What --status and the extended attributes tell of all exports of a server, and what the
# service manager hears of them.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program jq getfattr perl
need_nbdkit file sh

now() { timeout 20 "$nbdmount" --status --json "${2:-$mnt}" 2>"$tmp/said" | jq -r "$1"; }
told() { [ "$(now "$1")" = true ]; }
attribute() { getfattr --absolute-names --only-values -n "$1" "$2" 2>"$tmp/said"; }

# Long names, so that the paths of all are more than an attribute holds.
mkdir "$tmp/images"
long=$(printf 'n%.0s' {1..200})
for i in $(seq 300); do truncate -s "$((i * 4096))" "$tmp/images/$long-$i"; done
truncate -s 1M "$tmp/images/a disk"
start_nbdkit file dir="$tmp/images"
connections() { ls -l "/proc/$nbdmount_pid/fd" | grep -c socket; }
none_left() { [ "$(connections)" -eq 0 ]; }

# ---- nothing is open

start_nbdmount -o all,idle=30,connections=1 "$uri" "$(new_dir mnt)"
is "nothing is open at first" \
    "$(now '.mount.all, .mount.exports, .mount.exports_open, (.exports | length)' | paste -sd' ')" "true 301 0 0"
is "a file tells what the server told" \
    "$(for name in uri export size; do attribute user.nbd.$name "$mnt/a disk"; echo; done | paste -sd'|')" \
    "${uri/\/\/\//\/\/\/a%20disk}|a disk|1048576"
like "its flags too" "$(attribute user.nbd.flags "$mnt/a disk")" "flush"
is "its status says that it is closed" \
    "$(attribute user.nbd.status "$mnt/a disk" | jq -r '.exports[0] | .path, .open, .size' | paste -sd' ')" "a disk false 1048576"
is "and so does --status" "$(now '.exports | length' "$mnt/a disk")" 1
is "its attributes are listed" "$(getfattr --absolute-names "$mnt/a disk" | grep -c user.nbd)" 5
is "nothing was opened for all that" "$(now .mount.exports_open)" 0
ok "what the server was asked is over soon" wait_for none_left
run "$nbdmount" --status "$mnt/a disk"
is "to tell how it goes no connection is made" "$status $(connections)" "0 0"
like "nor said to be there" "$out" "connected  no: it is not open"

# ---- one, then all of them are open

exec 5<"$mnt/a disk"
head -c 4096 <&5 >/dev/null
is "an open one is shown" \
    "$(now '.exports[0] | .path, .export, .open, .connections_live, .commands.read.count >= 1' | paste -sd'|')" "a disk|a disk|true|1|true"
is "and is in the folder's attribute" \
    "$(attribute user.nbd.status "$mnt" | jq -c '.open, .open_complete' | paste -sd' ')" '["a disk"] true'
like "and in the text" "$("$nbdmount" --status "$mnt")" "exports      301, of which 1 is open"
perl -e 'my @h; for (@ARGV) { open my $f, "<", $_ or die "$_: $!"; read $f, my $b, 1; push @h, $f }' "$mnt/$long-"*
is "all are told, however many there are" \
    "$(now '.mount.exports_open, (.exports | length), ([.exports[].path] | unique | length)' | paste -sd' ')" "301 301 301"
is "the folder's attribute says where it has to stop" \
    "$(attribute user.nbd.status "$mnt" | jq -r '(.open | length > 100), .open_complete' | paste -sd' ')" "true false"
run "$nbdmount" --status "$mnt"
is "the text has as many" "$(grep -c '^  connected  1 of 1 live' "$tmp/.out")" 301
stop "$nbdkit_pid" KILL
lost() { told '[.exports[] | .connections_live] | max == 0'; }
ok "without the server too" wait_for lost
exec 5<&-
unmount_lazily "$mnt"
stop "$nbdmount_pid" KILL # it would try to say goodbye to none of them

# ---- descriptions, folders, names that a terminal must not see

cat >"$tmp/plugin.sh" <<'S'
case $1 in
list_exports) printf 'INTERLEAVED\na/b\nthe first one\na/c\n\n\033[31mred\nit is red\n' ;;
open) printf '%s' "$3" ;;
get_size) echo 1M ;;
pread) head -c "$3" /dev/zero ;;
*) exit 2 ;;
esac
S
chmod +x "$tmp/plugin.sh"
start_nbdkit sh "$tmp/plugin.sh"
start_nbdmount -o all,idle=60,connections=1 "$uri" "$(new_dir mnt)"
is "a description" "$(attribute user.nbd.description "$mnt/a/b")" "the first one"
nok "no description" attribute user.nbd.description "$mnt/a/c"
head -c 1 "$mnt/a/b" >/dev/null
head -c 1 "$mnt/%1B[31mred" >/dev/null
is "a folder tells of what is in it" "$(now '[.exports[].path] | join(" ")' "$mnt/a")" "a/b"
is "its attribute too" "$(attribute user.nbd.status "$mnt/a" | jq -c .open)" '["b"]'
is "a name in JSON is what it is" "$(now '[.exports[] | select(.path | startswith("%")) | .export][0]')" $'\033[31mred'
is "and no terminal sees it" "$({ "$nbdmount" --status "$mnt"; "$nbdmount" --status --json "$mnt"; } | grep -c $'\033')" 0
stop_nbdmount

# ---- the service manager, and SIGHUP

listen_to() {
    start listen perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
        open my $out, ">>", $ARGV[1] or die $!; $out->autoflush(1);
        while (defined $s->recv(my $text, 65536)) { print $out "$text\n"; }' "$1" "$2"
    wait_for test -S "$1"
}
hears() { grep -qE "$1" "$tmp/heard"; }
listen_to "$tmp/notify.sock" "$tmp/heard"
rm "$tmp/images/$long-"*
printf x | dd of="$tmp/images/a disk" bs=1 conv=notrunc status=none
start_nbdkit file dir="$tmp/images"
NOTIFY_SOCKET=$tmp/notify.sock start_nbdmount -o all,idle=0 "$uri" "$(new_dir mnt)"
ok "STATUS= tells how many exports there are" wait_for hears '^STATUS=0 of 1 exports open, 0 of 0 connections'
exec 5<"$mnt/a disk"
head -c 4096 <&5 >/dev/null
kill -s HUP "$nbdmount_pid" # it tells at once then
ok "and what is open, and the traffic" wait_for hears '^STATUS=1 of 1 exports open, [1-9] of .*, [1-9][0-9.]* .* read'
exec 5<&-
wait_for told '.mount.exports_open == 0'
kill -s HUP "$nbdmount_pid"
ok "what was done is not forgotten when it is closed" wait_for hears '^STATUS=0 of 1 exports open, 0 of 0 connections .*, [1-9][0-9.]* .* read'
: >"$tmp/images/another"
truncate -s 4096 "$tmp/images/another"
kill -s HUP "$nbdmount_pid"
ok "SIGHUP lists the exports again" wait_for grep -q "reloaded: $(sed 's/[?]/[?]/' <<<"$uri") has 2 exports now, and had 1" "$nbdmount_log"
ok "and says so to the service manager" wait_for hears '^RELOADING=1$'
ok "which hears of the new one" wait_for hears '^STATUS=0 of 2 exports open'
stop "$nbdkit_pid" KILL
kill -s HUP "$nbdmount_pid"
ok "without a server it says that too" \
    wait_for grep -q 'reloaded: the exports of .* cannot be listed now; 2 of before stay' "$nbdmount_log"
all_ready() { [ "$(grep -c '^READY=1$' "$tmp/heard")" -eq 5 ]; }
ok "and the reload ends" wait_for all_ready
stop_nbdmount
is "the mount ends well" "$status" 0
done_testing
