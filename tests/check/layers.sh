# SPDX-License-Identifier: LGPL-2.1-or-later
# layers.sh - includes go downwards only: lib/ by the prefix of its files, src/ sees of
# lib/ its public headers, and what a layer must not know it does not include
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

# layer: the layers below it that it may include (its own is always fine).
declare -A below=(
    [base]=""
    [wire]="base"
    [proto]="base wire libnbd"
    [stream]="base libnbd"
    [connect]="base libnbd"
    [handle]="base wire proto stream connect libnbd"
    [api]="base wire proto stream connect handle libnbd nbdclient"
    [libnbd]=""
    [nbdclient]="libnbd"
)

# The headers that a file includes: quoted ones as they are, the system's in <>.
includes_of() {
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*("([^"]+)"|(<[^>]+>)).*/\2\3/p' "$1"
}

# Prints each include of lib/ that goes upwards, or that its layer must not know.
wrong_in_lib() { # FOLDER
    local file layer header target
    for file in "$1"/*.[ch]; do
        layer=$(basename "$file")
        layer=${layer%%[-.]*}
        [ -n "${below[$layer]+set}" ] || { echo "${file##*/} belongs to no layer"; continue; }
        while read -r header; do
            case $header in
            '<libnbd.h>') [ "$layer" = nbdclient ] || echo "${file##*/} includes <libnbd.h>, which may be another library's" ;;
            '<gnutls/'*)
                case ${file##*/} in
                stream-tls*) ;;
                *) echo "${file##*/} includes $header" ;;
                esac
                ;;
            '<fuse'*) echo "${file##*/} includes $header" ;;
            '<pthread.h>' | '<sys/socket.h>' | '<netdb.h>' | '<poll.h>' | '<time.h>' | '<sys/time.h>' | '<unistd.h>' | '<threads.h>')
                # Neither sockets nor locks nor clocks in the engine.
                case $layer in
                wire | proto) echo "${file##*/} includes $header" ;;
                esac
                ;;
            '<'* | config.h) ;;
            *)
                target=${header%%[-.]*}
                case " $layer ${below[$layer]} " in
                *" $target "*) ;;
                *) echo "${file##*/} includes $header" ;;
                esac
                ;;
            esac
        done < <(includes_of "$file")
    done
}

# Prints each include of src/ that is of lib/ and not <libnbd.h>.
wrong_in_src() { # FOLDER LIB-FOLDER
    local file header
    for file in "$1"/*.[ch]; do
        while read -r header; do
            case $header in
            '<libnbd.h>' | '<nbdclient.h>' | config.h) ;;
            '<'*)
                header=${header#<}
                [ ! -e "$2/${header%>}" ] || echo "${file##*/} includes <${header%>}>"
                ;;
            *)
                [ -e "$1/$header" ] || echo "${file##*/} includes $header"
                case ${file##*/}:$header in
                extent-map*:extent-map*.h) ;;
                extent-map*) echo "${file##*/} includes $header" ;;
                esac
                ;;
            esac
        done < <(includes_of "$file")
    done
    ! grep -slE '<(pthread|libnbd|fuse.*|unistd|poll)\.h>' "$1"/extent-map*.[ch] \
        "$1"/replay-{format,decode,read}.[ch]
}

is "lib/ includes downwards only" "$(wrong_in_lib "$abs_top_srcdir/lib")" ""
is "src/ sees of lib/ only its public headers, and its extent map and log format see nothing" \
    "$(wrong_in_src "$abs_top_srcdir/src" "$abs_top_srcdir/lib")" ""

# The checks themselves find what is wrong.
bad=$(new_dir)
mkdir "$bad/lib" "$bad/src"
echo '#include "proto.h"' >"$bad/lib/wire-decode.c"
echo '# include "api.h" /* no */' >"$bad/lib/proto.c"
echo '#include <pthread.h>' >"$bad/lib/proto-reply.c"
echo '#include <gnutls/gnutls.h>' >"$bad/lib/stream-socket.c"
echo '#include "base-text.h"' >"$bad/lib/other.c"
echo '#include "handle.h"' >"$bad/lib/handle.c"
is "an include upwards, a lock in the engine and a file of no layer are found" \
    "$(wrong_in_lib "$bad/lib" | sort)" "other.c belongs to no layer
proto-reply.c includes <pthread.h>
proto.c includes api.h
stream-socket.c includes <gnutls/gnutls.h>
wire-decode.c includes proto.h"
echo '#include "handle.h"' >"$bad/src/conn.c"
touch "$bad/lib/handle.h" "$bad/src/conn.h"
echo '#include <pthread.h>' >"$bad/src/extent-map.c"
echo '#include <unistd.h>' >"$bad/src/replay-read.c"
touch "$bad/src/extent-map.h"
is "a private header of lib/ in src/, a lock in the extent map and files in a format are found" \
    "$(wrong_in_src "$bad/src" "$bad/lib")" "conn.c includes handle.h
$bad/src/extent-map.c
$bad/src/replay-read.c"

done_testing
