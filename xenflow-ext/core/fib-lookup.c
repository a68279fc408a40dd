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

#include "core/fib-private.h"

/* The readers' half of the longest-prefix match.
 *
 * A batch goes level by level: for each packet the place of its entry is
 * computed and prefetched, then the entries are read and the nodes that they
 * lead to prefetched.  So the cache misses of a batch overlap, which counts
 * for more than anything else here.  The loops don't branch on what entries
 * are: where lookups end is as random as the traffic.
 *
 * The functions exist twice on x86-64: counting bits is one instruction on all
 * CPUs since 2008, but compilers may use it only when told so. */

/* Without this the twins would call one function, made for any CPU. */
#ifdef __GNUC__
#define FIB_INLINE __attribute__((always_inline))
#else
#define FIB_INLINE
#endif

/* What is read next of the node that 'entry' leads to, or the table itself
 * where it is a value: a prefetch of an arbitrary address would cost a walk of
 * the page tables. */
static inline const void *
place_of(uint64_t entry, uint8_t slot, const struct xf_fib *fib)
{
    return (fib_is_child(entry)
            ? (const void *) fib_word(fib_child(entry), slot) : fib);
}

/* Most nodes of IPv6 are small: their entries lie near the front, and with
 * them here, a level costs one wait instead of two. */
static inline void
prefetch_entries(uint64_t entry, const struct xf_fib *fib, bool is_v6)
{
    if (is_v6) {
        OVS_PREFETCH(fib_is_child(entry)
                     ? (const void *) fib_child(entry)->entries : fib);
    }
}

/* The next byte of destination 'i'. */
static inline uint8_t
dst_slot(const uint32_t *v4, const struct in6_addr *const *v6, size_t i,
         size_t level)
{
    return v4 ? v4[i] >> (24 - 8 * level) : v6[i]->s6_addr[level];
}

/* The same where there may be no next byte: any. */
static inline uint8_t
next_slot(const uint32_t *v4, const struct in6_addr *const *v6, size_t i,
          size_t level)
{
    return dst_slot(v4, v6, i, level % (v4 ? 4 : FIB_MAX_LEVELS));
}

static inline uint16_t
dst_array_slot(const uint32_t *v4, const struct in6_addr *const *v6, size_t i)
{
    return (dst_slot(v4, v6, i, 0) << FIB_STRIDE) | dst_slot(v4, v6, i, 1);
}

/* Stores in 'values' what the arrays or the roots say, in 'levels' which byte is
 * next, and in 'live' which of the values lead on.  Returns how many do. */
static inline FIB_INLINE size_t
lookup_begin(const struct xf_fib *const fibs[], const uint32_t *v4,
             const struct in6_addr *const *v6, uint64_t values[],
             uint8_t levels[], uint8_t live[], size_t n)
{
    const atomic_uint64_t *places[XF_FIB_BATCH];
    size_t n_live = 0;

    for (size_t i = 0; i < n; i++) {
        const struct fib_array *array = ovsrcu_get(struct fib_array *,
                                                   &fibs[i]->array);

        /* Which tables are large can't be predicted: no branches. */
        const atomic_uint64_t *start = array ? array->entries : &fibs[i]->root;
        size_t is_large = array != NULL;

        places[i] = &start[dst_array_slot(v4, v6, i) & -is_large];
        levels[i] = FIB_ARRAY_LEVEL * is_large;
        OVS_PREFETCH(places[i]);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t entry = fib_read(places[i]);

        OVS_PREFETCH(place_of(entry, dst_slot(v4, v6, i, levels[i]),
                              fibs[i]));
        prefetch_entries(entry, fibs[i], v6 != NULL);
        values[i] = entry;
        live[n_live] = i;
        n_live += fib_is_child(entry);
    }
    return n_live;
}

/* The lookup of either family: 'v4' or 'v6' is NULL, which the compiler knows
 * in each function below. */
static inline FIB_INLINE void
lookup(const struct xf_fib *const fibs[], const uint32_t *v4,
       const struct in6_addr *const *v6, uint64_t values[], size_t n)
{
    const atomic_uint64_t *places[XF_FIB_BATCH];
    uint8_t levels[XF_FIB_BATCH];
    uint8_t live[XF_FIB_BATCH];
    size_t n_live = lookup_begin(fibs, v4, v6, values, levels, live, n);

    while (n_live) {
        for (size_t k = 0; k < n_live; k++) {
            size_t i = live[k];
            const struct fib_node *node = fib_child(values[i]);

            places[k] = &node->entries[fib_run(node, dst_slot(v4, v6, i,
                                                              levels[i]++))];
            OVS_PREFETCH(places[k]);
        }

        size_t n_left = 0;
        for (size_t k = 0; k < n_live; k++) {
            size_t i = live[k];
            const struct fib_node *node = fib_child(values[i]);
            /* In this order: see struct fib_node. */
            uint64_t entry = fib_read(places[k]);

            if (OVS_UNLIKELY(!entry)) {
                entry = fib_read(&node->dflt);
            }
            OVS_PREFETCH(place_of(entry, next_slot(v4, v6, i, levels[i]),
                                  fibs[i]));
            prefetch_entries(entry, fibs[i], v6 != NULL);
            values[i] = entry;
            live[n_left] = i;
            n_left += fib_is_child(entry);
        }
        n_live = n_left;
    }
}

static void
lookup_v4_plain(const struct xf_fib *const fibs[], const uint32_t dst[],
                uint64_t values[], size_t n)
{
    lookup(fibs, dst, NULL, values, n);
}

static void
lookup_v6_plain(const struct xf_fib *const fibs[],
                const struct in6_addr *dst[], uint64_t values[], size_t n)
{
    lookup(fibs, NULL, dst, values, n);
}

#ifdef FIB_HAVE_X86
#define FIB_BIT_COUNT __attribute__((target("popcnt,bmi,bmi2")))

static void FIB_BIT_COUNT
lookup_v4_popcnt(const struct xf_fib *const fibs[], const uint32_t dst[],
                 uint64_t values[], size_t n)
{
    lookup(fibs, dst, NULL, values, n);
}

static void FIB_BIT_COUNT
lookup_v6_popcnt(const struct xf_fib *const fibs[],
                 const struct in6_addr *dst[], uint64_t values[], size_t n)
{
    lookup(fibs, NULL, dst, values, n);
}

/* Gathers beat prefetches in small tables, and in large ones it is the other
 * way round: a gather doesn't let a batch wait for memory all at once.  If they
 * are to be used, the roots are stored in 'values'. */
static bool
use_gathers(const struct xf_fib *const fibs[], uint64_t values[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ovsrcu_get(struct fib_array *, &fibs[i]->array)) {
            return false;
        }
        values[i] = fib_read(&fibs[i]->root);
    }
    return n >= FIB_GATHER_MIN;
}

static void
lookup_v4_avx512(const struct xf_fib *const fibs[], const uint32_t dst[],
                 uint64_t values[], size_t n)
{
    if (use_gathers(fibs, values, n)) {
        fib_gather_v4(dst, values, n);
    } else {
        lookup_v4_popcnt(fibs, dst, values, n);
    }
}

static void
lookup_v6_avx512(const struct xf_fib *const fibs[],
                 const struct in6_addr *dst[], uint64_t values[], size_t n)
{
    if (use_gathers(fibs, values, n)) {
        fib_gather_v6(dst, values, n);
    } else {
        lookup_v6_popcnt(fibs, dst, values, n);
    }
}

static bool
cpu_has_popcnt(void)
{
    return (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi")
            && __builtin_cpu_supports("bmi2"));
}

static bool
cpu_has_avx512(void)
{
    return (__builtin_cpu_supports("avx512f")
            && __builtin_cpu_supports("avx512vpopcntdq")
            && cpu_has_popcnt());
}
#endif

static bool
cpu_is_any(void)
{
    return true;
}

/* Best ones first. */
static const struct {
    bool (*is_usable)(void);
    fib_lookup_v4_fn *v4;
    fib_lookup_v6_fn *v6;
} ways[] = {
#ifdef FIB_HAVE_X86
    { cpu_has_avx512, lookup_v4_avx512, lookup_v6_avx512 },
    { cpu_has_popcnt, lookup_v4_popcnt, lookup_v6_popcnt },
#endif
    { cpu_is_any, lookup_v4_plain, lookup_v6_plain },
};

bool
fib_use_lookup(struct xf_fib *fib, size_t i)
{
    for (size_t j = 0; j < ARRAY_SIZE(ways); j++) {
        if (ways[j].is_usable() && !i--) {
            fib->lookup_v4 = ways[j].v4;
            fib->lookup_v6 = ways[j].v6;
            return true;
        }
    }
    return false;
}

const atomic_uint64_t *
xf_fib_start(const struct xf_fib *fib)
{
    const struct fib_array *array = ovsrcu_get(struct fib_array *,
                                               &fib->array);

    return array ? array->entries : NULL;
}

void
xf_fib_lookup_v4(const struct xf_fib *const fibs[], const uint32_t dst[],
                 uint64_t values[], size_t n)
{
    ovs_assert(n && n <= XF_FIB_BATCH);
    fibs[0]->lookup_v4(fibs, dst, values, n);
}

void
xf_fib_lookup_v6(const struct xf_fib *const fibs[],
                 const struct in6_addr *dst[], uint64_t values[], size_t n)
{
    ovs_assert(n && n <= XF_FIB_BATCH);
    fibs[0]->lookup_v6(fibs, dst, values, n);
}
