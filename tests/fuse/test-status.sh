# SPDX-License-Identifier: LGPL-2.1-or-later
# What nbdmount --status and the extended attributes tell of a mount.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program jq getfattr setfattr
need_nbdkit memory --filter=delay --filter=exportname

# now JQ-FILTER [PATH]: of --status --json.
now() { timeout 20 "$nbdmount" --status --json "${2:-$mnt}" 2>"$tmp/said" | jq -r "$1"; }
told() { [ "$(now "$1")" = true ]; }
attribute() { getfattr --absolute-names --only-values -n "$1" "${2:-$mnt/nbd}" 2>"$tmp/said"; }

# ---- what it tells

start_nbdkit --filter=exportname --filter=delay memory 64M \
    rdelay=10ms delay-close=0 exportdesc=fixed:'a disk & more'
start_nbdmount -C 3 -o cache=open,truncate=zero,replay=48M "$uri" "$(new_dir mnt)"
is "the mount: who, how and since when" \
    "$(now '.mount | [.pid, .all, .exports, .exports_open, .read_only, (.uptime_s | . >= 0 and . < 60)] | @csv')" \
    "$nbdmount_pid,false,1,1,false,true"
like "and the program's version" "$("$nbdmount" --version)" "$(now .mount.version)\$"
like "the time it began" "$(now .mount.since)" '^20[0-9-]+T[0-9:]+Z$'
is "the source" "$(now .mount.source)" "$uri"
is "the export" "$(now '.exports | length, (.[0] | .path, .uri, .export, .description, .size, .open)' | paste -sd' ')" \
    "1 nbd $uri  a disk & more 67108864 true"
is "its flags" "$(now '.exports[0].flags | (index("flush") and index("multi-conn")) and (index("read-only") | not)')" true
ok "all connections work" wait_for told '.exports[0] | .connections_live == 3 and ([.connections[].state] == ["live", "live", "live"])'

is "and tell their server" "$(now '[.exports[0].connections[].server] | unique | join(" ")')" "$uri"
is "nothing was read yet" "$(now '.exports[0].commands.read | .count, .bytes, .latency_us.max' | paste -sd' ')" "0 0 0"
for i in 1 2 3 4; do dd if="$mnt/nbd" bs=64K count=5 skip=$((i * 5)) iflag=direct of=/dev/null status=none; done
is "reads are counted, each with its bytes" \
    "$(now '.exports[0].commands.read | .count, .bytes, .errors' | paste -sd' ')" "20 1310720 0"
is "percentiles rise, and none is shorter than the server takes" \
    "$(now '.exports[0].commands.read.latency_us | .p50 >= 10000 and .p50 <= .p90 and .p90 <= .p99 and .p99 <= .max and .mean >= 10000 and .mean <= .max')" true
is "what was received is a little more than that" \
    "$(now '.exports[0].bytes_received | . >= 1310720 and . < 1350720')" true
is "and is the sum of the connections" \
    "$(now '.exports[0] | ([.connections[].bytes_received] | add) <= .bytes_received + 0 and ([.connections[].bytes_sent] | add) == .bytes_sent')" true
printf 'x%.0s' {1..4096} | dd of="$mnt/nbd" bs=4096 seek=3 conv=notrunc status=none
is "what is not flushed is told" "$(now '.exports[0].unflushed | .bytes, .failure, .changes' | paste -sd' ')" "4096 null 1"
is "and remembered" "$(now '.exports[0].unflushed | .remembered >= 4096 and .remembered_max == 50331648')" true
is "what was written is known to be data" \
    "$(now '.exports[0].extents | .told, .data, .data + .holes + .unknown' | paste -sd' ')" "true 4096 67108864"
sync "$mnt/nbd"
is "until it was flushed" "$(now '.exports[0] | .unflushed.bytes, .commands.flush.count, .commands.write.bytes' | paste -sd' ')" "0 1 4096"
exec 5<"$mnt/nbd"
is "an open file" "$(now '.exports[0].read_ahead | .open_files, .memory_max' | paste -sd' ')" "1 33554432"
exec 5<&-
cp "$mnt/nbd" "$tmp/copy"
is "after a copy all extents are known" "$(now '.exports[0] | .extents.unknown, .extents.data, .commands.extents.count > 0' | paste -sd' ')" "0 32768 true"

# ---- ways to ask

run "$nbdmount" --status "$mnt"
is "the text: status" "$status$err" 0
like "the mount" "$out" "nbdmount [0-9.]+, process $nbdmount_pid, since 20"
is "the export" "$(grep -A 3 '^nbd$' "$tmp/.out" | sed 's/), .*/)/')" "nbd
  export     $uri
  described  a disk & more
  size       64M (67108864 bytes)"
like "the connections" "$out" "connected  3 of 3 live, 0 in flight, 0 waiting, 0 lost"
like "the commands" "$out" "read +[0-9]+ +0 +[0-9.]+M +[0-9.]+ms"
is "the file gives the same" "$(now '.exports[0].path, .mount.pid' "$mnt/nbd" | paste -sd' ')" "nbd $nbdmount_pid"
is "and the attribute" "$(attribute user.nbd.status | jq -r '.exports[0].uri, .mount.pid' | paste -sd' ')" "$uri $nbdmount_pid"
is "of the folder too" "$(attribute user.nbd.status "$mnt" | jq -r '.exports[0].uri')" "$uri"
run "$nbdmount" --status
like "a path is needed" "$status $err" "^1 .*path"
run "$nbdmount" --status "$tmp/copy"
like "a file that is no mount" "$status $err" "^1 .*$tmp/copy: not a mount of nbdmount"
is "gives no JSON" "$("$nbdmount" --status --json "$tmp" 2>/dev/null)" ""
run "$nbdmount" --status "$tmp/nowhere"
like "nor does what is not there" "$status $err" "^1 .*nowhere: No such file"

# ---- attributes

is "the attributes that are listed" "$(getfattr --absolute-names "$mnt/nbd" | grep -v '^#' | paste -sd' ')" \
    "user.nbd.block-size user.nbd.description user.nbd.export user.nbd.flags user.nbd.size user.nbd.uri "
is "size" "$(attribute user.nbd.size)" 67108864
is "uri" "$(attribute user.nbd.uri)" "$uri"
is "export" "$(attribute user.nbd.export)" ""
is "description" "$(attribute user.nbd.description)" "a disk & more"
like "block-size" "$(attribute user.nbd.block-size)" '^1,(4096|32768),33554432$' # new nbdkits prefer 32 KiB
like "flags" "$(attribute user.nbd.flags)" '^flush,.*multi-conn'
is "a folder has none" "$(getfattr --absolute-names "$mnt")" ""
nok "no other" attribute user.nbd.other
like "is there" "$(cat "$tmp/said")" "No such attribute"
nok "nor is it for a folder" attribute user.nbd.size "$mnt"
nok "they cannot be set" setfattr -n user.nbd.size -v 5 "$mnt/nbd"
nok "nor taken away" setfattr -x user.nbd.size "$mnt/nbd"
ok "cp -a from the mount works" cp -a "$mnt/nbd" "$tmp/from"
ok "cp --preserve=xattr too" cp --preserve=xattr "$mnt/nbd" "$tmp/from"
run cp -a "$tmp/from" "$mnt/nbd"
is "cp -a onto the mount says nothing of attributes" "$status$err" "0"
nok "but another mode it has not" chmod 640 "$mnt/nbd"
like "and says so" "$(cat "$tmp/.said")" "not permitted"
ok "and copies" cmp "$tmp/from" "$mnt/nbd"
stop_nbdmount

# Before each write the kernel would ask for security.capability.
start_nbdmount -d [ nbdkit memory 1M ] "$(new_dir mnt)"
dd if=/dev/zero of="$mnt/nbd" bs=4096 count=200 conv=notrunc status=none
dd if=/dev/zero of="$mnt/nbd" bs=4096 count=50 conv=notrunc oflag=direct status=none
is "writes are requests" "$(grep -c ' WRITE (16)' "$nbdmount_log")" 250
at_most "and cost no others" "$(grep -c ' GETXATTR (22)' "$nbdmount_log")" 4
is "a command has no URI" "$(now '.exports[0].uri')" null
like "but a name" "$(now .mount.source)" nbdkit
stop_nbdmount

# ---- a file as mountpoint; read-only

start_nbdkit memory 1M
: >"$tmp/place"
start_nbdmount -r "nbd+unix://joe@/a%20b/c?socket=$sock" "$tmp/place"
is "a file as mountpoint" "$(now '.exports | length, (.[0] | .path, .read_only)' | paste -sd' ')" "1  true"
is "the URI that was given" "$(attribute user.nbd.uri "$mnt")" "nbd+unix://joe@/a%20b/c?socket=$sock"
is "the export's name" "$(attribute user.nbd.export "$mnt")" "a b/c"
stop_nbdmount

# ---- who may ask: whoever may read the file, in any mount namespace

if [ "$(id -u)" -eq 0 ]; then
    need_program setpriv unshare
    other() { setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"; }
    chmod 711 "$tmp"
    start_nbdmount -o allow_other,mode=600 [ nbdkit memory 1M ] "$(new_dir mnt)"
    nok "not another user, where the file is private" other getfattr --only-values -n user.nbd.status "$mnt/nbd"
    like "it is denied" "$(cat "$tmp/.said")" "Permission denied"
    is "from another mount namespace" "$(unshare -m "$nbdmount" --status --json "$mnt" | jq -r .mount.pid)" "$nbdmount_pid"
    stop_nbdmount
    start_nbdmount -o allow_other,mode=644 [ nbdkit memory 1M ] "$(new_dir mnt)"
    is "another user, where the file can be read" \
        "$(other getfattr --absolute-names --only-values -n user.nbd.status "$mnt/nbd" | jq -r .mount.pid)" "$nbdmount_pid"
    stop_nbdmount
fi

# ---- a server that is gone, and silent

start_nbdkit --filter=delay memory 1M rdelay=20ms
start_nbdmount -C 2 "$uri" "$(new_dir mnt)"
wait_for told '.exports[0].connections_live == 2'
stop "$nbdkit_pid" KILL
start reader dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
reader=$started_pid
ok "without a server it is told at once that there is no connection" \
    wait_for told '.exports[0] | .connections_live == 0 and ([.connections[].state] | unique) == ["connecting"]'
ok "who waits" wait_for told '.exports[0] | .requests == 1 and .waiting == 1'
ok "and why" wait_for told '.exports[0].connections[0].failure | test("No such file|refused|connect")'
like "the text tells it too" "$("$nbdmount" --status "$mnt")" "1 +connecting for .*lost; .*; .*(No such|refused|connect)"
is "losses are counted" "$(now '.exports[0].connections_lost >= 1')" true
rm -f "$sock"
start nbdkit nbdkit --foreground --exit-with-parent --unix="$sock" memory 1M
ok "when it is back" wait_for told '.exports[0] | .connections_live == 2 and .waiting == 0 and .requests == 0'
is "nothing is wrong any more" "$(now '[.exports[0].connections[].failure] | unique | @csv')" ""
ok "and the reader has its data" wait_for is_gone "$reader"
stop "$reader"
stop "$nbdmount_pid" KILL
run "$nbdmount" --status "$mnt"
like "a daemon that is gone" "$status $err" "^1 .*daemon of this mount is gone.*--clean $mnt"
done_testing
