#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# extract.pl - takes the programs out of the section EXAMPLE of manual pages
#
#     extract.pl FOLDER PAGE.pod...
#
# A program is a run of verbatim paragraphs that begins with #include; a page may have
# several.  Each goes to FOLDER/PAGE-N.c, and a line about it to standard output:
#
#     PAGE-N <tab> arguments of nbdkit <tab> regular expression
#
# where the latter two come from the paragraphs "=for example-run" and "=for
# example-expect" before it, and are "-" where there is none.  With an expression the
# program is run, its argument being the URI of the server (and a second one the
# socket), if there is to be one, and a line that it prints must match.
use strict;
use warnings;

my $folder = shift;
for my $file (@ARGV) {
    my ($page) = $file =~ m{([^/]+)\.pod$} or die "$file: not a page\n";
    my ($on, $n, $program, %about) = (0, 0, '');

    my $finish = sub {
        return if $program eq '';
        $n++;
        my $path = "$folder/$page-$n.c";
        open my $out, '>', $path or die "$path: $!\n";
        print $out $program;
        close $out or die "$path: $!\n";
        print join("\t", "$page-$n", $about{run} // '-', $about{expect} // '-'), "\n";
        ($program, %about) = ('');
    };

    open my $in, '<', $file or die "$file: $!\n";
    local $/ = '';    # a paragraph at a time
    while (my $paragraph = <$in>) {
        $paragraph =~ s/\n+\z/\n/;
        if ($paragraph =~ /^=head1 (.*)/) {
            $finish->();
            $on = $1 eq 'EXAMPLE';
        } elsif (!$on) {
            next;
        } elsif ($paragraph =~ /^=for example-(run|expect) (.*)\n/) {
            my ($what, $text) = ($1, $2);
            $finish->();
            $about{$what} = $text;
        } elsif ($paragraph =~ /^ /) {
            next if $program eq '' && $paragraph !~ /^ +#include/;
            $paragraph =~ s/^ {4}//mg;
            $program .= ($program eq '' ? '' : "\n") . $paragraph;
        } else {
            $finish->();
        }
    }
    $finish->();
    die "$file: no example\n" if $n == 0;
}
