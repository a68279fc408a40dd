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

#include "seam/xf-counters.h"

#include "seam/xf-mem.h"

/* Counters in 'chunk'. */
static size_t
chunk_n(unsigned int chunk)
{
    return UINT64_C(1) << (XF_COUNTERS_BITS + MAX(chunk, 1) - 1);
}

struct xf_counter *
xf_counters_add(struct xf_counters *counters, unsigned int chunk, uint32_t ofs)
{
    struct xf_counter *new = xf_mem_zalloc(chunk_n(chunk) * sizeof *new);

    ovsrcu_set(&counters->chunks[chunk], new);
    return &new[ofs];
}

void
xf_counters_read(const struct xf_counters *counters, uint32_t number,
                 struct xf_count *count)
{
    uint32_t ofs;
    unsigned int chunk = xf_counters_chunk(number, &ofs);
    struct xf_counter *c = ovsrcu_get(struct xf_counter *,
                                      &counters->chunks[chunk]);

    if (c) {
        uint64_t n;

        atomic_read_relaxed(&c[ofs].n_packets, &n);
        count->n_packets += n;
        atomic_read_relaxed(&c[ofs].n_bytes, &n);
        count->n_bytes += n;
    }
}

void
xf_counters_move(struct xf_counters *to, const struct xf_counters *from)
{
    for (size_t i = 0; i < XF_COUNTERS_CHUNKS; i++) {
        struct xf_counter *c = ovsrcu_get_protected(struct xf_counter *,
                                                    &from->chunks[i]);
        uint32_t base = i ? UINT32_C(1) << (XF_COUNTERS_BITS + i - 1) : 0;

        for (size_t j = 0; c && j < chunk_n(i); j++) {
            uint64_t n_packets, n_bytes, orig;

            atomic_read_relaxed(&c[j].n_packets, &n_packets);
            atomic_read_relaxed(&c[j].n_bytes, &n_bytes);
            if (n_packets) {
                struct xf_counter *sum = xf_counters_get(to, base + j);

                atomic_add_relaxed(&sum->n_packets, n_packets, &orig);
                atomic_add_relaxed(&sum->n_bytes, n_bytes, &orig);
            }
        }
    }
}

void
xf_counters_free(struct xf_counters *counters)
{
    for (size_t i = 0; i < XF_COUNTERS_CHUNKS; i++) {
        xf_mem_free(ovsrcu_get_protected(struct xf_counter *,
                                         &counters->chunks[i]),
                    chunk_n(i) * sizeof(struct xf_counter));
    }
}
