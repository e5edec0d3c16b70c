#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# pages.pl - compares the manual pages of the library with its headers, as TAP
#
#     pages.pl FOLDER-OF-LIB
use strict;
use warnings;

my $lib = shift or die "usage: $0 FOLDER\n";
my $count = 0;

sub slurp {
    my $path = shift;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

# ok(name, problems): passes where there is none.
sub ok {
    my ($name, @problems) = @_;
    $count++;
    print @problems ? 'not ' : '', "ok $count - $name\n";
    print "#   $_\n" for @problems;
    return;
}

# The text without what clang-format, or a writer, may choose.
sub squeeze {
    my $text = shift;
    $text =~ s/\s+/ /g;
    $text =~ s/ ?([(){}*;,]) ?/$1/g;
    return $text;
}

# ---- what the header declares: functions, and types of callbacks

my $header = slurp("$lib/libnbd.h") . slurp("$lib/nbdclient.h");
$header =~ s{/\*.*?\*/}{}sg;
$header =~ s/\\\n//g;
$header =~ s/^#.*\n//mg;
$header =~ s/LIBNBD_ATTRIBUTE_\w+\((?:[^()]|\([^()]*\))*\)//g;
my (%prototype, %type);
while ($header =~ /\bextern\s+([^"{};]*?\b(nbd(?:client)?_\w+)\([^;]*\))\s*;/g) {
    $prototype{$2} = squeeze("$1;");
}
while ($header =~ /(typedef struct \{[^{}]*\} (nbd_\w+);)/g) {
    $type{$2} = squeeze($1);
}
ok('the header declares functions and types',
    keys %prototype > 100 && keys %type > 5 ? () : 'it could not be read');

# ---- what the pages say

my @sections = ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'RETURN VALUE', 'ERRORS',
    'HANDLE STATE', 'THREADS', 'VERSION', 'EXAMPLE', 'SEE ALSO');
my (%page_of, @twice, @sections_wrong, @synopsis_wrong, @links, %reached);
my @pods = sort map { m{([^/]+)\.pod$} } glob "$lib/*.pod";

for my $page (grep { /^nbd(client)?_/ } @pods) {
    my $text = slurp("$lib/$page.pod");
    my @parts = split /^=head1 (.*)\n/m, $text;
    shift @parts;
    my (@order, %part);
    while (my ($name, $body) = splice @parts, 0, 2) {
        push @order, $name;
        $part{$name} = $body;
    }
    push @sections_wrong, "$page: @order" if "@order" ne "@sections";

    my ($names) = $part{NAME} =~ /^\s*(.*?)\s-\s/s or die "$page: no names\n";
    my @names = split /,\s*/, $names;
    push @sections_wrong, "$page is not the first of its names" if $names[0] ne $page;
    for my $name (@names) {
        push @twice, "$name: $page and $page_of{$name}" if $page_of{$name};
        $page_of{$name} = $page;
    }

    # All that the synopsis declares is there as in the header, and it declares the
    # functions of the page and no others.
    my $synopsis = squeeze($part{SYNOPSIS});
    my $its = $page =~ /^nbdclient_/ ? 'nbdclient.h' : 'libnbd.h';
    $synopsis =~ s/^ ?#include <\Q$its\E> ?//
        or push @synopsis_wrong, "$page does not include $its";
    while ($synopsis =~ s/^(typedef struct\{[^{}]*\}(nbd_\w+);) ?//) {
        push @synopsis_wrong, "$page: $2" if ($type{$2} // '') ne $1;
    }
    my $want = join '', map { $prototype{$_} // "($_ is in no header)" } @names;
    push @synopsis_wrong, "$page: $synopsis", "    not: $want" if $synopsis ne $want;
}
for my $page (@pods) {
    my $text = slurp("$lib/$page.pod");
    push @links, map { [$page, $_] } $text =~ /L<(nbd\w+)\(3\)/g;
    next if $page ne 'nbdclient';
    my ($list) = $text =~ /^=head1 SEE ALSO\n(.*)/ms;
    $reached{$_} = 1 for $list =~ /L<(nbd(?:client)?_\w+)\(3\)>/g;
}

my @functions = sort keys %prototype;
ok('every function of the header has a page', grep { !$page_of{$_} } @functions);
ok('every function of the pages is in the header',
    grep { !$prototype{$_} } sort keys %page_of);
ok('no function has two pages', @twice);
ok('every page has the sections that it should have, in order', @sections_wrong);
ok('every synopsis is as in the header', @synopsis_wrong);
ok('every reference to a page has a page',
    map { "$$_[0]: $$_[1]" } grep { !$page_of{$$_[1]} && $$_[1] !~ /^nbd(client|kit)$/ } @links);
ok('the overview lists every function', grep { !$reached{$_} } @functions);

# ---- what is installed

my $list = slurp("$lib/pages.mk");
my %pod = map { $_ => 1 } $list =~ /^\t(\w+)\.pod/mg;
my %man = map { $_ => 1 } $list =~ /^\t(\w+)\.3/mg;
ok('every page is in pages.mk', grep { !$pod{$_} } @pods);
ok('every function has a page to install', grep { !$man{$_} } @functions);
ok('nothing else is in pages.mk',
    grep { !$page_of{$_} && $_ ne 'nbdclient' } sort keys %pod, keys %man);
print "1..$count\n";
