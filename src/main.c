/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - from arguments to a mount, and back
 *
 * The order matters: what can be refused without a server is refused first; the fork
 * comes before threads; the server before the mount, so that a mount that is there
 * works, and signals are caught before there is anything to clean up; at the end the
 * last flush before the mount is taken away.
 */

#include "all.h"
#include "choose.h"
#include "daemon.h"
#include "export-log.h"
#include "export.h"
#include "handover.h"
#include "log.h"
#include "manage.h"
#include "mountinfo.h"
#include "notify.h"
#include "options.h"
#include "refresh.h"
#include "server.h"
#include "service.h"
#include "session.h"
#include "sources.h"
#include "status.h"
#include "tool-list.h"
#include "tool-map.h"
#include "tool-status.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif

#define MOUNT_FAILURE 32    /* the status of a mount(8) helper */
#define CLOSE_MS      10000 /* for the last answers and the last flush */
#define SILENT_MS     5000  /* a server that has not said anything is told of */

struct program {
    struct options options;
    char *path; /* the mountpoint's */
    bool is_directory;
    struct sources sources;
    struct fs fs;
    struct session *session;
    struct server *server;
    struct source source;
    struct nbd_handle *first; /* for the first connection: source.negotiated */
    struct replay_log *log;   /* until the export has it */
};

static void
say(const char *about, char *why)
{
    log_error("%s%s%s", about, *about != '\0' ? ": " : "",
              why != NULL ? why : "out of memory");
    free(why);
}

/* What speaks another protocol may wait for us to say more, and who mounts for ever. */
static struct {
    const char *text;
    _Atomic int64_t at_ms; /* CLOCK_MONOTONIC; 0: nothing to tell */
} silent;

static bool
keep_trying(void)
{
    int64_t at_ms = atomic_load(&silent.at_ms);

    if (at_ms != 0 && conn_clock_ms() >= at_ms &&
        atomic_compare_exchange_strong(&silent.at_ms, &at_ms, 0))
        log_info("%s has not answered yet, as an NBD server does; waiting for it",
                 silent.text);
    return daemon_keeps_on();
}

/* Where the server is; one of our own is started. */
static bool
set_source(struct program *program)
{
    const struct options *options = &program->options;
    char *why = NULL;

    program->source.export = options->export;
    program->source.meta_context = options->meta_context;
    program->source.tls = &options->tls;
    program->source.extents_s = options->extents_s;
    program->source.debug = options->debug;
    program->source.io_uring = options->io_uring;
    program->source.grown = refresh_file;
    program->source.failed = refresh_range;
    program->source.retry_ms = options->wait.retry_ms;
    program->source.timeout_ms = options->wait.timeout_ms;
    program->source.fence_ms = (int64_t)(options->fence_s * 1000);
    program->source.replay = options->wait.replay;
    program->source.behind = options->writebehind;
    program->source.keep_trying = keep_trying;
    if (options->command != NULL) {
        program->server = server_start(options->command, &why);
        if (program->server == NULL) {
            say("", why);
            return false;
        }
        program->source.socket = server_socket(program->server);
        program->source.text = server_text(program->server);
    } else {
        sources_put(&program->sources, &program->source);
    }
    return true;
}

static void
say_not_connected(struct program *program, char *why)
{
    char *text = NULL;

    if (program->server != NULL)
        server_tell(program->server);
    if (asprintf(&text, "cannot connect to %s", program->source.text) == -1)
        text = NULL;
    say(text != NULL ? text : program->source.text, why);
    free(text);
}

/* Opens one export, or all. */
static bool
open_exports(struct program *program, struct choice *choice, char **why)
{
    const struct options *options = &program->options;
    bool all = options->exports == EXPORTS_ALL;

    if (options->exports == EXPORTS_OPEN && program->is_directory &&
        choose_is_open(program->sources.uri[0], options->export, options->filename)) {
        if (!choose_exports(choice, &program->source, why))
            return false;
        all = choice->all;
    }
    if (all) {
        program->fs.all =
            all_open(&program->source, options, &program->fs, choice, why);
        return program->fs.all != NULL;
    }
    if (choice->catalog != NULL) {
        program->first = catalog_take_handle(choice->catalog);
        choice->catalog = NULL;
    }
    program->source.negotiated = &program->first;
    program->fs.export =
        export_open(&program->source, options->connections, options->read_only, why);
    if (program->first != NULL) { /* nobody took it: there is no connection */
        handshake_close(program->first, 0);
        program->first = NULL;
    }
    return program->fs.export != NULL;
}

static bool
connect_to_server(struct program *program)
{
    const struct options *options = &program->options;
    struct choice choice = {0};
    char *why = NULL;

    if (!set_source(program))
        return false;
    program->fs.options = &program->options;
    silent.text = program->source.text;
    atomic_store(&silent.at_ms, conn_clock_ms() + SILENT_MS);
    bool fine = open_exports(program, &choice, &why);
    atomic_store(&silent.at_ms, 0);
    catalog_close(choice.catalog);
    listing_clear(&choice.listing);
    if (!fine) {
        say_not_connected(program, why);
        return false;
    }
    if (program->fs.export != NULL)
        prefetch_set_memory(program->fs.export->prefetch, options->readahead);
    return program->server == NULL || server_watch(program->server) == 0;
}

/* Before the server is asked for anything. */
static bool
open_log(struct program *program)
{
    const char *path = program->options.wait.replay_file;
    char *why = NULL;

    if (path == NULL)
        return true;
    program->log = replay_log_open(path, &why);
    if (program->log == NULL)
        say("", why);
    return program->log != NULL;
}

/* The words of a command, as one text that the caller frees. */
static char *
join(char **words)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    for (size_t i = 0; out != NULL && words[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
    return out != NULL && fclose(out) == 0 ? text : NULL;
}

/* What an earlier mount has left in the log goes to the server. */
static bool
use_log(struct program *program)
{
    struct replay_log *log = program->log;
    char *why = NULL;

    if (log == NULL)
        return true;
    program->log = NULL;
    char *text = program->options.uri != NULL ? strdup(program->sources.all)
                                              : join(program->options.command);
    bool fine = export_use_log(program->fs.export, log, text != NULL ? text : "", &why);
    if (!fine)
        say("", why);
    free(text);
    return fine;
}

/* From a server that answers to the end of the mount. */
static int
serve(struct program *program)
{
    int status = EXIT_FAILURE;

    if (program->is_directory && program->fs.all == NULL)
        program->fs.filename = program->options.filename != NULL
                                   ? program->options.filename
                                   : fs_filename(program->fs.export->info.name);
    if (program->fs.export != NULL)
        atomic_store(&program->fs.export->file, fs_file(&program->fs));
    status_begin();
    if (session_mount(program->session, program->path) == 0) {
        daemon_ready();
        manage_start(&program->options, &program->source, &program->fs);
        status = session_serve(program->session) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        manage_stop();
    }
    return status;
}

static int
run(struct program *program)
{
    int status = EXIT_FAILURE;

    notify("STATUS=Connecting");
    if (daemon_catch_signals(session_quit, manage_reloads(&program->options)
                                               ? service_reload
                                               : NULL) != 0)
        log_error("signals cannot be caught");
    else if (open_log(program) && connect_to_server(program) && use_log(program))
        status = serve(program);
    if (program->fs.export != NULL &&
        export_close(program->fs.export, conn_clock_ms() + CLOSE_MS, daemon_hurry()) !=
            0)
        status = EXIT_FAILURE;
    if (program->fs.all != NULL &&
        all_close(program->fs.all, conn_clock_ms() + CLOSE_MS, daemon_hurry()) != 0)
        status = EXIT_FAILURE;
    replay_log_close(program->log, false); /* nobody has come to use it */
    session_unmount(program->session);
    server_end(program->server);
    return status;
}

static int
mount_it(struct program *program)
{
    struct options *options = &program->options;
    char *why = NULL;
    int status = EXIT_FAILURE;

    if (!sources_name(&program->sources, options, &why))
        say("", why);
    else if ((program->session =
                  session_new(options, program->sources.named, &program->fs)) == NULL)
        ; /* it was said why */
    else if (!session_check_mountpoint(options, &program->path, &program->is_directory,
                                       &why))
        say("", why);
    else if (!options->fake && (options->set_uid || options->drop_privileges))
        status = handover(options, program->sources.all, program->path,
                          program->is_directory);
    else if (!program->is_directory && options->exports == EXPORTS_ALL)
        log_error("mountpoint %s: all exports need a directory", options->mountpoint);
    else if (options->fake)
        status = EXIT_SUCCESS;
    else if (!options->foreground && daemon_start() != 0)
        log_error("cannot go into the background");
    else
        status = run(program);
    session_free(program->session);
    free(program->path);
    sources_clear(&program->sources);
    return options->helper && status != EXIT_SUCCESS ? MOUNT_FAILURE : status;
}

static void
on_quit(void)
{
} /* daemon_keeps_on tells whoever waits */

/* --list */
static int
list(struct program *program)
{
    bool fine = false;
    char *why = NULL;

    if (!sources_name(&program->sources, &program->options, &why))
        say("", why);
    else if (daemon_catch_signals(on_quit, NULL) != 0)
        log_error("signals cannot be caught");
    else if (set_source(program)) {
        fine = tool_list(&program->options, &program->source, &why);
        if (!fine && why != NULL)
            say_not_connected(program, why);
    }
    server_end(program->server);
    sources_clear(&program->sources);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --clean */
static int
clean(const char *mountpoint)
{
    char *why = NULL;
    int r = mountinfo_clean(mountpoint, &why);

    if (r < 0)
        say("", why);
    if (r > 0)
        log_info("%s: took away a mount whose daemon was gone", mountpoint);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int
do_task(struct program *program)
{
    switch ((enum task)program->options.task) {
    case TASK_HELP:
        options_help(stdout);
        break;
    case TASK_VERSION:
        puts("nbdmount " PACKAGE_VERSION);
        break;
    case TASK_LIST:
        return list(program);
    case TASK_STATUS:
        if (!tool_status(program->options.argument, program->options.json))
            return EXIT_FAILURE;
        break;
    case TASK_MAP:
        return tool_map(&program->options) ? EXIT_SUCCESS : EXIT_FAILURE;
    case TASK_CLEAN:
        return clean(program->options.argument);
    default:
        return mount_it(program);
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct program program = {0};
    char *why = NULL;
    int status = EXIT_FAILURE; /* which is what mount(8) has for a wrong use */

    log_open("nbdmount", false);
    notify_open();
    if (options_parse(&program.options, argc, argv, &why)) {
        log_open("nbdmount", program.options.debug);
        status = do_task(&program);
    } else {
        log_error("%s (see: nbdmount --help)", why != NULL ? why : "out of memory");
        free(why);
    }
    options_clear(&program.options);
    return status;
}
