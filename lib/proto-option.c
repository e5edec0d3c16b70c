/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-option.c - option haggling, our half: the automatic sequence and options by
 * hand
 *
 * One option at a time.  "asking" tells who wants the answer: the driver, through
 * PROTO_OPTION_DONE, or the sequence STARTTLS, EXTENDED_HEADERS, STRUCTURED_REPLY,
 * SET_META_CONTEXT, GO, which goes on to its next member.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "proto-engine.h"

static const char *
export_name(const struct proto *p)
{
    return p->config->export_name ? p->config->export_name : "";
}

/* ---- asking ---- */

/* A message with the option's header, and place for its data, which is returned. */
static uint8_t *
compose(struct proto *p, uint32_t option, uint32_t len, struct error *e)
{
    uint8_t *bytes = engine_message(p, WIRE_OPTION_SIZE + (size_t)len);
    if (!bytes) {
        error_set(e, ENOMEM, "out of memory");
        return NULL;
    }
    wire_encode_option(bytes, option, len);
    p->stats.chunks_sent++;
    p->option = option;
    p->server_text[0] = '\0';
    p->info_error = 0;
    engine_expect(p, STEP_option_reply, WIRE_OPTION_REPLY_SIZE);
    return bytes + WIRE_OPTION_SIZE;
}

static int
check_name(const struct proto *p, struct error *e)
{
    if (strlen(export_name(p)) > WIRE_MAX_STRING)
        return error_set(e, ENAMETOOLONG,
                         "the export's name is longer than %d bytes: %.64s...",
                         WIRE_MAX_STRING, export_name(p));
    return 0;
}

static int
send_simple(struct proto *p, uint32_t option, struct error *e)
{
    return compose(p, option, 0, e) ? 0 : -1;
}

static int
send_export_name(struct proto *p, struct error *e)
{
    const char *name = export_name(p);
    size_t len = strlen(name);

    if (check_name(p, e) == -1)
        return -1;
    uint8_t *data = compose(p, WIRE_OPT_EXPORT_NAME, (uint32_t)len, e);
    if (!data)
        return -1;
    memcpy(data, name, len);
    engine_clear_export(p);
    engine_expect(p, STEP_export_name, WIRE_EXPORT_NAME_REPLY_SIZE);
    return 0;
}

/* INFO or GO. */
static int
send_info(struct proto *p, uint32_t option, struct error *e)
{
    const char *name = export_name(p);
    size_t len = strlen(name), n = 0;
    uint16_t infos[3];

    if (option == WIRE_OPT_GO && !p->fixed)
        return send_export_name(p, e);
    if (check_name(p, e) == -1)
        return -1;
    if (p->config->request_full_info) {
        infos[n++] = WIRE_INFO_NAME;
        infos[n++] = WIRE_INFO_DESCRIPTION;
    }
    if (p->config->request_block_size)
        infos[n++] = WIRE_INFO_BLOCK_SIZE;

    char *copy = strdup(name);
    uint8_t *data =
        copy ? compose(p, option, (uint32_t)wire_info_request_size(len, n), e) : NULL;
    if (!data) {
        free(copy);
        return error_set(e, ENOMEM, "out of memory");
    }
    wire_encode_info_request(data, name, len, infos, n);
    engine_clear_export(p);
    p->export_for = copy;
    return 0;
}

/* LIST_ or SET_META_CONTEXT. */
static int
send_context_request(struct proto *p, uint32_t option, char *const *queries,
                     struct error *e)
{
    size_t len = strlen(export_name(p));

    if (check_name(p, e) == -1)
        return -1;
    for (size_t i = 0; queries && queries[i]; i++)
        if (strlen(queries[i]) > WIRE_MAX_STRING)
            return error_set(e, ENAMETOOLONG,
                             "the meta context's name is longer than %d bytes: "
                             "%.64s...",
                             WIRE_MAX_STRING, queries[i]);
    uint32_t size = wire_context_request_size(len, queries);
    if (size == 0)
        return error_set(e, ENAMETOOLONG, "too many meta contexts");

    char *copy = strdup(export_name(p));
    uint8_t *data = copy ? compose(p, option, size, e) : NULL;
    if (!data) {
        free(copy);
        return error_set(e, ENOMEM, "out of memory");
    }
    wire_encode_context_request(data, copy, len, queries);
    if (option == WIRE_OPT_SET_META_CONTEXT) {
        engine_clear_contexts(p);
        p->contexts_for = steal_pointer(&copy);
    }
    free(copy);
    return 0;
}

/* INFO or GO, and the contexts first where they are wanted. */
static int
send_info_or_contexts(struct proto *p, uint32_t option, struct error *e)
{
    char *const *contexts = p->config->contexts;

    if (p->structured && p->config->request_meta_context && contexts && contexts[0])
        return send_context_request(p, WIRE_OPT_SET_META_CONTEXT, contexts, e);
    return send_info(p, option, e);
}

/* What was negotiated by name for another export does not hold for this one. */
static void
forget_other_contexts(struct proto *p)
{
    if (p->contexts_for && strcmp(p->contexts_for, export_name(p)) != 0)
        engine_clear_contexts(p);
}

/* ---- the automatic sequence ---- */

static enum proto_event_type
go_on(struct proto *p, int result, const struct error *e)
{
    return result == 0 ? PROTO_STEP : engine_fail(p, e->number, "%s", e->text);
}

enum proto_event_type
engine_request_info(struct proto *p)
{
    bool info = p->asking && p->asked == PROTO_OPT_INFO;
    struct error e;

    return go_on(p, send_info(p, info ? WIRE_OPT_INFO : WIRE_OPT_GO, &e), &e);
}

enum proto_event_type
engine_request_export_name(struct proto *p)
{
    struct error e;

    return go_on(p, send_export_name(p, &e), &e);
}

enum proto_event_type
engine_choose_export(struct proto *p)
{
    struct error e;

    p->option = 0;
    if (p->config->opt_mode)
        return engine_rest(p, STEP_negotiating);
    return go_on(p, send_info_or_contexts(p, WIRE_OPT_GO, &e), &e);
}

enum proto_event_type
engine_request_structured(struct proto *p)
{
    struct error e;

    if (!p->config->request_structured_replies)
        return engine_choose_export(p);
    return go_on(p, send_simple(p, WIRE_OPT_STRUCTURED_REPLY, &e), &e);
}

enum proto_event_type
engine_request_extended(struct proto *p)
{
    struct error e;

    if (!p->config->request_structured_replies || !p->config->request_extended_headers)
        return engine_request_structured(p);
    return go_on(p, send_simple(p, WIRE_OPT_EXTENDED_HEADERS, &e), &e);
}

enum proto_event_type
engine_negotiate(struct proto *p)
{
    struct error e;

    if (!p->fixed)
        return engine_choose_export(p);
    if (p->config->tls == TLS_DISABLE)
        return engine_request_extended(p);
    return go_on(p, send_simple(p, WIRE_OPT_STARTTLS, &e), &e);
}

/* ---- options by hand ---- */

static int
ask_abort(struct proto *p, struct error *e)
{
    /* A server that is not fixed newstyle does not know ABORT. */
    if (!p->fixed)
        engine_expect(p, STEP_aborted, 0);
    else if (send_simple(p, WIRE_OPT_ABORT, e) == -1)
        return -1;
    p->closing = true;
    return 0;
}

static int
send_asked(struct proto *p, enum proto_option option, char *const *queries,
           struct error *e)
{
    switch (option) {
    case PROTO_OPT_GO:
    case PROTO_OPT_INFO:
        forget_other_contexts(p);
        return send_info_or_contexts(
            p, option == PROTO_OPT_GO ? WIRE_OPT_GO : WIRE_OPT_INFO, e);
    case PROTO_OPT_LIST:
        return send_simple(p, WIRE_OPT_LIST, e);
    case PROTO_OPT_STARTTLS:
        return send_simple(p, WIRE_OPT_STARTTLS, e);
    case PROTO_OPT_STRUCTURED_REPLY:
        return send_simple(p, WIRE_OPT_STRUCTURED_REPLY, e);
    case PROTO_OPT_EXTENDED_HEADERS:
        return send_simple(p, WIRE_OPT_EXTENDED_HEADERS, e);
    case PROTO_OPT_LIST_META_CONTEXT:
        return send_context_request(p, WIRE_OPT_LIST_META_CONTEXT, queries, e);
    case PROTO_OPT_SET_META_CONTEXT:
        return send_context_request(p, WIRE_OPT_SET_META_CONTEXT, queries, e);
    case PROTO_OPT_ABORT:
        return ask_abort(p, e);
    }
    return error_set(e, EINVAL, "there is no option %d", (int)option);
}

int
proto_ask(struct proto *p, enum proto_option option, char *const *queries,
          struct error *e)
{
    if (p->step != STEP_negotiating)
        return error_set(e, EINVAL, "options are not being negotiated now");
    if (!p->fixed && option != PROTO_OPT_GO && option != PROTO_OPT_ABORT)
        return error_set(e, ENOTSUP,
                         "the server is not fixed newstyle: it can only be asked to "
                         "serve an export");

    if (send_asked(p, option, queries ? queries : p->config->contexts, e) == -1)
        return -1;
    p->asking = option != PROTO_OPT_ABORT;
    p->asked = option;
    return 0;
}
