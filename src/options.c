/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - see options.h
 *
 * Reads arguments and nothing else: no file but the lists of users and groups, no
 * network, no FUSE.  What options there are is in options-table.c.
 */

#include "options-check.h"
#include "options-table.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READAHEAD_DEFAULT   ((size_t)32 << 20)
#define WRITEBEHIND_DEFAULT ((size_t)16 << 20)
#define QUESTIONS           4 /* at once, where nobody said how many connections */
#define MODE_DEFAULT        0600
#define LONG_BASE           256 /* what getopt_long returns for the first row */

static const struct option_row *
find(const char *name, size_t len)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (strlen(option_rows[i].name) == len &&
            memcmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

/* One "name" or "name=value" of a list. */
static bool
apply_mount_option(struct options *options, char *text, char **why)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    const struct option_row *row = find(text, len);

    if (row != NULL && !row->line_only)
        return option_apply(options, row, value, why);
    if (strncmp(text, "x-", 2) == 0 || strncmp(text, "X-", 2) == 0 || options->sloppy)
        return true; /* for mount(8) and systemd */
    if (strncmp(text, "fsname=", 7) == 0) {
        options->names_source = true; /* check() says whether that is right */
        return true;
    }
    if (strncmp(text, "subtype=", 8) == 0)
        return option_refuse(why, "option '%s' is not for you to set", text);
    return option_refuse(why, "unknown mount option '%s'", text);
}

/* Divides at commas.  "\," is one that belongs to the value, and so is one between
 * double quotes, which is how mount(8) has it. */
static bool
apply_mount_options(struct options *options, char *text, char **why)
{
    while (*text != '\0') {
        char *from = text, *to = text;
        bool quoted = false;
        while (*from != '\0' && (quoted || *from != ',')) {
            if (*from == '"' && (quoted || (from > text && from[-1] == '='))) {
                quoted = !quoted;
                from++;
                continue;
            }
            if (!quoted && from[0] == '\\' && from[1] != '\0')
                from++;
            *to++ = *from++;
        }
        if (quoted)
            return option_refuse(why, "a double quote in the options has no end");
        bool more = *from == ',';
        *to = '\0';
        if (*text != '\0' && !apply_mount_option(options, text, why))
            return false;
        text = more ? from + 1 : from;
    }
    return true;
}

/* Takes "[ COMMAND ... ]" out of the arguments and leaves "[" in its place. */
static bool
take_command(struct options *options, int *argc, char **argv, char **why)
{
    int open = 1, close, depth = 0;

    while (open < *argc && strcmp(argv[open], "[") != 0 &&
           strcmp(argv[open], "--") != 0)
        open++;
    if (open < *argc && strcmp(argv[open], "--") == 0)
        open++; /* only right behind it, for what follows are operands */
    if (open >= *argc || strcmp(argv[open], "[") != 0)
        return true;
    for (close = open; close < *argc; close++) {
        if (strcmp(argv[close], "[") == 0)
            depth++;
        if (strcmp(argv[close], "]") == 0 && --depth == 0)
            break;
    }
    if (close == *argc)
        return option_refuse(why, "the command after [ has no ] at its end");
    int n = close - open - 1;
    if (n == 0)
        return option_refuse(why, "there is no command between [ and ]");
    options->command = calloc((size_t)n + 1, sizeof *options->command);
    if (options->command == NULL)
        return option_refuse(why, "out of memory");
    memcpy(options->command, &argv[open + 1], (size_t)n * sizeof *argv);
    memmove(&argv[open + 1], &argv[close + 1],
            (size_t)(*argc - close) * sizeof *argv); /* with the NULL at the end */
    *argc -= close - open;
    return true;
}

static bool
is_open_mount(const char *mountpoint)
{
    return strncmp(mountpoint, "/dev/fd/", 8) == 0 && mountpoint[8] != '\0' &&
           mountpoint[8 + strspn(mountpoint + 8, "0123456789")] == '\0';
}

/* SOURCE of a helper: fstab(5) can have blanks and number signs in it, as \040 and
 * \043, which no URI can.  "|" stands between URIs.  False: no memory. */
static bool
keep_source(struct options *options, const char *source)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~:/?[]@!$&'()*+,;=%|";
    char *to = options->escaped = malloc(3 * strlen(source) + 1);

    if (to == NULL)
        return false;
    for (const char *text = source; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            *to++ = *text;
        else
            to += snprintf(to, 4, "%%%02X", (unsigned char)*text);
    }
    *to = '\0';
    options->uri = options->escaped;
    options->source = source;
    return true;
}

static bool
parse_operands(struct options *options, int argc, char **argv, char **why)
{
    bool mounts = options->task == TASK_MOUNT;
    bool looks = options->task == TASK_STATUS || options->task == TASK_MAP;
    int wanted = mounts ? 2 : looks || options->task == TASK_LIST ? 1 : 0;

    if (options->task == TASK_HELP || options->task == TASK_VERSION)
        return true;
    if (optind + wanted < argc)
        return option_refuse(why, "one argument too many: '%s'", argv[optind + wanted]);
    if (wanted == 0)
        return true;
    if (optind >= argc)
        return option_refuse(why, mounts  ? "SOURCE and MOUNTPOINT are missing"
                                  : looks ? "the path of what to look at is missing"
                                          : "SOURCE is missing");
    if (looks && options->command != NULL)
        return option_refuse(why, "a path is needed, no command in [ ]");
    if (looks) {
        options->argument = argv[optind];
        return true;
    }
    if (options->command == NULL)
        options->uri = argv[optind];
    else if (strcmp(argv[optind], "[") != 0)
        return option_refuse(why, "the command in [ ] must come before the mountpoint");
    if (!mounts)
        return true;
    if (optind + 1 >= argc)
        return option_refuse(why, "MOUNTPOINT is missing");
    options->mountpoint = argv[optind + 1];
    options->is_open_mount = is_open_mount(options->mountpoint);
    /* It wants to hear what mount(8) wants to hear. */
    options->helper |= options->is_open_mount;
    if (options->helper && options->uri != NULL && !keep_source(options, options->uri))
        return option_refuse(why, "out of memory");
    return true;
}

/* A letter that mount(8) gives a helper.  False: it is none of those. */
static bool
helper_letter(struct options *options, int letter)
{
    switch (letter) {
    case 'f':
        options->fake = true;
        return true;
    case 'w':
        options->read_only = false;
        return true;
    default:
        return false;
    }
}

/* What is the same for both.  -n: no /etc/mtab, -t: the type. */
static bool
common_letter(struct options *options, int letter)
{
    options->sloppy |= letter == 's';
    options->verbose |= letter == 'v';
    return letter == 's' || letter == 'v' || letter == 'n' || letter == 't';
}

/* Reading them changes them, and mount.fuse3 may have to be given them. */
static bool
keep_given(struct options *options, const char *text)
{
    char *all = NULL;
    int n = options->given == NULL ? asprintf(&all, "%s", text)
                                   : asprintf(&all, "%s,%s", options->given, text);

    if (n == -1)
        return false;
    free(options->given);
    options->given = all;
    return true;
}

static bool
letter_option(struct options *options, int letter, char **why)
{
    if (letter == 'o')
        return keep_given(options, optarg) && apply_mount_options(options, optarg, why);
    if (letter == 'N')
        return option_refuse(
            why, "option -N: the mount is made in the namespace where nbdmount runs; "
                 "use: nsenter --mount=NAMESPACE mount -t nbd ...");
    if ((options->helper && helper_letter(options, letter)) ||
        common_letter(options, letter))
        return true;
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].letter == letter)
            return option_apply(options, &option_rows[i],
                                option_rows[i].arg != NULL ? optarg : NULL, why);
    return option_refuse(why, "unknown option '-%c'", letter);
}

/* What getopt_long did not take.  It sets optopt where it knows the option. */
static bool
refuse_long(const char *word, int known, char **why)
{
    const char *name = word + strspn(word, "-");
    size_t len = strcspn(name, "=");
    const char *found[2] = {NULL, NULL};

    for (size_t i = 0; i < option_rows_count && found[1] == NULL; i++)
        if (strncmp(option_rows[i].name, name, len) == 0)
            found[found[0] != NULL] = option_rows[i].name;
    if (known != 0)
        return option_refuse(why, "option '--%.*s' takes no value", (int)len, name);
    if (found[1] != NULL)
        return option_refuse(why, "option '%s' may be --%s or --%s: write it out", word,
                             found[0], found[1]);
    return option_refuse(why, "unknown option '%s'", word);
}

static bool
parse_words(struct options *options, int argc, char **argv, char **why)
{
    const char *letters = options->helper ? ":fhnN:o:rst:vVwC:d" : ":C:dfhno:rst:vV";
    struct option *longs = calloc(option_rows_count + 2, sizeof *longs);
    bool fine = longs != NULL;
    int c;

    for (size_t i = 0; fine && i < option_rows_count; i++)
        longs[i] = (struct option){
            .name = option_rows[i].name,
            .has_arg = option_rows[i].kind == OPTION_IGNORED ? optional_argument
                       : option_rows[i].arg != NULL          ? required_argument
                                                             : no_argument,
            .val = LONG_BASE + (int)i,
        };
    if (fine)
        longs[option_rows_count] = (struct option){
            .name = "options", .has_arg = required_argument, .val = 'o'};
    opterr = 0;
    optind = 0; /* so that it may be called again */
    while (fine && (c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (c == ':')
            fine = option_refuse(why, "option '%s' needs a value", argv[optind - 1]);
        else if (c == '?' && optopt != 0 && optopt < LONG_BASE)
            fine = option_refuse(why, "unknown option '-%c'", optopt);
        else if (c == '?')
            fine = refuse_long(argv[optind - 1], optopt, why);
        else if (c >= LONG_BASE) {
            options->given_otherwise = true;
            fine = option_apply(options, &option_rows[c - LONG_BASE], optarg, why);
        } else
            fine = letter_option(options, c, why);
    }
    free(longs);
    return fine;
}

bool
options_parse(struct options *options, int argc, char **argv, char **why)
{
    const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

    *why = NULL;
    *options = (struct options){
        .readahead = READAHEAD_DEFAULT,
        .writebehind = WRITEBEHIND_DEFAULT,
        .mode = MODE_DEFAULT,
        .uid = getuid(),
        .gid = getgid(),
        .attr_timeout_s = 1,
        .wait = wait_options_default,
        .idle_s = 60,
        .fence_s = 30,
        .tls = {.verify_peer = -1},
    };
    if (argc > 0)
        options->helper = strncmp(name != NULL ? name + 1 : argv[0], "mount.", 6) == 0;
    options->fuse = strdup("");
    if (options->fuse == NULL)
        return false;
    if (!take_command(options, &argc, argv, why) ||
        !parse_words(options, argc, argv, why) ||
        !parse_operands(options, argc, argv, why))
        return false;
    options->foreground |= options->debug;
    if (options->exports == EXPORTS_ALL && options->export != NULL)
        return option_refuse(why, "all and export exclude each other");
    bool prints = options->task == TASK_LIST || options->task == TASK_MAP ||
                  options->task == TASK_STATUS;
    if (options->json && !prints)
        return option_refuse(why, "json is for what prints: list, map and status");
    bool connects = options->task == TASK_MOUNT || options->task == TASK_LIST;
    return !connects || options_check(options, why);
}

unsigned
options_questions(const struct options *options)
{
    return options->connections > 0 ? options->connections : QUESTIONS;
}

void
options_clear(struct options *options)
{
    free(options->fuse);
    free(options->given);
    free(options->escaped);
    free(options->command);
}

/* ---- --help */

#define HELP_COLUMN 24 /* of the text, behind the indent */

static const char *const group_titles[OPTIONS_GROUPS] = {
    [OPTIONS_GENERAL] = "General",      [OPTIONS_TOOLS] = "Instead of mounting",
    [OPTIONS_EXPORT] = "What is shown", [OPTIONS_FILE] = "The file",
    [OPTIONS_SERVER] = "The server",    [OPTIONS_TLS] = "TLS",
    [OPTIONS_KERNEL] = "The mount",
};

static void
help_row(FILE *out, const struct option_row *row)
{
    char left[64], letter[4] = "   ";
    const char *text = row->help;

    if (row->letter != 0)
        snprintf(letter, sizeof letter, "-%c,", row->letter);
    snprintf(left, sizeof left, "%s --%s%s%s", letter, row->name,
             row->arg != NULL ? "=" : "", row->arg != NULL ? row->arg : "");
    if (strlen(left) >= HELP_COLUMN) { /* the text would stick to it */
        fprintf(out, "  %s\n", left);
        left[0] = '\0';
    }
    while (*text != '\0') {
        int n = (int)strcspn(text, "\n");
        fprintf(out, "  %-*s%.*s\n", HELP_COLUMN, left, n, text);
        left[0] = '\0';
        text += n + (text[n] == '\n');
    }
}

void
options_help(FILE *out)
{
    fputs(
        "Usage: nbdmount [OPTIONS] SOURCE MOUNTPOINT\n"
        "       nbdmount --list [OPTIONS] SOURCE\n"
        "       nbdmount --status MOUNTPOINT\n"
        "       nbdmount --map FILE\n"
        "       mount -t nbd [-o OPTIONS] SOURCE MOUNTPOINT\n"
        "\n"
        "Shows what an NBD server exports as a sparse file: in MOUNTPOINT if that is "
        "a\n"
        "directory, in its place if it is a regular file.  SOURCE is an NBD URI, or\n"
        "[ COMMAND ARGS... ]: a server that is run, through socket activation, as "
        "long\n"
        "as the mount is there.\n"
        "\n"
        "All options but the general ones may also be given as -o NAME[=VALUE][,...],\n"
        "and in /etc/fstab.\n",
        out);
    for (unsigned group = 0; group < OPTIONS_GROUPS; group++) {
        fprintf(out, "\n%s:\n", group_titles[group]);
        for (size_t i = 0; i < option_rows_count; i++)
            if (option_rows[i].group == group && option_rows[i].help != NULL)
                help_row(out, &option_rows[i]);
        if (group == OPTIONS_KERNEL)
            fputs("      and nosuid, nodev, noexec, noatime, sync, context=, ..., and\n"
                  "      for fstab auto, noauto, user, users, _netdev, nofail, x-...\n",
                  out);
    }
    fputs("\n"
          "nbdmount [ nbdkit file disk.img ] mnt    shows disk.img as mnt/nbd\n"
          "fusermount3 -u mnt                       ends it\n",
          out);
}
