/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* opened.c - see opened.h */

#include "opened.h"
#include "short-lock.h"

#include <stdlib.h>

void
opened_list_init(struct opened_list *list)
{
    short_lock_init(&list->lock);
    list->first = NULL;
}

void
opened_list_clear(struct opened_list *list)
{
    struct opened *next;

    for (struct opened *opened = list->first; opened != NULL; opened = next) {
        next = opened->next;
        free(opened);
    }
    pthread_mutex_destroy(&list->lock);
}

struct opened *
opened_new(struct opened_list *list, struct stream *stream, unsigned errors_seen)
{
    struct opened *opened = calloc(1, sizeof *opened);

    if (opened == NULL)
        return NULL;
    opened->stream = stream;
    atomic_init(&opened->errors_seen, errors_seen);
    opened->list = list;
    pthread_mutex_lock(&list->lock);
    opened->next = list->first;
    if (opened->next != NULL)
        opened->next->prev = opened;
    list->first = opened;
    pthread_mutex_unlock(&list->lock);
    atomic_store(&opened->holds, 1); /* who holds it next sees all of the above */
    return opened;
}

uint64_t
opened_number(const struct opened *opened)
{
    return (uint64_t)(uintptr_t)opened;
}

struct opened *
opened_hold(uint64_t number)
{
    struct opened *opened = (struct opened *)(uintptr_t)number;

    atomic_fetch_add(&opened->holds, 1);
    return opened;
}

void
opened_let_go(struct opened *opened)
{
    struct opened_list *list;

    if (atomic_fetch_sub(&opened->holds, 1) != 1)
        return;
    list = opened->list;
    pthread_mutex_lock(&list->lock);
    *(opened->prev != NULL ? &opened->prev->next : &list->first) = opened->next;
    if (opened->next != NULL)
        opened->next->prev = opened->prev;
    pthread_mutex_unlock(&list->lock);
    free(opened);
}

bool
opened_writes(struct opened *opened)
{
    return atomic_fetch_add(&opened->writes, 1) > 0 ||
           !atomic_load(&opened->syncs_each);
}

void
opened_syncs(struct opened *opened)
{
    atomic_store(&opened->syncs_each, atomic_exchange(&opened->writes, 0) <= 1);
}
