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

#ifndef XF_COUNTERS_H
#define XF_COUNTERS_H 1

/* Counters of packets and bytes by number, of one thread.
 *
 * They come in chunks, so that a few cost little and none ever moves: any
 * thread reads them while the owner counts. */

#include "core/counted.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "util.h"

/* The first chunk has 2**XF_COUNTERS_BITS, each other as many as all before
 * it. */
#define XF_COUNTERS_BITS 7
#define XF_COUNTERS_CHUNKS (32 - XF_COUNTERS_BITS)

struct xf_counter {
    atomic_uint64_t n_packets;
    atomic_uint64_t n_bytes;
};

struct xf_counters {
    OVSRCU_TYPE(struct xf_counter *) chunks[XF_COUNTERS_CHUNKS];
};

/* The owner's counter 'number', where it isn't there yet. */
struct xf_counter *xf_counters_add(struct xf_counters *, unsigned int chunk,
                                   uint32_t ofs);
/* Adds what 'number' has counted to 'count'.  Any thread. */
void xf_counters_read(const struct xf_counters *, uint32_t number,
                      struct xf_count *count);
/* Adds all of 'from' to 'to', which belongs to the caller. */
void xf_counters_move(struct xf_counters *to, const struct xf_counters *from);
void xf_counters_free(struct xf_counters *);

static inline unsigned int
xf_counters_chunk(uint32_t number, uint32_t *ofs)
{
    unsigned int chunk = (number >> XF_COUNTERS_BITS
                          ? 64 - XF_COUNTERS_BITS - raw_clz64(number) : 0);

    *ofs = (chunk
            ? number - (UINT32_C(1) << (chunk + XF_COUNTERS_BITS - 1))
            : number);
    return chunk;
}

/* The owner's counter 'number'.  It stays where it is until
 * xf_counters_free(). */
static inline struct xf_counter *
xf_counters_get(struct xf_counters *counters, uint32_t number)
{
    uint32_t ofs;
    unsigned int chunk = xf_counters_chunk(number, &ofs);
    struct xf_counter *c = ovsrcu_get_protected(struct xf_counter *,
                                                &counters->chunks[chunk]);

    return OVS_LIKELY(c) ? &c[ofs] : xf_counters_add(counters, chunk, ofs);
}

/* Counts a packet.  The owner's thread. */
static inline void
xf_counter_count(struct xf_counter *c, uint64_t n_bytes)
{
    uint64_t n;

    atomic_read_relaxed(&c->n_packets, &n);
    atomic_store_relaxed(&c->n_packets, n + 1);
    atomic_read_relaxed(&c->n_bytes, &n);
    atomic_store_relaxed(&c->n_bytes, n + n_bytes);
}

#endif /* seam/xf-counters.h */
