/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-ranges.c - which bytes of a READ were answered
 *
 * Nearly all servers answer in order: then one number is enough.  What comes out of
 * order goes into a short sorted list, which is kept for later commands.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto-engine.h"

static struct proto_ranges *
acquire(struct proto *p)
{
    struct proto_ranges *r = p->ranges_free;

    if (r) {
        p->ranges_free = r->next_free;
        return r;
    }
    r = calloc(1, sizeof *r);
    if (r) {
        r->next_all = p->ranges_all;
        p->ranges_all = r;
    }
    return r;
}

void
ranges_release(struct proto *p, struct proto_cmd *cmd)
{
    struct proto_ranges *r = cmd->ranges;

    if (r) {
        r->list.len = 0;
        r->next_free = p->ranges_free;
        p->ranges_free = r;
        cmd->ranges = NULL;
    }
}

void
ranges_free_all(struct proto *p)
{
    for (struct proto_ranges *r = p->ranges_all, *next; r; r = next) {
        next = r->next_all;
        array_clear(&r->list);
        free(r);
    }
}

static void
remove_at(struct proto_ranges *r, size_t i)
{
    memmove(&r->list.items[i], &r->list.items[i + 1],
            (r->list.len - i - 1) * sizeof r->list.items[0]);
    r->list.len--;
}

/* Puts a range into the list, where it belongs, joined with those that it touches. */
static int
insert(struct proto_ranges *r, uint64_t start, uint64_t end)
{
    size_t i = 0, high = r->list.len;

    while (i < high) {
        size_t middle = i + (high - i) / 2;
        if (r->list.items[middle].start < start)
            i = middle + 1;
        else
            high = middle;
    }
    if (i > 0 && r->list.items[i - 1].end > start)
        return EPROTO;
    if (i < r->list.len && r->list.items[i].start < end)
        return EPROTO;

    if (i < r->list.len && r->list.items[i].start == end) {
        end = r->list.items[i].end;
        remove_at(r, i);
    }
    if (i > 0 && r->list.items[i - 1].end == start) {
        r->list.items[i - 1].end = end;
        return 0;
    }
    if (r->list.len == MAX_RANGES)
        return EPROTO;
    if (array_reserve(&r->list, 1) == -1)
        return ENOMEM;
    memmove(&r->list.items[i + 1], &r->list.items[i],
            (r->list.len - i) * sizeof r->list.items[0]);
    r->list.items[i] = (struct proto_range){start, end};
    r->list.len++;
    return 0;
}

int
ranges_add(struct proto *p, struct proto_cmd *cmd, uint64_t start, uint64_t len)
{
    uint64_t end = start + len;

    if (start < cmd->contiguous)
        return EPROTO;
    if (start > cmd->contiguous) {
        if (!cmd->ranges)
            cmd->ranges = acquire(p);
        return cmd->ranges ? insert(cmd->ranges, start, end) : ENOMEM;
    }

    struct proto_ranges *r = cmd->ranges;
    if (r && r->list.len > 0) {
        if (r->list.items[0].start < end)
            return EPROTO;
        if (r->list.items[0].start == end) {
            end = r->list.items[0].end;
            remove_at(r, 0);
        }
    }
    cmd->contiguous = end;
    return 0;
}
