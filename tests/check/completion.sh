# SPDX-License-Identifier: LGPL-2.1-or-later
# completion.sh - what the Tab key offers
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

. "$abs_top_srcdir/contrib/completion/nbdmount" || bail_out "it cannot be sourced"
mkdir "$tmp/folder" "$tmp/bin"
: >"$tmp/folder/disk.img"
cd "$tmp" || exit 99

# tab WORD...: sets $offered for the last word.
tab() {
    COMP_WORDS=("$nbdmount" "$@") COMP_CWORD=$#
    _nbdmount 2>"$tmp/said"
    offered="${COMPREPLY[*]}"
}
tab --fi
is "an option" "$offered" "--filename="
tab --foreg
is "an option without a value" "$offered" "--foreground"
tab -
for option in $("$nbdmount" --help | grep -oE '^ *(-., )?--[a-z_-]+' | sed 's/.*--/--/'); do
    like "$option of --help is offered" " $offered " " $option=? "
done
tab --cache = ''
is "the words that an option takes" "$offered" "always open none writeback readahead"
tab --truncate = z
is "the one that begins so" "$offered" "zero"
tab --tls-certificates = fol
is "a folder" "$offered" "folder"
tab -o filen
is "-o" "$offered" "filename="
tab -o ro,cach
is "-o, a further one" "$offered" "ro,cache="
tab -o foregr
is "not what is for the command line alone" "$offered" ""
tab n
like "a source" "$offered" "nbd://"
tab [ nbdk
is "a server's program" "$offered" "nbdkit"
tab [ nbdkit file fol
is "a server's file" "$offered" "folder"
tab [ nbdkit file x ] fol
is "a mountpoint after a command" "$offered" "folder"
tab --status fol
is "a mountpoint after --status" "$offered" "folder"
tab --status --json fol
is "and after --json" "$offered" "folder"
tab nbd : //host fol
is "a mountpoint after a URI" "$offered" "folder"

if command -v zsh >/dev/null; then
    ok "zsh takes the other one" zsh -n "$abs_top_srcdir/contrib/completion/_nbdmount"
fi
done_testing
