/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-latency.c - percentiles that are near the truth, and sums of several */

#include "tap.h"
#include "traffic.h"

#include <errno.h>

#define US INT64_C(1000)

/* At most an eighth, and one microsecond, above. */
static bool
is_near(uint64_t got, uint64_t want)
{
    if (got >= want && got <= want + want / 8 + 1000)
        return true;
    diag("got %" PRIu64 " ns, want %" PRIu64 " ns", got, want);
    return false;
}

/* Each alone: what is found again of it, for each value near a step's border. */
static void
test_steps(void)
{
    bool near = true, max = true;

    for (int power = 0; power < 32; power++) {
        for (int64_t by = -1; by <= 1; by++) {
            static struct latency one, slow;
            struct latency_sum sum = {0};
            int64_t ns = ((INT64_C(1) << power) + by) * US;
            one = slow;
            latency_add(&one, ns);
            latency_add(&one, INT64_MAX / 2); /* so that the maximum does not help */
            latency_sum(&sum, &one);
            near &= is_near(latency_within(&sum, 0.5), (uint64_t)(ns > 0 ? ns : 0));
            max &= latency_within(&sum, 1) == INT64_MAX / 2;
        }
    }
    ok(near, "a value is found again, at most an eighth greater");
    ok(max, "the greatest is exact");
}

static void
test_percentiles(void)
{
    static struct latency latency;
    struct latency_sum sum = {0};

    ok(latency_within(&sum, 0.5) == 0, "none at all: 0");
    for (int i = 1; i <= 1000; i++)
        latency_add(&latency, i * 50 * US);
    latency_sum(&sum, &latency);
    is_int(sum.n, 1000, "all are counted");
    is_int(sum.total_ns, 500500 * 50 * US, "their sum is exact");
    ok(is_near(latency_within(&sum, 0.5), 500 * 50 * US), "p50");
    ok(is_near(latency_within(&sum, 0.9), 900 * 50 * US), "p90");
    ok(latency_within(&sum, 0.99) >= 990 * 50 * US &&
           latency_within(&sum, 0.99) <= 1000 * 50 * US,
       "p99, never above the greatest");
    is_int(latency_within(&sum, 1), 1000 * 50 * US, "p100 is the greatest");
}

static void
test_one(void)
{
    static struct latency latency;
    struct latency_sum sum = {0};

    latency_add(&latency, 100 * US);
    latency_sum(&sum, &latency);
    is_int(latency_within(&sum, 0.5), 100 * US, "of one, each percentile is that");
    is_int(latency_within(&sum, 0.01), 100 * US, "the lowest too");
    latency_add(&latency, -5);
    sum = (struct latency_sum){0};
    latency_sum(&sum, &latency);
    is_int(sum.total_ns, 100 * US, "a clock that went back adds nothing");
    is_int(sum.n, 2, "and is counted");
}

static void
test_traffic(void)
{
    static struct traffic near, far;
    static struct traffic_sum sum;

    for (int i = 0; i < 99; i++)
        traffic_answered(&near, 0, 4096, 20 * US, 0);
    traffic_answered(&near, 0, 4096, 20 * US, EIO);
    traffic_answered(&far, 0, 4096, 10000 * US, 0);
    traffic_answered(&far, 1, 512, 30 * US, 0);
    traffic_sum(&sum, &near);
    traffic_sum(&sum, &far);
    is_int(sum.kind[0].latency.n, 101, "two connections together: commands");
    is_int(sum.kind[0].bytes, 100 * 4096, "bytes, without what failed");
    is_int(sum.kind[0].errors, 1, "errors");
    is_int(sum.kind[1].bytes, 512, "each kind of command for itself");
    ok(is_near(latency_within(&sum.kind[0].latency, 0.99), 20 * US), "p99 of both");
    is_int(sum.kind[0].latency.max_ns, 10000 * US, "the greatest of both");
}

int
main(void)
{
    test_steps();
    test_percentiles();
    test_one();
    test_traffic();
    done_testing();
}
