/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-options.c - the command line as nbdmount understands it */

#include "options.h"
#include "tap.h"
#include "uri.h"

#include <unistd.h>

static struct options options;
static char *why;
static const char *called_as = "nbdmount";

/* Parses "nbdmount" and the words, up to NULL. */
static bool
parse(char **words)
{
    static char *argv[32];
    int argc = 1;

    options_clear(&options);
    free(why);
    argv[0] = strdup(called_as);
    while (words[argc - 1] != NULL) {
        argv[argc] = words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    char *name = argv[0];
    bool fine = options_parse(&options, argc, argv, &why);
    free(name);
    return fine;
}

/* Words in memory that the parser may change, as the program's arguments are. */
#define PARSE(...)                                                \
    ({                                                            \
        static char text[][80] = {__VA_ARGS__};                   \
        static char *words[sizeof text / sizeof text[0] + 1];     \
        for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) \
            words[i] = text[i];                                   \
        parse(words);                                             \
    })

static void
test_uri(void)
{
    ok(PARSE("nbd://host/disk", "mnt"), "a URI and a mountpoint are enough");
    is_str(options.uri, "nbd://host/disk", "the URI");
    is_str(options.mountpoint, "mnt", "the mountpoint");
    is_int(options.connections, 0, "how many connections is not said");
    ok(!options.foreground && !options.read_only && !options.debug,
       "in the background, writable, quiet by default");
    ok(PARSE("nbd://host/", "mnt", "-o", "ro,noatime") && options.read_only,
       "options may come last, as mount(8) gives them");
    is_str(options.fuse, "noatime", "what is not ours is for FUSE");
    ok(PARSE("-frC", "7", "nbd://host/", "mnt") && options.foreground &&
           options.read_only && options.connections == 7,
       "short options may stand together");
    ok(PARSE("-d", "nbd://host/", "mnt") && options.foreground,
       "debug stays in the foreground");
}

static void
test_command(void)
{
    ok(PARSE("-r", "[", "nbdkit", "-v", "null", "]", "mnt", "-f"),
       "a command in brackets");
    ok(options.uri == NULL && options.command != NULL, "stands in the URI's place");
    is_str(options.command[0], "nbdkit", "its name");
    is_str(options.command[1], "-v", "its options are its own");
    ok(options.command[3] == NULL, "it ends at the bracket");
    is_str(options.mountpoint, "mnt", "the mountpoint behind it");
    ok(options.read_only && options.foreground, "our options before it and behind");
    ok(PARSE("[", "a", "[", "b", "]", "c", "]", "mnt") && options.command[4] != NULL &&
           options.command[5] == NULL,
       "brackets nest");
    ok(PARSE("--", "[", "a", "-h", "]", "mnt"), "-- may come before it");
    ok(!PARSE("[", "nbdkit", "null", "mnt"), "a bracket without an end is refused");
    ok(!PARSE("[", "]", "mnt"), "so is an empty command");
    ok(!PARSE("mnt", "[", "a", "]"), "and one that is not first");
}

static void
test_mount_options(void)
{
    ok(PARSE("-o", "connections=2,filename=a\\,b,nosuid", "-o", "rw", "u", "m"),
       "options in lists");
    is_int(options.connections, 2, "connections=");
    is_str(options.filename, "a,b", "filename= with a comma");
    is_str(options.fuse, "nosuid", "the rest");
    ok(PARSE("-o", "nodev", "-o", "nosuid,,noexec", "u", "m"),
       "empty ones are ignored");
    is_str(options.fuse, "nodev,nosuid,noexec", "lists are joined");
    ok(PARSE("-o", "ro", "-o", "rw", "u", "m") && !options.read_only,
       "the last one counts");
    ok(PARSE("-r", "-o", "rw", "u", "m") && !options.read_only, "also for -r");
    ok(!PARSE("-o", "fsname=other", "u", "m"), "the source's name cannot be set");
    ok(PARSE("-o", "context=b\\,allow_other", "u", "m"), "an escaped comma");
    is_str(options.fuse, "context=b\\,allow_other",
           "does not make a new option of FUSE's");
    ok(PARSE("-o", "context=\"a:s0,c1\",allow_other", "u", "m"),
       "a comma between double quotes");
    is_str(options.fuse, "context=a:s0\\,c1,allow_other", "does not either");
    ok(PARSE("-o", "_netdev,nofail,user,user=me,noauto,x-systemd.requires=a,comment=b",
             "u", "m") &&
           *options.fuse == '\0',
       "what is in fstab for others is accepted and left alone");
    ok(!PARSE("-o", "ro,frobnicate=1", "u", "m") && strstr(why, "frobnicate") != NULL,
       "an unknown one is named");
    ok(!PARSE("-o", "foreground", "u", "m"),
       "what is for the command line only is one");
    ok(!PARSE("-o", "ro=1", "u", "m") && strstr(why, "ro") != NULL,
       "a value where none is wanted");
    ok(!PARSE("-o", "uid", "u", "m") && strstr(why, "uid") != NULL,
       "no value where one is wanted");
}

static void
test_file(void)
{
    ok(PARSE("u", "m") && options.uid == getuid() && options.gid == getgid() &&
           options.mode == 0600 && options.cache == CACHE_ALWAYS &&
           options.truncate == TRUNCATE_ERROR && options.discard == DISCARD_ZERO &&
           options.attr_timeout_s == 1 && options.extents_s == 0,
       "what is so by default");
    ok(PARSE("-o", "uid=7,gid=8,umask=027,cache=none,truncate=zero", "-o",
             "discard=trim,extents=0.5,attr_timeout=60", "u", "m") &&
           options.uid == 7 && options.gid == 8 && options.mode == 0640 &&
           options.cache == CACHE_NONE && options.truncate == TRUNCATE_ZERO &&
           options.discard == DISCARD_TRIM && options.extents_s == 0.5 &&
           options.attr_timeout_s == 60,
       "all of it can be chosen in -o");
    ok(PARSE("--uid=root", "--mode", "444", "--cache=open", "u", "m") &&
           options.uid == 0 && options.mode == 0444 && options.cache == CACHE_OPEN,
       "and as long options, users by name");
    ok(PARSE("-o", "cache=readahead", "u", "m") && options.cache == CACHE_READAHEAD &&
           options.writebehind > 0,
       "read-ahead alone leaves writes as they are");
    ok(!PARSE("-o", "cache=readahead,readahead=0", "u", "m") &&
           strstr(why, "readahead=0") != NULL,
       "and there has to be some");
    ok(!PARSE("-o", "uid=no-such-user", "u", "m") &&
           !PARSE("-o", "mode=999", "u", "m") && !PARSE("-o", "mode=1777", "u", "m") &&
           !PARSE("-o", "cache=sometimes", "u", "m") &&
           !PARSE("-o", "extents=-1", "u", "m") && !PARSE("-o", "extents=", "u", "m"),
       "values that are none");
    ok(!PARSE("-o", "truncate=no", "u", "m") && strstr(why, "error|zero") != NULL,
       "the message says what can be chosen");
}

static void
test_tls(void)
{
    ok(PARSE("nbd://h", "m") && options.tls.mode == TLS_UNSET, "as the URI says");
    ok(PARSE("-o", "tls-psk-file=keys,tls-username=me", "nbd://h", "m") &&
           options.tls.mode == TLS_REQUIRE,
       "who gives keys does not want to go on without");
    ok(PARSE("-o", "tls=allow,tls-certificates=pki,tls-verify-peer=no", "u", "m") &&
           options.tls.mode == TLS_ALLOW && options.tls.verify_peer == 0,
       "but may say so");
    ok(!PARSE("-o", "tls=off", "nbds://h", "m") && strstr(why, "tls=off") != NULL,
       "tls=off against nbds://");
    ok(!PARSE("-o", "tls=off,tls-psk-file=keys", "nbd://h", "m"),
       "tls=off against a key");
    ok(!PARSE("-o", "tls-psk-file=a,tls-certificates=b", "nbd://h", "m"),
       "keys of both kinds");
    ok(!PARSE("-o", "tls-verify-peer=maybe", "nbd://h", "m"), "a truth value");
}

static void
test_helper(void)
{
    called_as = "/sbin/mount.nbd";
    ok(PARSE("nbd://h/", "m", "-sfnv", "-t", "nbd", "-o", "rw,nonsense") &&
           options.helper && options.fake && !options.foreground,
       "the flags of mount(8): -f is for fake, -s lets unknown options pass");
    ok(PARSE("nbd://h/", "m", "-r") && options.read_only, "-r");
    ok(PARSE("nbd://h/", "m", "-o", "ro", "-w") && !options.read_only, "-w");
    ok(PARSE("nbd://h/a b#c\t\xc3\xa4%20,d|nbd://i/x", "m"),
       "a URI as fstab(5) gives it, with what no URI has");
    is_str(options.uri, "nbd://h/a%20b%23c%09%C3%A4%20,d|nbd://i/x", "is made one");
    called_as = "nbdmount";
    ok(PARSE("nbd://h/a b", "m"), "a URI that somebody types");
    is_str(options.uri, "nbd://h/a b", "is left as it is");
    ok(PARSE("-s", "-n", "-v", "-t", "nbd", "u", "m") && !options.helper,
       "nbdmount knows those that mean nothing else");
}

static void
test_uri_text(void)
{
    static const struct {
        const char *uri, *export, *want;
    } cases[] = {
        {"nbd://host", "disk", "nbd://host/disk"},
        {"nbd://host:99/old/name", "a/b c%\n", "nbd://host:99/a/b%20c%25%0A"},
        {"nbd+unix:///old?socket=/s", "", "nbd+unix:///?socket=/s"},
        {"nbd+unix://?socket=/s/t", "x?#", "nbd+unix:///x%3F%23?socket=/s/t"},
        {"nbds://me@[::1]:5/", "\xc3\xa4", "nbds://me@[::1]:5/%C3%A4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = uri_with_export(cases[i].uri, cases[i].export);
        is_str(got, cases[i].want, "%s with another export", cases[i].uri);
        free(got);
    }
    char *shown = uri_to_show("nbds://me:secret@host/a@b:c");
    is_str(shown, "nbds://me@host/a@b:c", "a password is not shown");
    free(shown);
    shown = uri_to_show("nbd://[::1]:10809/");
    is_str(shown, "nbd://[::1]:10809/", "all else is");
    free(shown);
}

static void
test_refused(void)
{
    ok(!PARSE("-C", "0", "u", "m") && !PARSE("-C", "65", "u", "m") &&
           !PARSE("-C", "-1", "u", "m") && !PARSE("-C", "4x", "u", "m") &&
           !PARSE("-C", "", "u", "m") &&
           !PARSE("-C", "99999999999999999999999", "u", "m"),
       "numbers of connections that are none");
    ok(!PARSE("--filename", "a/b", "u", "m") && !PARSE("--filename", "..", "u", "m") &&
           !PARSE("--filename=", "u", "m"),
       "names that no file can have");
    ok(!PARSE("u") && strstr(why, "MOUNTPOINT") != NULL, "a missing mountpoint");
    ok(!PARSE("u", "m", "more") && strstr(why, "more") != NULL, "one word too many");
    PARSE("--colour", "u", "m");
    is_str(why, "unknown option '--colour'", "an unknown long option is named");
    PARSE("--tls-", "u", "m");
    is_str(why,
           "option '--tls-' may be --tls-certificates or --tls-psk-file: write it out",
           "so is one that is short for several, and they too");
    PARSE("--ro=1", "u", "m");
    is_str(why, "option '--ro' takes no value", "and one that takes no value");
    PARSE("-o", "remount,ro", "u", "m");
    is_str(why,
           "remount: the options of a mount cannot be changed; unmount it and mount it "
           "again",
           "mount -o remount is told what to do");
    PARSE("-o", "gid=no-such-group", "u", "m");
    is_str(why, "gid: there is no group 'no-such-group'", "a group that is none");
    ok(!PARSE("-x", "u", "m") && strstr(why, "-x") != NULL,
       "an unknown short option is named");
    ok(!PARSE("u", "m", "-o") && strstr(why, "-o") != NULL, "a missing value");
    ok(PARSE("-h") && options.task == TASK_HELP, "-h needs nothing else");
    ok(PARSE("--version") && options.task == TASK_VERSION, "nor does --version");
}

static void
test_replay_file(void)
{
    ok(PARSE("nbd://host/", "mnt") && options.wait.replay_file == NULL,
       "no log in a file by default");
    ok(PARSE("nbd://host/", "mnt", "-o", "replay-file=/var/x.log"), "one is taken");
    is_str(options.wait.replay_file, "/var/x.log", "with its path");
    ok(!PARSE("nbd://host/", "mnt", "-o", "replay-file=x,replay=0"),
       "with nothing to remember it is refused");
    ok(!PARSE("nbd://host/", "mnt", "-o", "replay-file=x,all"),
       "for all exports of a server too");
}

int
main(void)
{
    test_uri();
    test_command();
    test_mount_options();
    test_file();
    test_tls();
    test_helper();
    test_uri_text();
    test_refused();
    test_replay_file();
    options_clear(&options);
    free(why);
    done_testing();
}
