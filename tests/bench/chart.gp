# SPDX-License-Identifier: LGPL-2.1-or-later
# chart.gp - chart.dat, which report.pl wrote, as bench.svg: how many times better
# than the others nbdmount is in each row, with the range of the rounds and the target
set encoding utf8
stats 'chart.dat' index 2 using 1 nooutput name 'rows'
set terminal svg size 1000, 120 + 22 * (rows_max + 1) dynamic background rgb 'white' font 'sans-serif,12'
set output 'bench.svg'
set title 'nbdmount: how many times better than others (medians)' offset -12, 0
set logscale x
set xtics (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 10000, 100000)
set grid xtics lc rgb '#dddddd'
set yrange [-0.7:rows_max + 0.7]
set key outside below
set offsets graph 0.03, graph 0.03, 0, 0
set arrow from first 1, graph 0 to first 1, graph 1 nohead lw 2 lc rgb '#888888'
plot 'chart.dat' index 2 using (1):1:ytic(2) with points pt 0 lc rgb 'white' notitle, \
     '' index 0 using 3:($1 + 0.15):4:5 with xerrorbars pt 7 ps 0.7 lc rgb '#1f5fa8' title 'than nbdfuse', \
     '' index 1 using 3:($1 - 0.15):4:5 with xerrorbars pt 5 ps 0.7 lc rgb '#c05a10' title 'than QEMU', \
     '' index 0 using 6:($1 + 0.15) with points pt 2 ps 0.6 lc rgb '#1f5fa8' title 'target', \
     '' index 1 using 6:($1 - 0.15) with points pt 2 ps 0.6 lc rgb '#c05a10' title 'target'
