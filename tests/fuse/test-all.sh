# SPDX-License-Identifier: LGPL-2.1-or-later
# All exports of a server as a tree of folders.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_nbdkit file sh eval memory
need_program qemu-nbd perl

# ---- a thousand exports

# A generous bound: what else runs on the machine counts too.
took() { # MILLISECONDS COMMAND...
    local began
    began=$(date +%s%3N)
    run "${@:2}"
    diag "$2: $(($(date +%s%3N) - began)) ms"
    at_most "$2 of many exports takes less than $1 ms" "$(($(date +%s%3N) - began))" "$1"
}
mkdir "$tmp/images"
for i in $(seq 1000); do truncate -s "$((i * 4096))" "$tmp/images/disk$i"; done
printf data | dd of="$tmp/images/disk7" conv=notrunc status=none
start_nbdkit file dir="$tmp/images"
start_nbdmount -o all,idle=1 "$uri" "$(new_dir mnt)"
took 10000 find "$mnt" -type f
is "find sees 1000 files" "$(wc -l <"$tmp/.out")" 1000
took 30000 ls -l "$mnt"
is "so does ls -l, with the exports' sizes" \
    "$(awk '$1 ~ /^-rw/ && $5 == 4096 * substr($9, 5)' "$tmp/.out" | wc -l)" 1000
is "nothing is opened for that" "$(stat -c %s "$mnt/disk999")" $((999 * 4096))
ok "a file reads" cmp "$mnt/disk7" "$tmp/images/disk7"
printf more | dd of="$mnt/disk8" conv=notrunc,fsync status=none
is "and writes" "$(head -c 4 "$tmp/images/disk8")" more
ok "sparse copies" cp "$mnt/disk1000" "$tmp/copy"
ok "are right" cmp "$tmp/copy" "$tmp/images/disk1000"
ok "several at once" bash -c 'seq 20 27 | xargs -P 8 -I @@ cmp "$0/disk@@" "$1/disk@@"' "$mnt" "$tmp/images"
connections() { ls -l "/proc/$nbdmount_pid/fd" | grep -c socket; }
none_left() { [ "$(connections)" -eq 0 ]; }
isnt "there are connections" "$(connections)" 0
ok "they are closed when nobody has used them for a while" wait_for none_left
ok "and come again" cmp "$mnt/disk7" "$tmp/images/disk7"

# ---- exports come and go

truncate -s 1M "$tmp/images/new"
ok "a new export appears" wait_for test -e "$mnt/new"
exec 5<"$mnt/disk7"
rm "$tmp/images/disk7"
gone() { ! ls "$mnt" | grep -qx disk7; }
ok "one that has ended goes" wait_for gone
is "a file that is open stays" "$(head -c 4 <&5)" data
exec 5<&-
# The next one is taken where the listing, or what is known of it, is renewed in between:
# then it is just not there.
ends=30
one_ends() {
    ends=$((ends + 1))
    stat "$mnt/disk$ends" && rm "$tmp/images/disk$ends"
    run cat "$mnt/disk$ends"
    [ "$status" -eq 0 ] || grep -q "/disk$ends?.*no such export" "$nbdmount_log"
}
ok "one that ends between the listing and its use: the log names it and says why" wait_for one_ends
like "and it is an error" "$status $err" "^1 .*Input/output error"
ok "others still open" cmp "$mnt/disk8" "$tmp/images/disk8"
stop_nbdmount
is "the daemon ends well" "$status" 0

# Who has ended a request must not look at its export any more: that another thread frees
# it then is what TSan sees. The second question is answered from what the first has told.
start_nbdmount -o all,idle=0 "$uri" "$(new_dir mnt)"
seek() { perl -e 'for (@ARGV) { open F, "<", $_ or die "$_: $!"; sysseek F, 0, 3 for 1 .. 2 }' "$@"; }
ok "a hundred are asked for their data" seek "$mnt"/disk[1-9]0[0-9] "$mnt"/disk2[0-9]
ok "and closed at once when nobody has them open" wait_for none_left
stop_nbdmount
is "and that daemon ends well" "$status" 0

# A server that runs many shells for each export that is looked at, some 10 ms of its time
# for each: the names cost nothing, and only what is looked at is asked about.
{ seq -f 'many/%g' 900; seq -f 'few/%g' 100; } >"$tmp/list"
start_nbdkit eval list_exports="echo NAMES; cat '$tmp/list'" get_size="echo . >>'$tmp/asked'; echo 12288" \
    thread_model='echo parallel'
start_nbdmount --all "$uri" "$(new_dir many)"
took 10000 find "$mnt" -type f
is "all names of a plugin that forks" "$(cut -c $((${#mnt} + 2))- "$tmp/.out" | sort | cksum)" \
    "$(sort "$tmp/list" | cksum)"
nok "for which it was asked about none" test -e "$tmp/asked"
took 30000 ls -l "$mnt/few"
is "and sizes" "$(awk '$1 ~ /^-r-/ && $5 == 12288 { print $9 }' "$tmp/.out" | sort -n | cksum)" "$(seq 100 | cksum)"
is "each was asked about once" "$(wc -l <"$tmp/asked")" 100
stop_nbdmount

# A server that lists, and for a while cannot.
start_nbdkit eval list_exports="[ ! -e '$tmp/broken' ] || { echo EIO >&2; exit 1; }; echo NAMES; cat '$tmp/list'" \
    open='echo "$3"' get_size='echo 4096' pread='head -c $3 /dev/zero'
echo one >"$tmp/list"
start_nbdmount --all "$uri" "$(new_dir mnt)"
: >"$tmp/broken"
echo two >"$tmp/list"
told() { ls "$mnt" >/dev/null; grep -q "the exports cannot be listed" "$nbdmount_log"; }
ok "a listing that fails later is logged" wait_for told
is "and what was there stays" "$(ls "$mnt")" one
rm "$tmp/broken"
renewed() { [ "$(ls "$mnt")" = two ]; }
ok "until it works again" wait_for renewed
stop_nbdmount

# ---- names

cat >"$tmp/list.sh" <<'S'
case $1 in
list_exports) echo INTERLEAVED; for f in "$DIR"/*; do cat "$f"; echo; echo description; done ;;
open) printf '%s' "$3" ;;
get_size) printf '%s' "$2" | wc -c | awk '{ print 512 + $1 }' ;;
pread) head -c "$3" /dev/zero ;;
can_write) exit 3 ;;
*) exit 2 ;;
esac
S
chmod +x "$tmp/list.sh"
mkdir "$tmp/names"
n=0
name() { n=$((n + 1)); printf '%s' "$1" >"$tmp/names/$n"; }
name 'plain'; name 'with blank'; name 'a/b/c'; name 'a'; name '..'; name './x'; name 'x//y'; name '/lead'
name 'trail/'; name '100%'; name '%41'; name $'tab\tand\033'; name "$(printf 'l%.0s' $(seq 3000))"; name 'nbd'
name 'ä,ö#?&='
DIR=$tmp/names start_nbdkit sh "$tmp/list.sh"
start_nbdmount --all "$uri" "$(new_dir mnt)"
find "$mnt" -type f >"$tmp/found"
is "every name has a file" "$(wc -l <"$tmp/found")" "$n"
# Undoing %XX, and a % at the end of a folder, gives the name.
(cd "$mnt" && find . -type f) | perl -pe 's,^\./,,; s,%(/|$),,g; s/%([0-9A-F]{2})/chr hex $1/ge' | sort >"$tmp/got"
for f in "$tmp"/names/*; do cat "$f"; echo; done | sort >"$tmp/want"
ok "the paths give the names back" cmp "$tmp/got" "$tmp/want"
ok "each can be read" bash -c 'while read -r f; do cat "$f" >/dev/null || exit 1; done <"$0"' "$tmp/found"
is "as the export that it is" "$(stat -c %s "$mnt/a%2Fb/c" "$mnt/100%25" 2>&1 | tr '\n' ' ')" "517 516 "
nok "a read-only export cannot be written" dd if=/dev/zero of="$mnt/plain" bs=512 count=1 conv=notrunc
stop_nbdmount

# ---- servers that are different

start_qemu_nbd -f raw -x only "$tmp/copy"
start_nbdmount --all "$uri" "$(new_dir mnt)"
ok "qemu-nbd's one export" cmp "$mnt/only" "$tmp/copy"
stop_nbdmount
start_nbdkit memory 1M
start_nbdmount --all "$uri" "$(new_dir mnt)"
is "a default export" "$(stat -c %s "$mnt/nbd")" 1048576
stop "$nbdkit_pid"
run timeout 20 cat "$mnt/nbd"
isnt "a server that has gone: an error" "$status" 0
stop_nbdmount
run "$nbdmount" --all "nbd+unix:///?socket=$tmp/nothing" "$(new_dir mnt)"
isnt "no server" "$status" 0
like "is named" "$err" "$tmp/nothing"
: >"$tmp/file"
run "$nbdmount" --all "$uri" "$tmp/file"
like "all of them do not fit a file" "$err" "directory"
done_testing
