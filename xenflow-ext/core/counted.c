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

#include "core/counted.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void
xf_counted_init(struct xf_counted *c)
{
    memset(c, 0, sizeof *c);
    xf_numbers_init(&c->numbers);
}

void
xf_counted_uninit(struct xf_counted *c)
{
    for (size_t i = 0; i < c->n; i++) {
        xf_stat_unref(c->entries[i].stat);
    }
    free(c->entries);
    xf_numbers_uninit(&c->numbers);
}

/* A number that was in use before goes on from what was counted under it. */
void
xf_counted_add(struct xf_counted *c, struct xf_stat *stat)
{
    ovs_assert(!stat->number);
    stat->number = xf_numbers_take(&c->numbers);
    if (stat->number >= c->allocated) {
        c->allocated += MAX(8, c->allocated / 2);
        c->entries = xrealloc(c->entries, c->allocated * sizeof *c->entries);
    }
    while (c->n <= stat->number) {
        memset(&c->entries[c->n++], 0, sizeof *c->entries);
    }
    xf_stat_unref(c->entries[stat->number].stat);
    c->entries[stat->number].stat = xf_stat_ref(stat);
}

void
xf_counted_remove(struct xf_counted *c, struct xf_stat *stat)
{
    ovs_assert(c->entries[stat->number].stat == stat);
    xf_numbers_give_back(&c->numbers, stat->number);
    stat->number = 0;
}

static void
fold_one(struct xf_counted_entry *e, uint32_t number,
         const struct xf_counted_reader *reader)
{
    struct xf_count now;

    if (!e->stat) {
        return;
    }
    reader->get(number, &now, reader->aux);
    if (now.n_packets != e->n_packets) {
        xf_stat_add(e->stat, now.n_packets - e->n_packets,
                    now.n_bytes - e->n_bytes, reader->now_ms);
        e->n_packets = now.n_packets;
        e->n_bytes = now.n_bytes;
    }
}

void
xf_counted_grace(struct xf_counted *c, const struct xf_counted_reader *reader)
{
    const struct xf_numbers *numbers = &c->numbers;

    for (uint32_t i = numbers->aging.first; i; i = numbers->next[i]) {
        fold_one(&c->entries[i], i, reader);
    }
    xf_numbers_grace(&c->numbers);
}

size_t
xf_counted_fold(struct xf_counted *c, size_t first, size_t n,
                const struct xf_counted_reader *reader)
{
    size_t end = MIN(c->n, first + n);

    for (size_t i = first; i < end; i++) {
        fold_one(&c->entries[i], i, reader);
    }
    return end < c->n ? end : 0;
}

/* Bytes held. */
size_t
xf_counted_size(const struct xf_counted *c)
{
    return (c->allocated * sizeof *c->entries
            + xf_numbers_size(&c->numbers));
}
