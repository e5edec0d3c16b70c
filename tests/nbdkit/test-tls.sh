#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test-tls.sh - TLS with nbdkit: keys, and certificates that are wrong in some way

. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_program nbdkit certtool psktool
need_nbdkit pattern

client=$abs_top_builddir/tests/peer/client
"$client" "tls require" 2>&1 | grep -q ENOTSUP && skip_all "the library was built without TLS"

# ---- certificates

# ca NAME, certificate CA NAME LINE...: in folders that nbdkit and the client take
ca() {
    mkdir -p "$tmp/$1"
    certtool --generate-privkey --key-type=ecdsa --outfile "$tmp/$1/ca-key.pem" 2>/dev/null
    printf 'cn = "%s"\nca\ncert_signing_key\nexpiration_days = 10\n' "$1" >"$tmp/template"
    certtool --generate-self-signed --load-privkey "$tmp/$1/ca-key.pem" \
        --template "$tmp/template" --outfile "$tmp/$1/ca-cert.pem" 2>/dev/null
}
certificate() {
    local ca=$tmp/$1 to=$tmp/$2
    shift 2
    mkdir -p "$to"
    cp "$ca/ca-cert.pem" "$to"
    certtool --generate-privkey --key-type=ecdsa --outfile "$to/server-key.pem" 2>/dev/null
    printf '%s\n' 'cn = "server"' tls_www_server "$@" >"$tmp/template"
    certtool --generate-certificate --load-privkey "$to/server-key.pem" \
        --load-ca-certificate "$ca/ca-cert.pem" --load-ca-privkey "$ca/ca-key.pem" \
        --template "$tmp/template" --outfile "$to/server-cert.pem" 2>/dev/null
}
ca good-ca
ca other-ca
certificate good-ca right 'dns_name = "nbd.example.com"' 'ip_address = "127.0.0.1"' \
    'dns_name = "localhost"' 'expiration_days = 10'
certificate good-ca expired 'dns_name = "nbd.example.com"' \
    'activation_date = "2001-01-01 00:00:00"' 'expiration_date = "2001-02-01 00:00:00"'
certificate other-ca untrusted 'dns_name = "nbd.example.com"' 'expiration_days = 10'
mkdir "$tmp/selfsigned" "$tmp/trust"
certtool --generate-privkey --key-type=ecdsa --outfile "$tmp/selfsigned/server-key.pem" 2>/dev/null
printf 'cn = "self"\ndns_name = "nbd.example.com"\nexpiration_days = 10\n' >"$tmp/template"
certtool --generate-self-signed --load-privkey "$tmp/selfsigned/server-key.pem" \
    --template "$tmp/template" --outfile "$tmp/selfsigned/server-cert.pem" 2>/dev/null
cp "$tmp/selfsigned/server-cert.pem" "$tmp/selfsigned/ca-cert.pem"
cp "$tmp/good-ca/ca-cert.pem" "$tmp/trust"

# serve FOLDER: nbdkit with its certificate, on a Unix socket
serve() {
    start_nbdkit --tls=require --tls-certificates="$tmp/$1" pattern 1M
}
trusting=("tls require" "tls-certificates $tmp/trust")
hostname="tls-hostname nbd.example.com"

serve right
right=$sock
for mode in "" -a; do
    run "$client" $mode "${trusting[@]}" "$hostname" "connect-unix $sock" tls-negotiated \
        "pread 512 100000" shutdown
    is "a right certificate is taken${mode:+, asynchronous}" "$out" "connect-unix: ok
tls-negotiated: 1
pread: ok p100000
shutdown: ok"
done
run "$client" "${trusting[@]}" "tls-hostname other.example.com" "connect-unix $right"
like "CVE-2024-7383: over a Unix socket with tls-hostname a wrong name is refused" "$out" \
    "^connect-unix: error"
run "$client" "${trusting[@]}" "tls-hostname other.example.com" "tls-verify 0" \
    "connect-unix $right" tls-negotiated
like "unless the user does not want it verified" "$out" "tls-negotiated: 1"
for wrong in expired untrusted selfsigned; do
    serve $wrong
    for mode in "" -a; do
        run "$client" $mode "${trusting[@]}" "$hostname" "connect-unix $sock" "pread 0 512"
        like "CVE-2024-7383: a certificate that is $wrong is refused${mode:+, asynchronous}" \
            "$out" "^connect-unix: error [^
]*
pread: error"
    done
done

# Over TCP: nbdkit picks no port by itself, socket activation gives it one of ours.
run "$client" "tls require" "tls-certificates $tmp/trust" "tls-hostname 127.0.0.1" \
    "connect-unix $right"
like "an address in the certificate counts as a name, or is refused, but never ignored" "$out" \
    "^connect-unix: (ok|error)"

# ---- who wants TLS and who does not

run "$client" "connect-unix $right"
like "without TLS a server that requires it is not reached" "$out" "^connect-unix: error"
start_nbdkit --tls=off pattern 1M
run "$client" "${trusting[@]}" "connect-unix $sock"
like "with TLS required a server without it is refused" "$out" "^connect-unix: error"
run "$client" "tls allow" "connect-unix $sock" tls-negotiated "pread 512 512"
is "with TLS allowed a server without it is served in plain text" "$out" "connect-unix: ok
tls-negotiated: 0
pread: ok p512"
start_nbdkit -o --tls=off pattern 1M
run "$client" "${trusting[@]}" "connect-unix $sock"
like "CVE-2019-14842: with TLS required an oldstyle server is refused" "$out" \
    "^connect-unix: error"

# ---- keys that both sides know

psktool -u alice -p "$tmp/keys" >/dev/null 2>&1
psktool -u alice -p "$tmp/other-keys" >/dev/null 2>&1
start_nbdkit --tls=require --tls-psk="$tmp/keys" pattern 64M
for mode in "" -a; do
    run "$client" $mode "tls require" "tls-psk $tmp/keys" "tls-username alice" \
        "connect-unix $sock" tls-negotiated "pread 512 16M" shutdown
    is "the right key is taken, and a large read arrives whole${mode:+, asynchronous}" "$out" \
        "connect-unix: ok
tls-negotiated: 1
pread: ok p16777216
shutdown: ok"
done
run "$client" "tls require" "tls-psk $tmp/other-keys" "tls-username alice" "connect-unix $sock"
like "another key is refused" "$out" "^connect-unix: error"
run "$client" "tls require" "tls-psk $tmp/keys" "tls-username bob" "connect-unix $sock"
like "another user is refused" "$out" "error"

done_testing
