# SPDX-License-Identifier: LGPL-2.1-or-later
# test-programs.sh - the example programs do against nbdkit what they say
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_program nbdkit
need_nbdkit file memory pattern floppy linuxdisk data --filter=delay
programs=$abs_top_builddir/tests/examples

# ---- connecting and reading without waiting

# The lines of its dump, in the order of the offsets: answers come in any.
dump() {
    run timeout 60 "$programs/connect-read" "$sock"
    is "connect-read ends well ($1)" "$status" 0 || diag "$err"
    is "it dumps 32 sectors ($1)" "$(grep -c '^[0-9a-f]* ' <<<"$out")" $((32 * 512 / 16))
    sort <<<"$out" >"$tmp/dump"
}

start_nbdkit pattern 1M
dump pattern
is "the pattern is at its place" "$(grep ^00003ff0 "$tmp/dump")" \
    '00003ff0  00 00 00 00 00 00 3f f0 00 00 00 00 00 00 3f f8  |......?.......?.|'

content=$(new_dir content)
echo hello >"$content/hello.txt"
start_nbdkit floppy "$content"
dump floppy
like "a floppy has a boot signature" "$(grep ^000001f0 "$tmp/dump")" ' 55 aa  '

start_nbdkit linuxdisk "$content"
dump linuxdisk
like "a linuxdisk has a boot signature" "$(grep ^000001f0 "$tmp/dump")" ' 55 aa  '
like "and a partition table after it" "$(grep ^00000200 "$tmp/dump")" 'EFI PART'

run timeout 60 "$programs/connect-read" "$tmp/there-is-no-such-socket"
is "without a server connect-read fails" "$status" 1
like "and says why" "$err" 'nbd_aio_connect_unix: |nbd_poll: '

# ---- a main loop with epoll

head -c 5000000 /dev/urandom >"$tmp/random"
start_nbdkit file "$tmp/random"
for connections in 1 4; do
    run timeout 60 "$programs/epoll-loop" "$uri" "$tmp/copy" "$connections"
    is "epoll-loop ends well" "$status" 0 || diag "$err"
    is "it makes $connections connection(s)" "$out" \
        "5000000 bytes over $connections connections"
    ok "the copy is equal" cmp "$tmp/random" "$tmp/copy"
done

# ---- many commands, many threads, one handle

start_nbdkit --threads=64 --filter=delay pattern 4M rdelay=50ms
run timeout 120 "$programs/threads" "$uri"
is "threads ends well" "$status" 0 || diag "$err"
like "it makes its reads" "$out" '^640 reads, [0-9]+ in flight at once$'
# One more may be counted whose completion callback is about to return.
at_least "64 reads are in flight at once" "$(cut -d' ' -f3 <<<"$out")" 64

# ---- exports

exports=$(new_dir exports)
truncate -s 1000 "$exports/a"
truncate -s 2M "$exports/b c"
start_nbdkit -r file dir="$exports"
run timeout 60 "$programs/list-exports" "$uri"
is "list-exports ends well" "$status" 0 || diag "$err"
is "it lists both" "$(sort <<<"$out")" $'1000\tro\ta\n2097152\tro\tb c'

# ---- TLS

if ! nbdkit --dump-config | grep -qx tls=yes; then
    skip "TLS" "this nbdkit has none"
elif ! grep -q '^#define HAVE_GNUTLS 1' "$abs_top_builddir/config.h"; then
    skip "TLS" "the library was built without it"
else
    need_program psktool certtool
    psktool -u alice -p "$tmp/keys.psk" >"$tmp/psktool.log" 2>&1
    start_nbdkit --tls=require --tls-psk="$tmp/keys.psk" memory 1M
    run timeout 60 "$programs/tls" psk "$sock" "$tmp/keys.psk" alice
    is "with a shared key" "$status $out" "0 1048576 bytes, encrypted" || diag "$err"
    run timeout 60 "$programs/tls" psk "$sock" "$tmp/keys.psk" bob
    is "without a key of that user it fails" "$status" 1

    server=$(new_dir server) client=$(new_dir client) other=$(new_dir other)
    make_ca() { # FOLDER
        certtool --generate-privkey --outfile "$1/ca-key.pem" --sec-param=medium
        printf 'cn = "CA"\nca\ncert_signing_key\nexpiration_days = 2\n' >"$tmp/ca.info"
        certtool --generate-self-signed --load-privkey "$1/ca-key.pem" \
            --template "$tmp/ca.info" --outfile "$1/ca-cert.pem"
    }
    make_server() {
        certtool --generate-privkey --outfile "$server/server-key.pem" --sec-param=medium
        printf 'cn = "disk.example"\ndns_name = "disk.example"\ntls_www_server\n%s\n' \
            'encryption_key
signing_key
expiration_days = 2' >"$tmp/server.info"
        certtool --generate-certificate --load-ca-certificate "$server/ca-cert.pem" \
            --load-ca-privkey "$server/ca-key.pem" --load-privkey "$server/server-key.pem" \
            --template "$tmp/server.info" --outfile "$server/server-cert.pem"
    }
    { make_ca "$server" && make_server && make_ca "$other"; } >"$tmp/certtool.log" 2>&1 ||
        diag_file "$tmp/certtool.log"
    cp "$server/ca-cert.pem" "$client"

    start_nbdkit --tls=require --tls-certificates="$server" memory 1M
    run timeout 60 "$programs/tls" x509 "$sock" "$client" disk.example
    is "with certificates" "$status $out" "0 1048576 bytes, encrypted" || diag "$err"
    run timeout 60 "$programs/tls" x509 "$sock" "$client" elsewhere.example
    is "another name than the certificate's is refused" "$status" 1
    run timeout 60 "$programs/tls" x509 "$sock" "$other" disk.example
    is "another authority than the certificate's is refused" "$status" 1

    start_nbdkit memory 1M
    run timeout 60 "$programs/tls" psk "$sock" "$tmp/keys.psk" alice
    is "a server without TLS is refused" "$status" 1
fi

# ---- sparse copies

truncate -s 256M "$tmp/sparse"
for megabyte in 0 17 100 255; do
    dd if="$tmp/random" of="$tmp/sparse" bs=64K count=4 seek=$((megabyte * 16)) \
        conv=notrunc status=none
done
start_nbdkit file "$tmp/sparse"
run timeout 120 "$programs/copy-extents" "$uri" "$tmp/copy"
is "copy-extents ends well" "$status" 0 || diag "$err"
ok "the sparse copy is equal" cmp "$tmp/sparse" "$tmp/copy"
at_most "and reads only the data" "${out%% *}" $((4 * 1024 * 1024))
at_most "and is as sparse" "$(($(stat -c %b "$tmp/copy") * 512))" $((4 * 1024 * 1024))

start_nbdkit data data='@100000 (1 2 3)*1000' size=300001
run timeout 60 "$programs/copy-extents" "$uri" "$tmp/copy"
is "an export of an odd size is copied, too" "$status $(stat -c %s "$tmp/copy")" "0 300001"
is "with its data" "$(head -c 103000 "$tmp/copy" | tail -c 3000 | tr -d '\001\002\003' | wc -c)" 0

done_testing
