/*
 * Copyright (c) 2026 The XenFlow Authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

#include <config.h>
#include "engine/copy-private.h"

#include <string.h>

#include "util.h"

/* Counters of routes and neighbours, and ages of neighbours.
 *
 * They are told in rounds, XF_COPY_COUNTS_MS and for large tables more
 * after each other; what a route has carried after the last round before the
 * router moves is lost.  At B a counter is raised to what it was at A. */

/* Statements looked at in one turn. */
#define STATEMENTS_PER_TURN 16384
/* Statements for which a round waits a millisecond more. */
#define STATEMENTS_PER_MS 100

/* Milliseconds since 'then_ms', for a record; 'none' if that is 0. */
static uint32_t
age_of(long long int then_ms, long long int now_ms)
{
    return (!then_ms ? UINT32_MAX
            : MIN(MAX(0, now_ms - then_ms), UINT32_MAX - 1));
}

static void
make_record(const struct xf_rt_count *count, long long int now_ms,
            struct xf_copy_count *record)
{
    struct xf_stat *stat = CONST_CAST(struct xf_stat *, count->stat);
    long long int used_ms;

    memset(record, 0, sizeof *record);
    record->ip = count->prefix.addr;
    record->len = count->prefix.len;
    record->number = count->number;
    record->is_neigh = count->is_neigh;
    atomic_read_relaxed(&stat->n_packets, &record->n_packets);
    atomic_read_relaxed(&stat->n_bytes, &record->n_bytes);
    atomic_read_relaxed(&stat->used_ms, &used_ms);
    record->used_ms = age_of(used_ms, now_ms);
    record->age_ms = count->is_neigh ? age_of(count->confirmed_ms, now_ms) : 0;
}

/* Begins a round if it is time.  Returns false if none is under way. */
static bool
round_run(struct xf_serving *s, long long int now_ms)
{
    struct xf_counts_round *round = &s->counts;

    if (!round->is_on && now_ms >= round->next_ms) {
        round->is_on = true;
        round->begun_ms = now_ms;
        xf_rt_follow_recount(s->follower);
    }
    return round->is_on;
}

size_t
xf_counts_tell(struct xf_serving *s, uint8_t *tx, size_t capacity,
               long long int now_ms)
{
    struct xf_copy_count records[XF_COPY_COUNTS_MAX];
    struct xf_counts_round *round = &s->counts;
    size_t budget = STATEMENTS_PER_TURN;
    struct xf_rt_count count;
    size_t n = 0;

    if (capacity < 2 * sizeof records || !round_run(s, now_ms)) {
        return 0;
    }
    while (n < XF_COPY_COUNTS_MAX
           && xf_rt_follow_next_count(s->follower, round->since_ms, &budget,
                                      &count)) {
        make_record(&count, now_ms, &records[n++]);
    }
    if (n < XF_COPY_COUNTS_MAX && budget) {
        size_t size = xf_rt_source_n_routes(s->router->rt, s->source);

        round->is_on = false;
        round->since_ms = round->begun_ms;
        round->next_ms = (now_ms + XF_COPY_COUNTS_MS
                          + size / STATEMENTS_PER_MS);
    } else {
        s->more = true;
    }
    return n ? xf_copy_counts_encode(records, n, tx, capacity) : 0;
}

void
xf_counts_hear(struct xf_router *router, const uint8_t *body, size_t size,
               long long int now_ms)
{
    struct xf_copy_count record;

    while (xf_copy_next_count(&body, &size, &record)) {
        const struct xf_rt_count count = {
            .is_neigh = record.is_neigh,
            .prefix = { record.ip, record.len },
            .number = record.number,
            .confirmed_ms = now_ms - record.age_ms,
        };

        xf_rt_raise_count(router->rt, router->listener_source, &count,
                          record.n_packets, record.n_bytes,
                          record.used_ms == UINT32_MAX
                          ? 0 : now_ms - record.used_ms);
    }
}
