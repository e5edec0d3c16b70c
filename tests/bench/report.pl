#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# report.pl - samples to medians, spread, ratios and verdicts
#
#     report.pl [--strict] [--complete] ROWS.TSV FOLDER
#
# Reads FOLDER/samples.tsv and facts.tsv; writes the tables to standard output and
# FOLDER/bench.txt, everything to bench.json, and chart.dat for chart.gp. --strict: a
# target missed for certain is status 1. --complete: so is anything of nbdmount that was to
# be measured and was not.
#
# A ratio is nbdmount / the other, of medians; the range beside it is that of the rounds,
# each with itself, for what disturbs a round disturbs both. So is the mean (geometric) with
# its standard error. A verdict is certain where the samples scatter little, where every
# round alone gives the same, or where the mean of enough rounds is far enough from the
# target.
use strict;
use warnings;
use Getopt::Long;
use JSON::PP;

my $NOISE      = 0.10;    # of a row: 1.4826 MAD / median
my $CALIBRATED = 0.15;    # of the machine: (p90 - p10) / median of the calibration
my $FEWEST     = 3;       # rounds, for a verdict that is certain
my $SEVERAL    = 7;       # rounds, for one by their mean
my $FAR        = 3;       # standard errors from the target, for that
my @programs = qw(nbdmount base nbdfuse qemu nbdcopy);
my @peers    = qw(base nbdfuse qemu nbdcopy);

my ($strict, $complete);
GetOptions(strict => \$strict, complete => \$complete) && @ARGV == 2
    or die "usage: report.pl [--strict] [--complete] ROWS.TSV FOLDER\n";
my ($rows_file, $folder) = @ARGV;

sub lines {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    my @lines = grep { !/^#/ } <$file>;
    chomp @lines;
    return map { [split /\t/, $_, -1] } @lines;
}

sub quantile {
    my ($q, @sorted) = @_;
    my $at = $q * $#sorted;
    my $i  = int $at;
    return $sorted[$i] if $i >= $#sorted;
    return $sorted[$i] + ($at - $i) * ($sorted[$i + 1] - $sorted[$i]);
}

sub summary {
    my (@values) = sort { $a <=> $b } @_;
    return unless @values;
    my $median = quantile(0.5, @values);
    my $mad    = quantile(0.5, sort { $a <=> $b } map { abs($_ - $median) } @values);
    return {
        n      => scalar @values,
        median => $median,
        min    => $values[0],
        max    => $values[-1],
        spread => $median ? 1.4826 * $mad / abs $median : 0,
    };
}

# Three digits and more, and no exponent but for what is next to nothing.
sub number {
    my ($value) = @_;
    my $size = abs $value;
    return sprintf $size >= 100 ? '%.0f' : $size >= 10 ? '%.1f' : $size >= 0.01 || !$size ? '%.2f' : '%.1g',
        $value;
}

# ---- what was measured: $of{row}{metric}{program}{round}

my (%of, %sign, %notes, @notes, @calibration, %measured);
for (lines("$folder/samples.tsv")) {
    my ($round, $row, $program, $metric, $value, $note) = @$_;
    if ($metric eq 'calibration') {
        push @calibration, $value;
        next;
    }
    $measured{$row} = 1;
    if ($metric eq 'status') {
        push @notes, [$row, $program, $note] unless $notes{$row}{$program}{$note}++;
        next;
    }
    $of{$row}{$metric}{$program}{$round} = $value;
    $sign{$row}{$metric}{$program} = $note if $note ne '';
}
my %facts = map { ($_->[0] => $_->[1]) } lines("$folder/facts.tsv");

my $machine = summary(@calibration);
my $machine_noise = 0;
if ($machine) {
    my @sorted = sort { $a <=> $b } @calibration;
    $machine_noise = (quantile(0.9, @sorted) - quantile(0.1, @sorted)) / $machine->{median};
}
my $too_noisy = $machine_noise > $CALIBRATED ? 1 : 0;

# ---- ratios and verdicts

# The geometric mean, and its standard error as a part of it; (0, 0) where there is none.
sub mean {
    my $n = @_;
    return (0, 0) if !$n || grep { $_ <= 0 } @_;
    my @logs = map { log } @_;
    my ($sum, $squares) = (0, 0);
    $sum += $_ for @logs;
    $squares += ($_ - $sum / $n)**2 for @logs;
    return (exp($sum / $n), $n > 1 ? sqrt($squares / ($n - 1) / $n) : 0);
}

# The ratio to one peer, with the range of the rounds' own ratios.
sub ratio {
    my ($row, $metric, $peer) = @_;
    my ($ours, $theirs) = @{ $of{$row}{$metric} }{ 'nbdmount', $peer };
    return unless $ours && $theirs;
    my ($a, $b) = (summary(values %$ours), summary(values %$theirs));
    return unless $b->{median};
    my @each = map { $theirs->{$_} ? $ours->{$_} / $theirs->{$_} : () }
        grep { defined $theirs->{$_} } keys %$ours;
    # One sample stands for all rounds where a program was not tried again.
    @each = map { $_ / $b->{median} } values %$ours if $b->{n} == 1 || !@each;
    my $all = summary(@each);
    my ($mean, $error) = mean(@each);
    return {
        ratio => $a->{median} / $b->{median},
        mean  => $mean,
        error => $error,
        pairs => $b->{n} == 1 ? 1 : scalar @each,
        low   => $all->{min},
        high  => $all->{max},
        n     => $a->{n},
        noise => $a->{spread} > $b->{spread} ? $a->{spread} : $b->{spread},
    };
}

sub verdict {
    my ($value, $target, $better) = @_;
    my $reached = sub { $better eq 'more' ? $_[0] >= $target : $_[0] <= $target };
    my $met     = $reached->($value->{ratio});
    my $agreed  = $reached->($value->{low}) == $met && $reached->($value->{high}) == $met;
    my $is_far  = $value->{mean} && $value->{pairs} >= $SEVERAL
        && $reached->($value->{mean}) == $met
        && abs(log($value->{mean} / $target)) >= $FAR * $value->{error};
    my $certain = $value->{n} >= $FEWEST
        && ($agreed || $is_far || (!$too_noisy && $value->{noise} <= $NOISE));
    return ($met ? 'met' : 'MISSED') . ($certain ? '' : '?');
}

my (@results, @missing);
for (lines($rows_file)) {
    my ($row, $metric, $title, $unit, $better, @targets) = @$_;
    next unless $measured{$row};
    my %target = (nbdfuse => $targets[0], qemu => $targets[1], nbdcopy => $targets[2]);
    my $result = {
        row => $row, metric => $metric, title => $title, unit => $unit, better => $better,
        values => {}, ratios => {},
    };
    for my $program (@programs) {
        my $rounds = $of{$row}{$metric}{$program} or next;
        my $summary = summary(values %$rounds);
        $summary->{samples} = [map { $rounds->{$_} } sort { $a <=> $b } keys %$rounds];
        $summary->{sign} = $sign{$row}{$metric}{$program} // '';
        $result->{values}{$program} = $summary;
    }
    push @missing, "$row: $metric" unless $result->{values}{nbdmount};
    for my $peer (@peers) {
        my $ratio = ratio($row, $metric, $peer) or next;
        my $target = $target{$peer} // '-';
        if ($target ne '-') {
            $ratio->{target}  = $target;
            $ratio->{verdict} = verdict($ratio, $target, $better);
        }
        $result->{ratios}{$peer} = $ratio;
    }
    my $own = $result->{values}{nbdmount};
    if ($own && ($targets[3] // '-') ne '-') {
        $result->{limit}   = $targets[3];
        my ($mean, $error) = mean(@{ $own->{samples} });
        $result->{verdict} = verdict(
            { ratio => $own->{median}, low => $own->{min}, high => $own->{max}, mean => $mean,
              error => $error, n => $own->{n}, pairs => $own->{n}, noise => $own->{spread} }, $targets[3], $better);
    }
    push @results, $result;
}
die "no row was measured\n" unless @results;

# ---- the tables

my $text = '';
sub say_line { $text .= join('', @_) . "\n"; }

# Aligned: the first column to the left, the others to the right.
sub table {
    my (@lines) = @_;
    my @width;
    for my $line (@lines) {
        for my $i (0 .. $#$line) {
            my $length = length $line->[$i];
            $width[$i] //= 0;
            $width[$i] = $length if $length > $width[$i];
        }
    }
    for my $line (@lines) {
        my $out = join '  ', map { sprintf(($_ ? '%' : '%-') . $width[$_] . 's', $line->[$_]) } 0 .. $#$line;
        say_line($out =~ s/\s+$//r);
    }
}

sub cell {
    my ($summary) = @_;
    return '-' unless $summary;
    return $summary->{sign} . number($summary->{median}) if $summary->{n} == 1;
    return sprintf '%s%s (%s-%s)', $summary->{sign}, map { number($summary->{$_}) } qw(median min max);
}

sub range_of {
    my ($ratio) = @_;
    return '' if $ratio->{n} == 1;
    return sprintf ' (%s-%s)', map { number($ratio->{$_}) } qw(low high) unless $ratio->{mean};
    return sprintf ' (%s-%s; %s +-%.0f%%)', (map { number($ratio->{$_}) } qw(low high mean)), 100 * $ratio->{error};
}

my @shown = grep { my $p = $_; grep { $_->{values}{$p} } @results } @programs;
for (sort keys %facts) { say_line(sprintf '%-12s %s', $_, $facts{$_}) }
say_line('');
say_line('Medians of rounds (lowest-highest); ~ estimated from how far it came, > at least');
say_line('');
table(['', 'unit', @shown],
    map { my $r = $_; [$r->{title}, $r->{unit}, map { cell($r->{values}{$_}) } @shown] } @results);

my @compared = grep { $_ ne 'nbdmount' } @shown;
if (@compared) {
    say_line('');
    say_line('Ratios nbdmount / other (range of the rounds; their geometric mean, +- standard error), and what they should be; ? where noise or too few rounds leave a doubt');
    say_line('');
    table(['', 'better', map { $_, 'target', '' } @compared],
        map {
            my $r = $_;
            my $op = $r->{better} eq 'more' ? '>= ' : '<= ';
            [$r->{title}, $r->{better}, map {
                my $ratio = $r->{ratios}{$_};
                $ratio
                    ? (number($ratio->{ratio}) . range_of($ratio),
                       defined $ratio->{target} ? $op . $ratio->{target} : '', $ratio->{verdict} // '')
                    : ('', '', '');
            } @compared];
        } grep { %{ $_->{ratios} } } @results);
}

my @limited = grep { defined $_->{limit} } @results;
if (@limited) {
    say_line('');
    say_line('Limits for nbdmount');
    say_line('');
    table(map { [$_->{title}, cell($_->{values}{nbdmount}), $_->{unit},
                 ($_->{better} eq 'more' ? '>= ' : '<= ') . $_->{limit}, $_->{verdict}] } @limited);
}

if (@notes) {
    say_line('');
    say_line('Not measured');
    say_line("    $_->[0], $_->[1]: $_->[2]") for @notes;
}
my %count;
$count{$_}++ for map { (map { $_->{verdict} // () } values %{ $_->{ratios} }), $_->{verdict} // () } @results;
say_line('');
say_line('Targets: ', join ', ', map { ($count{$_} // 0) . " $_" } 'met', 'met?', 'MISSED?', 'MISSED');
say_line(sprintf 'Calibration: %s ms (%s-%s), spread %.0f %%%s', (map { number(1000 * $machine->{$_}) } qw(median min max)),
    100 * $machine_noise, $too_noisy ? ' - THE MACHINE WAS TOO NOISY TO JUDGE by medians' : '') if $machine;

print $text;
sub put {
    my ($name, $content) = @_;
    open my $file, '>', "$folder/$name" or die "$folder/$name: $!\n";
    print {$file} $content;
    close $file or die "$folder/$name: $!\n";
}
put('bench.txt', $text);
put('bench.json', JSON::PP->new->pretty->canonical->encode({
    facts => \%facts, results => \@results, too_noisy => $too_noisy,
    calibration => { %{ $machine // {} }, noise => $machine_noise },
    not_measured => [map { { row => $_->[0], program => $_->[1], reason => $_->[2] } } @notes],
    all => \%of,
}));

# ---- the chart: how many times better, a block for each peer; lines are rows, from above

my @charted = grep { $_->{ratios}{nbdfuse} || $_->{ratios}{qemu} } @results;
my $data = '';
for my $peer (qw(nbdfuse qemu)) {
    $data .= "# $peer: place, title, times better, lowest, highest, target\n";
    my $points = 0;
    for my $i (0 .. $#charted) {
        my $r = $charted[$i]{ratios}{$peer} or next;
        my ($ratio, $low, $high, $target) = ($r->{ratio}, $r->{low}, $r->{high}, $r->{target});
        next unless $low > 0;
        ($ratio, $low, $high) = (1 / $ratio, 1 / $high, 1 / $low) if $charted[$i]{better} eq 'less';
        $target = 1 / $target if defined $target && $charted[$i]{better} eq 'less';
        $data .= join("\t", $#charted - $i, "\"$charted[$i]{title}\"", $ratio, $low, $high, $target // 'NaN') . "\n";
        $points++;
    }
    # An empty block would be taken for the end of the block before.
    $data .= "NaN\t\"\"\tNaN\tNaN\tNaN\tNaN\n" unless $points;
    $data .= "\n\n";
}
$data .= join '', map { ($#charted - $_) . "\t\"$charted[$_]{title}\"\n" } 0 .. $#charted;
if (@charted) { put('chart.dat', $data) } else { unlink "$folder/chart.dat" }

# ---- the status

if ($complete && @missing) {
    print STDERR "bench: nbdmount was not measured: $_\n" for @missing;
    exit 1;
}
exit 1 if $strict && $count{MISSED};
