# SPDX-License-Identifier: LGPL-2.1-or-later
# Any name that an export can have: shown as a path, opened, and the same at the server.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program perl jq
need_nbdkit file eval

# Goes down step by step, for such paths are longer than the kernel takes at once; each
# file has to begin with the name that its path stands for. Prints those names, in hex.
cat >"$tmp/walk.pl" <<'P'
use strict;
use warnings;
no warnings 'recursion';

sub walk {
    my ($above) = @_;
    opendir my $folder, '.' or die "$above: $!";
    for my $entry (sort grep { !/^\.\.?$/ } readdir $folder) {
        if (-d $entry) {
            chdir $entry or die "$above$entry: $!";
            walk("$above$entry/");
            chdir '..' or die;
            next;
        }
        my $name = "$above$entry";
        $name =~ s,%(/|$),,g; # it went on
        $name =~ s/%([0-9A-F]{2})/chr hex $1/ge;
        open my $file, '<:raw', $entry or die "$above$entry: $!";
        my $content = do { local $/; <$file> };
        $content =~ s/\0.*//s;
        print unpack('H*', $name), $content eq $name ? "" : " is $content", "\n";
    }
}
chdir $ARGV[0] or die;
walk('');
P

# shown NAME: what there is is what was made: $tmp/names has a name in hex on each line
shown() {
    run perl "$tmp/walk.pl" "$mnt"
    sort "$tmp/.out" >"$tmp/got"
    sort "$tmp/names" >"$tmp/want"
    ok "$1" diff "$tmp/want" "$tmp/got"
    is "nothing failed for that" "$status $err" "0 "
}
hex() { od -An -v -tx1 | tr -d ' \n'; }

# ---- names of files: nbdkit's file plugin has an export for each

mkdir "$tmp/dir"
perl - "$tmp/dir" "$tmp/names" <<'P'
my ($dir, $list) = @ARGV;
my @names = ("plain", "with blank", " before", "behind ", "new\nline", "\n", "tab\t", "\e[31mred", "del\x7f",
    "100%", "%", "%%", "%41", "%2F", "%0A", "...", ".hidden", "-r", "'", '"', "\\", "*", "?", "#", "&=;", "a,b", "[",
    "\xc3\xa4\xe2\x82\xac", "\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "nbd",
    "x" x 254, "y" x 255, "\xff" x 255, "\n" x 255, "%" x 255, map { chr } grep { chr !~ m,[./], } 1 .. 255);
my %seen;
open my $out, '>', $list or die;
for my $name (grep { !$seen{$_}++ } @names) {
    open my $file, '>:raw', "$dir/$name" or die "$name: $!";
    print $file $name;
    truncate $file, 4096 or die;
    print $out unpack('H*', $name), "\n";
}
P
start_nbdkit file dir="$tmp/dir"
start_nbdmount -r -C 1 "$uri" "$(new_dir mnt)"
at_least "names of any bytes" "$(wc -l <"$tmp/names")" 270
shown "are shown and lead to their exports"
is "one that needs no escape is as it is" "$(head -c 10 "$mnt/with blank")" "with blank"
is "a control character is %XX" "$(head -c 8 "$mnt/new%0Aline" | hex)" "$(printf 'new\nline' | hex)"
is "bytes that are no UTF-8 are themselves" "$(head -c 1 "$mnt/"$'\xff' | hex)" ff
stop_nbdmount
is "the daemon ends well" "$status" 0

# ---- names with slashes: a plugin whose exports contain the name that it was asked for

perl - "$tmp/list" "$tmp/names" <<'P'
my ($list, $names) = @ARGV;
my @names = ("", "a", "a/b", "a/b/c", "a%2Fb", "a-b", "b/c", "b", ".", "..", "./x", "../x", "x/.", "x/..", "a/../b", "/",
    "//", "///", "/lead", "//lead", "trail/", "trail", "trail//", "x//y", "x/y", "nbd", "nbd/x", "%", "%/%", "p%/q",
    " / ", "\xff/\xfe", "c\x01/\x02d", "i" x 254, "j" x 255, "k" x 256, "l" x 600, "m" x 4096, "\xff" x 4096,
    "\x01" x 4096, "%" x 4096, "/" x 4096, "." x 4096, "n/" x 2048, "." . "/." x 2047 . "x", "../" x 1365 . "z",
    "k" x 254 . "/o", "k" x 256 . "/o");
open my $out, '>:raw', $list or die;
print $out map { "$_\n" } @names;
open $out, '>', $names or die;
print $out map { unpack('H*', $_) . "\n" } @names;
P
start_nbdkit eval list_exports="echo NAMES; cat '$tmp/list'" open='printf "%s" "$3"' get_size='echo 8192' \
    pread='{ printf "%s" "$2"; head -c 8192 /dev/zero; } |
        dd bs=64K iflag=fullblock,skip_bytes,count_bytes skip="$4" count="$3" status=none'
start_nbdmount -o all,connections=1 "$uri" "$(new_dir mnt)"
shown "slashes, dots, and names of up to 4096 bytes too"
first() { tr -d '\0' <"$mnt/$1"; }
is "a slash makes a folder" "$(first b%2Fc)$(first a)" "b/ca"
is "but not below another export, which is a file: both are there" "$(first a) $(first a%2Fb) $(first a%2Fb%2Fc)" \
    "a a/b a/b/c"
is "the default export makes room for one called nbd" "$(first nbd)$(first %)" nbd
is "a path is never . or .." "$(first %2E) $(first %2E%2E) $(first %2E%2E%2Fx)" ". .. ../x"
stop_nbdmount
is "the daemon ends well after that" "$status" 0

# The same by name.
for name in 'a/../b' '/' "$(printf 'm%.0s' $(seq 4096))"; do
    start_nbdmount --export "$name" "$uri" "$(new_dir mnt)"
    is "--export ${name:0:20}" "$(tr -d '\0' <"$mnt/nbd")" "$name"
    stop_nbdmount
done
run "$nbdmount" --list --json "$uri"
is "--list has them all" "$(jq -r '.exports[].encoded' "$tmp/.out" | perl -ne 'chomp; s/%(..)/chr hex $1/ge; print unpack("H*", $_), "\n"' | sort | cmp - "$tmp/want" && echo same)" same

# ---- both: a newline and a slash, which only a scripted server can list

cat >"$tmp/script" <<'P'
case newline
handshake until=LIST
reply server be32:8 "a\n//\xff\x01x\n"
reply ack
option INFO
check-data be32:8 "a\n//\xff\x01x\n" be16:1 be16:3
info export 1M 3
reply ack
option LIST_META
reply ack
drain
connection
handshake until=GO
check-data be32:8 "a\n//\xff\x01x\n" be16:3 be16:1 be16:2 be16:3
info export 4096 1
reply ack
serve
P
sock=$tmp/peer.sock
start peer "$abs_top_builddir/tests/peer/peer" -c newline -u "$sock" "$tmp/script"
wait_while_alive "$started_pid" test -S "$sock" || bail_out "the peer does not start"
uri="nbd+unix:///?socket=$sock"
run "$nbdmount" --list --json "$uri"
is "a name of all that is asked about as it is" "$(jq -c '.exports[] | [.encoded, .size]' "$tmp/.out")" \
    '["a%0A//%FF%01x%0A",1048576]'
start_nbdmount -C 1 -o retry=0 "nbd+unix:///a%0A//%FF%01x%0A?socket=$sock" "$(new_dir mnt)"
is "and opened" "$(stat -c %s "$mnt/nbd")" 4096
stop_nbdmount
done_testing
