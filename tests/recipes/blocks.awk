# blocks.awk - SPDX-License-Identifier: LGPL-2.1-or-later
# The blocks of commands of a page in POD.
#
#     awk -f blocks.awk PAGE                     prints NAME WHERE of each, in order
#     awk -v name=NAME -v number=N -f blocks.awk PAGE    prints the Nth block of a recipe
#
# A block without a mark before it is printed as "unmarked" in the first form.
/^=for recipe / { mark = $3 " " $4; next }
/^=for untested/ { mark = "untested"; next }
/^[ \t]/ {
    if (!inside) {
        split(mark, words, " ")
        count += words[1] == name
        if (name == "" && mark != "untested")
            print mark == "" ? "unmarked:" $0 : mark
    }
    inside = 1
    if (name != "" && words[1] == name && count == number) {
        sub(/^ /, "")
        print
    }
    next
}
inside && /^$/ { next }
/./ { inside = 0; mark = "" }
