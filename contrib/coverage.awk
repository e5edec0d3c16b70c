# SPDX-License-Identifier: LGPL-2.1-or-later
# coverage.awk - gcov's report of one folder as a table: file, lines, lines run in per cent
/^File / {
    file = $2
    gsub("'", "", file)
    sub(".*/", "", file)
}
/^Lines executed/ && file != "" {
    split($2, part, /[:%]/)
    lines = $4
    # A header comes with each file that includes it; the best one is nearest the truth.
    if (!(file in total) || part[2] > percent[file])
        percent[file] = part[2]
    total[file] = lines
    file = ""
}
END {
    for (file in total) {
        if (file !~ /\.[ch]$/)
            continue
        printf "%6.2f %% of %5d lines  %s/%s\n", percent[file], total[file], folder, file | "sort -k6"
        all += total[file]
        run += total[file] * percent[file] / 100
    }
    close("sort -k6")
    if (all)
        printf "%6.2f %% of %5d lines  %s/\n", 100 * run / all, all, folder
}
