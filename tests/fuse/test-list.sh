# SPDX-License-Identifier: LGPL-2.1-or-later
# nbdmount --list: what a server has, for people and for programs.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_program jq psktool qemu-nbd
need_nbdkit file sh memory --filter=limit

list() { run "$nbdmount" --list "$@"; }

# ---- the table

mkdir "$tmp/dir"
truncate -s 1G "$tmp/dir/disk"
truncate -s 1000001 "$tmp/dir/with blank"
truncate -s 512 "$tmp/dir/"$'two\nlines\033'
truncate -s 3M "$tmp/dir/ä"
truncate -s 2M "$tmp/dir/"$'\xff'
start_nbdkit -r file dir="$tmp/dir"
list "$uri"
is "the exports are a table, sorted by name" "$out" \
    'NAME              SIZE  FLAGS                                CONTEXTS         DESCRIPTION
disk                1G  read-only,flush,df,multi-conn,cache  base:allocation  -
two\nlines\x1b     512  read-only,flush,df,multi-conn,cache  base:allocation  -
with blank      976.6K  read-only,flush,df,multi-conn,cache  base:allocation  -
ä                   3M  read-only,flush,df,multi-conn,cache  base:allocation  -
\xff                2M  read-only,flush,df,multi-conn,cache  base:allocation  -'
is "nothing else is said" "$err" ""
is "the status is 0" "$status" 0
LC_ALL=C list "$uri"
like "where the terminal has no UTF-8 it gets none" "$out" '\\xc3\\xa4 '
LC_ALL=C.UTF-8
export LC_ALL

list "${uri/\/\/\//\/\/\/disk}"
is "an export that the URI names is shown alone" "$(tail -n +2 <<<"$out")" \
    'disk    1G  read-only,flush,df,multi-conn,cache  base:allocation  -'
list --export 'with blank' "$uri"
like "one that --export names too" "$out" $'\nwith blank  976.6K '
list --export none "$uri"
is "one that is not there: status 1" "$status" 1
like "and it is said why" "$err" "^nbdmount: [^ ]*: export none: No such file or directory$"

# ---- JSON

list --json "$uri"
ok "JSON is JSON" jq -e . "$tmp/.out"
field() { jq -r "$1" "$tmp/.out"; }
is "its source" "$(field .source)" "$uri"
is "the names" "$(field '.exports[].name | @json' | tr '\n' ' ')" \
    '"disk" "two\nlines\u001b" "with blank" "ä" "�" '
is "which are told exactly too" "$(field '.exports[].encoded' | tr '\n' ' ')" \
    'disk two%0Alines%1B with%20blank %C3%A4 %FF '
is "sizes are bytes" "$(field '[.exports[].size] | join(" ")')" \
    "1073741824 512 1000001 3145728 2097152"
is "flags are words" "$(field '.exports[0].flags | join(" ")')" "read-only flush df multi-conn cache"
is "contexts" "$(field '.exports[0].contexts[]')" base:allocation
list --json "$(field '.exports[1].uri')"
is "the URI leads there" "$(field '.exports[].size')" 512

# ---- many

mkdir "$tmp/many"
for i in $(seq 300); do truncate -s "$i" "$tmp/many/disk$i"; done
list --json [ nbdkit file dir="$tmp/many" ]
is "each of 300 has its own size" \
    "$(field '[.exports[] | select(.name == "disk\(.size)")] | length')" 300
list --json [ nbdkit --filter=limit file dir="$tmp/many" limit=1 ]
is "also if only one connection may be made" \
    "$(field '[.exports[] | select(.name == "disk\(.size)")] | length')" 300

# ---- descriptions, and exports that go

cat >"$tmp/described.sh" <<'S'
case $1 in
list_exports) echo INTERLEAVED; echo; echo 'the default one'; echo fine; printf 'bell \a\n'; echo ghost; echo gone ;;
open) [ "$3" != ghost ] || { echo 'ENOENT it was here' >&2; exit 1; }; echo "$3" ;;
get_size) echo 4096 ;;
export_description) echo "described: $2" ;;
*) exit 2 ;;
esac
S
chmod +x "$tmp/described.sh"
start_nbdkit sh "$tmp/described.sh"
list "$uri"
is "descriptions are shown, but no control character" "$out" \
    'NAME   SIZE  FLAGS         CONTEXTS         DESCRIPTION
""       4K  read-only,df  base:allocation  the default one
fine     4K  read-only,df  base:allocation  bell \x07
ghost     -  -             -                gone'
like "what cannot be opened is said" "$err" "export ghost: "
is "and makes the status 1" "$status" 1
list --json "$uri"
is "JSON has an error in place of a size" \
    "$(field '.exports[] | select(.size == null) | .name, (.error | length > 0)' | tr '\n' ' ')" "ghost true "
list --json --export fine "$uri"
is "the description of a single one is asked for" "$(field '.exports[].description')" "described: fine"

# ---- servers that do not list

list [ nbdkit -o memory 1M ]
is "an old server: its default export" "$(awk 'NR > 1 { print $1, $2 }' <<<"$out") $status" '"" 1M 0'
like "and why" "$err" "does not list its exports \(.*older.*\); this is its default one"
list [ nbdkit --mask-handshake=0 memory 1M ]
is "one that is not quite so old" "$(awk 'NR > 1 { print $1, $2 }' <<<"$out") $status" '"" 1M 0'

cat >"$tmp/script" <<'P'
case refuses LIST
handshake until=LIST
reply policy "not here"
option INFO name=
info export 1M 3
reply ack
option LIST_META
reply meta be32:0 "one:context"
reply meta be32:0 "two:context"
reply ack
drain

case knows no INFO
handshake until=LIST
reply server be32:3 "abc" "a disk"
reply ack
option INFO
reply unsup
drain
connection
handshake size=2M contexts=base:allocation
disc

case lists for ever
handshake until=LIST
repeat 70000
reply server be32:4000 fill:4000:0x61
end
reply ack
drain

case silent
handshake until=LIST
drain
P
start_peer "refuses LIST"
list --json "$uri"
is "one that refuses: its default export" "$(field '.listed, .exports[].size' | tr '\n' ' ')" "false 1048576 "
is "with all its contexts" "$(field '.exports[].contexts | join(" ")')" "one:context two:context"
like "it is said what the server says" "$err" "does not list its exports \(.*\); this is its default one"
start_peer "knows no INFO"
list "$uri"
is "one that cannot be asked about an export: it is opened" "$(tail -n 1 <<<"$out" | tr -s ' ')" \
    "abc 2M flush,fua,trim,zero,fast-zero,df,multi-conn,cache base:allocation a disk"
start_peer "lists for ever"
list "$uri"
is "one that lists more than there can be: status 1" "$status" 1
# With a sanitizer the peer may need longer for so many than is waited.
enough="more exports than are bearable"
[ "$SANITIZER" = none ] || enough+="|no answer from the server"
like "and it is said" "$err" "$enough"

# ---- no server, and the wrong one

list "nbd+unix:///?socket=$tmp/nothing"
is "no server: status 1" "$status" 1
like "it is named" "$err" "^nbdmount: cannot connect to nbd\+unix:///\?socket=$tmp/nothing: .*No such file"
start_peer silent
start list "$nbdmount" --list "$uri"
asks() { grep -q "$sock" /proc/net/unix && [ "$(grep -c "$sock" /proc/net/unix)" -gt 1 ]; }
ok "a server that says nothing" wait_for asks
ok "is left on a signal" stop "$started_pid"
is "with status 1" "$status" 1
list --json "$uri" extra
like "an argument too many is named" "$err" "'extra'"
list
like "and one that is missing" "$err" "SOURCE is missing"
list -o tls-psk-file="$tmp/keys.psk",tls=off "$uri"
like "options that contradict each other" "$err" "tls=off contradicts"

# ---- TLS, and a command

psktool -u alice -p "$tmp/keys.psk" >/dev/null 2>&1
start_nbdkit --tls=require --tls-psk="$tmp/keys.psk" memory 1M
list "$uri"
is "a server that wants TLS is not listed without" "$status $out" "1 "
like "and it is said what to do" "$err" "^nbdmount: [^ ]*: [^:]*: .*use nbds in the URI, or tls=require$"
list -o tls-psk-file="$tmp/keys.psk",tls-username=alice "$uri"
is "and is with a key" "$(tail -n 1 <<<"$out" | awk '{ print $1, $2 }') $status" '"" 1M 0'
list [ qemu-nbd -f raw -x only "$tmp/dir/disk" ]
is "a command's exports" "$(tail -n 1 <<<"$out" | awk '{ print $1, $2 }')" "only 1G"
list [ nbdkit --pidfile="$tmp/pid" memory 1M ]
ok "the command ends" is_gone "$(cat "$tmp/pid" 2>/dev/null || echo 0)"
list [ nbdkit file "$tmp/nothing" ]
like "a command that fails says why" "$err" "nothing: No such file"
done_testing
