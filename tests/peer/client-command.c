/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-command.c - the client's commands, waiting or many at once
 *
 * What a read brought is told in runs of 8 bytes: p (as `nbdkit pattern` has it), z
 * (zeros), o (others).  A buffer is full of 0xaa before; what is left of that after an
 * error is told as UNINITIALISED, for it would be heap bytes in another program.
 */

#include "client-core.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define MARK 0xaa

/* ---- callbacks ---- */

static int
on_chunk(void *user_data, const void *subbuf, size_t count, uint64_t offset,
         unsigned status, int *error)
{
    static const char *const names[] = {"?", "data", "hole", "error"};
    struct command *cmd = user_data;
    const uint8_t *at = subbuf;
    bool inside = offset >= cmd->offset && at == cmd->buf + (offset - cmd->offset) &&
                  count <= cmd->count - (offset - cmd->offset);
    fprintf(cmd->callback_out, "%s: %s %ju+%zu%s%s%s\n", cmd->name,
            names[status <= 3 ? status : 0], (uintmax_t)offset, count,
            *error ? " " : "", *error ? errno_text(*error) : "",
            inside ? "" : " OUTSIDE");
    return 0;
}

static int
on_extents(void *user_data, const char *context, uint64_t offset, uint32_t *entries,
           size_t nr, int *error)
{
    struct command *cmd = user_data;
    (void)error;
    fprintf(cmd->callback_out, "%s: %s %ju", cmd->name, context, (uintmax_t)offset);
    for (size_t i = 0; i + 1 < nr && i < 8; i += 2)
        fprintf(cmd->callback_out, " %u:%u", entries[i], entries[i + 1]);
    if (nr > 8)
        fprintf(cmd->callback_out, " of %zu", nr / 2);
    fputc('\n', cmd->callback_out);
    return 0;
}

#ifdef LIBNBD_HAVE_NBD_BLOCK_STATUS_64
static int
on_extents64(void *user_data, const char *context, uint64_t offset, nbd_extent *entries,
             size_t nr, int *error)
{
    struct command *cmd = user_data;
    (void)error;
    fprintf(cmd->callback_out, "%s: %s %ju", cmd->name, context, (uintmax_t)offset);
    for (size_t i = 0; i < nr && i < 4; i++)
        fprintf(cmd->callback_out, " %ju:%ju", (uintmax_t)entries[i].length,
                (uintmax_t)entries[i].flags);
    if (nr > 4)
        fprintf(cmd->callback_out, " of %zu", nr);
    fputc('\n', cmd->callback_out);
    return 0;
}
#endif

static int
on_complete(void *user_data, int *error)
{
    struct command *cmd = user_data;
    cmd->completed++;
    cmd->callback_error = *error;
    return 0;
}

static void
on_free(void *user_data)
{
    ((struct command *)user_data)->freed++;
}

/* ---- asking ---- */

static int64_t
ask_async(struct client *c, struct command *k)
{
    nbd_completion_callback done = {on_complete, k, on_free};
    nbd_chunk_callback chunk = {on_chunk, k, NULL};
    nbd_extent_callback extents = {on_extents, k, NULL};
    if (strcmp(k->name, "pread") == 0)
        return nbd_aio_pread(c->nbd, k->buf, k->count, k->offset, done, k->flags);
    if (strcmp(k->name, "preads") == 0)
        return nbd_aio_pread_structured(c->nbd, k->buf, k->count, k->offset, chunk,
                                        done, k->flags);
    if (strcmp(k->name, "pwrite") == 0)
        return nbd_aio_pwrite(c->nbd, k->buf, k->count, k->offset, done, k->flags);
    if (strcmp(k->name, "flush") == 0)
        return nbd_aio_flush(c->nbd, done, k->flags);
    if (strcmp(k->name, "trim") == 0)
        return nbd_aio_trim(c->nbd, k->count, k->offset, done, k->flags);
    if (strcmp(k->name, "zero") == 0)
        return nbd_aio_zero(c->nbd, k->count, k->offset, done, k->flags);
    if (strcmp(k->name, "cache") == 0)
        return nbd_aio_cache(c->nbd, k->count, k->offset, done, k->flags);
    if (strcmp(k->name, "status") == 0)
        return nbd_aio_block_status(c->nbd, k->count, k->offset, extents, done,
                                    k->flags);
#ifdef LIBNBD_HAVE_NBD_BLOCK_STATUS_64
    nbd_extent64_callback extents64 = {on_extents64, k, NULL};
    if (strcmp(k->name, "status64") == 0)
        return nbd_aio_block_status_64(c->nbd, k->count, k->offset, extents64, done,
                                       k->flags);
    if (strcmp(k->name, "filter") == 0)
        return nbd_aio_block_status_filter(c->nbd, k->count, k->offset, k->contexts,
                                           extents64, done, k->flags);
#endif
    return -2;
}

static int
ask_blocking(struct client *c, struct command *k)
{
    nbd_chunk_callback chunk = {on_chunk, k, on_free};
    nbd_extent_callback extents = {on_extents, k, on_free};
    if (strcmp(k->name, "pread") == 0)
        return nbd_pread(c->nbd, k->buf, k->count, k->offset, k->flags);
    if (strcmp(k->name, "preads") == 0)
        return nbd_pread_structured(c->nbd, k->buf, k->count, k->offset, chunk,
                                    k->flags);
    if (strcmp(k->name, "pwrite") == 0)
        return nbd_pwrite(c->nbd, k->buf, k->count, k->offset, k->flags);
    if (strcmp(k->name, "flush") == 0)
        return nbd_flush(c->nbd, k->flags);
    if (strcmp(k->name, "trim") == 0)
        return nbd_trim(c->nbd, k->count, k->offset, k->flags);
    if (strcmp(k->name, "zero") == 0)
        return nbd_zero(c->nbd, k->count, k->offset, k->flags);
    if (strcmp(k->name, "cache") == 0)
        return nbd_cache(c->nbd, k->count, k->offset, k->flags);
    if (strcmp(k->name, "status") == 0)
        return nbd_block_status(c->nbd, k->count, k->offset, extents, k->flags);
#ifdef LIBNBD_HAVE_NBD_BLOCK_STATUS_64
    nbd_extent64_callback extents64 = {on_extents64, k, on_free};
    if (strcmp(k->name, "status64") == 0)
        return nbd_block_status_64(c->nbd, k->count, k->offset, extents64, k->flags);
    if (strcmp(k->name, "filter") == 0)
        return nbd_block_status_filter(c->nbd, k->count, k->offset, k->contexts,
                                       extents64, k->flags);
#endif
    return -2;
}

/* ---- telling ---- */

static char
kind_of(const struct command *k, size_t at, size_t n)
{
    struct bytes pattern = {0};
    bytes_pattern(&pattern, k->offset + at, n);
    bool same = memcmp(k->buf + at, pattern.v, n) == 0;
    bytes_clear(&pattern);
    if (same)
        return 'p';
    for (size_t i = 0; i < n; i++)
        if (k->buf[at + i])
            return 'o';
    return 'z';
}

static void
print_runs(struct client *c, const struct command *k)
{
    char kind = 0;
    size_t run = 0;
    for (size_t at = 0; at < k->count;) {
        size_t n = 8 - ((k->offset + at) & 7);
        if (n > k->count - at)
            n = k->count - at;
        char next = kind_of(k, at, n);
        if (next != kind && run) {
            fprintf(c->out, " %c%zu", kind, run);
            run = 0;
        }
        kind = next;
        run += n;
        at += n;
    }
    if (run)
        fprintf(c->out, " %c%zu", kind, run);
}

static bool
is_uninitialised(const struct command *k)
{
    size_t run = 0;
    for (size_t i = 0; i < k->count; i++) {
        run = k->buf[i] == MARK ? run + 1 : 0;
        if (run == 8 || run == k->count)
            return true;
    }
    return false;
}

static void
tell(struct client *c, struct command *k, int r)
{
    bool is_read = strncmp(k->name, "pread", 5) == 0;
    fflush(k->callback_out);
    if (k->lines)
        fputs(k->lines, c->out);
    if (r == -1) {
        if (is_read && is_uninitialised(k))
            fprintf(c->out, "%s: UNINITIALISED\n", k->name);
        print_error(c, k->name);
        return;
    }
    fprintf(c->out, "%s: ok", k->name);
    if (is_read)
        print_runs(c, k);
    fputc('\n', c->out);
}

static struct command *
new_command(struct client *c, char *const *words, size_t nr)
{
    bool buffered =
        strncmp(words[0], "pread", 5) == 0 || strcmp(words[0], "pwrite") == 0;
    bool flush = strcmp(words[0], "flush") == 0;
    struct command *k = calloc(1, sizeof *k);
    if (!k)
        err(2, "calloc");
    k->name = words[0];
    k->offset = flush ? 0 : number_arg(c, words, nr, 1);
    k->count = flush ? 0 : number_arg(c, words, nr, 2);
    k->flags = (uint32_t)number_arg(c, words, nr, flush ? 1 : 3);
    k->callback_out = open_memstream(&k->lines, &k->lines_len);
    if (!k->callback_out)
        err(2, "open_memstream");
    if (buffered && k->count <= 256 << 20) {
        k->buf = malloc(k->count ? k->count : 1);
        if (!k->buf)
            err(2, "malloc");
        memset(k->buf, MARK, k->count);
    } else {
        k->buf = malloc(1); /* the library has to refuse before it looks at it */
    }
    if (strcmp(k->name, "pwrite") == 0) {
        struct bytes pattern = {0};
        bytes_pattern(&pattern, k->offset, k->count);
        memcpy(k->buf, pattern.v, pattern.n);
        bytes_clear(&pattern);
    }
    if (strcmp(k->name, "filter") == 0) {
        k->contexts = calloc(nr, sizeof *k->contexts);
        for (size_t i = 4; k->contexts && i < nr; i++)
            k->contexts[i - 4] = text_arg(c, words, nr, i);
    }
    return k;
}

static void
free_command(struct command *k)
{
    for (char **s = k->contexts; s && *s; s++)
        free(*s);
    free(k->contexts);
    fclose(k->callback_out);
    free(k->lines);
    free(k->buf);
    free(k);
}

/* Waits for an asynchronous command and retires it. */
static void
finish(struct client *c, struct command *k)
{
    int r = -1;
    if (k->cookie > 0) {
        uint64_t cookie = (uint64_t)k->cookie;
        while ((r = nbd_aio_command_completed(c->nbd, cookie)) == 0) {
            bool over = nbd_aio_is_dead(c->nbd) || nbd_aio_is_closed(c->nbd);
            if (over) {
                fprintf(c->out, "%s: BROKEN never completed\n", k->name);
                break;
            }
            step(c);
        }
        if (k->completed != 1 || (k->callback_error != 0) != (r == -1))
            fprintf(c->out, "%s: BROKEN completion called %d times with %s\n", k->name,
                    k->completed, errno_text(k->callback_error));
    }
    if (k->freed != 1)
        fprintf(c->out, "%s: BROKEN free called %d times\n", k->name, k->freed);
    tell(c, k, r);
    free_command(k);
}

void
finish_group(struct client *c)
{
    for (size_t i = 0; i < c->nr_group; i++)
        finish(c, c->group[i]);
    c->nr_group = 0;
    c->grouped = false;
}

bool
client_command(struct client *c, char *const *words, size_t nr)
{
    struct command *k = new_command(c, words, nr);
    int64_t r;
    if (!c->async && !c->grouped) {
        r = ask_blocking(c, k);
        if (r != -2)
            tell(c, k, (int)r);
        free_command(k);
        return r != -2;
    }
    r = ask_async(c, k);
    if (r == -2) {
        free_command(k);
        return false;
    }
    k->cookie = r == -1 ? 0 : r;
    if (r == -1) { /* now, while the error is the last one */
        finish(c, k);
    } else if (c->grouped && c->nr_group < MAX_GROUP) {
        c->group[c->nr_group++] = k;
    } else {
        finish(c, k);
    }
    return true;
}
