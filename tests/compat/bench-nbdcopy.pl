#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench-nbdcopy.pl - medians of two files of "wall user system", and their ratio
use strict;
use warnings;

my ($name, $limit, $wall_limit, $theirs, $ours) = @ARGV;

sub numbers {
    my ($file) = @_;
    my (@wall, @cpu);
    open my $in, '<', $file or die "$file: $!\n";
    while (<$in>) {
        my ($wall, $user, $system) = split;
        push @wall, $wall;
        push @cpu, $user + $system;
    }
    return {wall => [sort { $a <=> $b } @wall], cpu => [sort { $a <=> $b } @cpu]};
}

sub median {
    my @sorted = @{$_[0]};
    return ($sorted[$#sorted / 2] + $sorted[($#sorted + 1) / 2]) / 2;
}

my ($their, $our) = (numbers($theirs), numbers($ours));
my $failed = 0;
print "$name, nbdcopy to null:, ${\ scalar @{$our->{cpu}}} rounds\n";
for ([cpu => 'user + system', $limit], [wall => 'wall', $wall_limit]) {
    my ($what, $label, $most) = @$_;
    my $ratio = median($our->{$what}) / median($their->{$what});
    for (['libnbd', $their], ['ours', $our]) {
        my ($who, $all) = @$_;
        printf "  %-13s  %-6s  %6.3f s  (%.3f to %.3f)\n", $label, $who,
            median($all->{$what}), $all->{$what}[0], $all->{$what}[-1];
    }
    printf "  %-13s  ratio   %6.3f    (at most %.2f)%s\n", $label, $ratio, $most,
        $ratio > $most ? '  BEYOND' : '';
    $failed = 1 if $ratio > $most;
}
exit $failed;
