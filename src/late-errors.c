/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* late-errors.c - see late-errors.h */

#include "late-errors.h"

static unsigned
number(uint64_t last)
{
    return (unsigned)(last >> 32);
}

static int
error_of(uint64_t last)
{
    return (int)(uint32_t)last;
}

/* It only rises; the numbers may have gone round. */
static void
told(struct late_errors *errors, unsigned n)
{
    unsigned before = atomic_load(&errors->told);

    while ((int)(n - before) > 0 &&
           !atomic_compare_exchange_weak(&errors->told, &before, n))
        ;
}

bool
late_error(struct late_errors *errors, int error)
{
    uint64_t last = atomic_load(&errors->last), next;

    do
        next = (uint64_t)(number(last) + 1) << 32 | (uint32_t)error;
    while (!atomic_compare_exchange_weak(&errors->last, &last, next));
    return number(last) == atomic_load(&errors->told);
}

unsigned
late_errors_at_open(const struct late_errors *errors)
{
    return atomic_load(&errors->told);
}

bool
late_errors_since(const struct late_errors *errors, const atomic_uint *seen)
{
    return number(atomic_load(&errors->last)) != atomic_load(seen);
}

int
late_errors_tell(struct late_errors *errors, const atomic_uint *seen)
{
    uint64_t last = atomic_load(&errors->last);

    if (number(last) == atomic_load(seen))
        return 0;
    told(errors, number(last));
    return error_of(last);
}

int
late_errors_take(struct late_errors *errors, atomic_uint *seen)
{
    uint64_t last = atomic_load(&errors->last);

    if (atomic_exchange(seen, number(last)) == number(last))
        return 0;
    told(errors, number(last));
    return error_of(last);
}

int
late_errors_untold(const struct late_errors *errors)
{
    uint64_t last = atomic_load(&errors->last);

    return number(last) != atomic_load(&errors->told) ? error_of(last) : 0;
}

void
late_errors_all_told(struct late_errors *errors)
{
    told(errors, number(atomic_load(&errors->last)));
}
