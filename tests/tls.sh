# SPDX-License-Identifier: LGPL-2.1-or-later
# tls.sh - what tests of TLS share: authorities, certificates and keys of their own
#
#     . "$abs_top_srcdir/tests/tls.sh"
#     authority ca                                   # $tmp/ca: ca-key.pem, ca-cert.pem
#     certificate ca server 'dns_name = "localhost"' # $tmp/server, for a server
#     certificate ca client tls_www_client           # $tmp/client, for a client
#     psk_key keys.psk alice                         # $tmp/keys.psk
#
# In such a folder nbdkit and nbdmount find what they need.

TLS_DAYS='expiration_days = 10'

# sign NAME ARGS...: a certificate of what is in $tmp/template.
sign() {
    certtool --template "$tmp/template" "$@" 2>"$tmp/certtool.log" ||
        { diag_file "$tmp/certtool.log"; bail_out "certtool $* failed"; }
}
new_key() { sign --generate-privkey --key-type=ecdsa --outfile "$1"; }

authority() { # FOLDER
    local to=$tmp/$1
    mkdir -p "$to"
    printf '%s\n' "cn = \"$1\"" ca cert_signing_key "$TLS_DAYS" >"$tmp/template"
    new_key "$to/ca-key.pem"
    sign --generate-self-signed --load-privkey "$to/ca-key.pem" --outfile "$to/ca-cert.pem"
}

# A line that says when it ends takes the place of the usual one.
certificate() { # AUTHORITY FOLDER TEMPLATE-LINE...
    local ca=$tmp/$1 to=$tmp/$2 kind=server
    shift 2
    printf '%s\n' "$@" >"$tmp/template"
    grep -q tls_www_client "$tmp/template" && kind=client || echo tls_www_server >>"$tmp/template"
    grep -q '^expiration' "$tmp/template" || echo "$TLS_DAYS" >>"$tmp/template"
    echo "cn = \"$kind\"" >>"$tmp/template"
    mkdir -p "$to"
    [ "$ca" = "$to" ] || cp "$ca/ca-cert.pem" "$to"
    new_key "$to/$kind-key.pem"
    sign --generate-certificate --load-privkey "$to/$kind-key.pem" \
        --load-ca-certificate "$ca/ca-cert.pem" --load-ca-privkey "$ca/ca-key.pem" \
        --outfile "$to/$kind-cert.pem"
}

psk_key() { # FILE USER
    psktool -u "$2" -p "$tmp/$1" >/dev/null 2>&1 || bail_out "psktool failed"
    chmod 644 "$tmp/$1"
}
