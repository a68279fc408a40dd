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

#include "bench-fib.h"

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align" /* In its inline functions. */
#include <rte_lpm.h>
#pragma GCC diagnostic pop
#include <rte_malloc.h>
#include <rte_vect.h>
#include <string.h>

#include "core/fib-private.h"
#include "seam/xf-mem.h"
#include "util.h"

/* The libraries that are compared: ours, rte_lpm (IPv4), rte_fib with direct
 * indexing (IPv4) and with its trie (IPv6).  One table of each at a time. */

static uint32_t
route_v4(const struct route *route)
{
    return xf_key_from_addr(&route->addr).hi >> 32;
}

/* What DPDK's heap holds. */
static size_t
rte_heap(void)
{
    struct rte_malloc_socket_stats stats;

    rte_malloc_get_socket_stats(0, &stats);
    return stats.heap_allocsz_bytes;
}

/* ---- Ours. ---- */

size_t xf_way;

static struct xf_trie xf_trie;
static struct xf_fib *xf_fib;

static uint64_t
xf_value(const struct xf_trie_node *node, void *aux OVS_UNUSED)
{
    return (uintptr_t) ovsrcu_get_protected(void *, &node->data);
}

/* Nobody reads meanwhile. */
static void
xf_retire(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

/* In memory as the switch has it. */
static bool
xf_open(bool is_v4, size_t max_routes OVS_UNUSED)
{
    xf_trie_init(&xf_trie, is_v4 ? 32 : 128, xf_retire, NULL);
    xf_fib = xf_fib_create(&xf_trie, xf_value, NULL, xf_mem(), xf_retire,
                           NULL);
    return fib_use_lookup(xf_fib, xf_way);
}

static bool
xf_add(const struct route *route)
{
    struct xf_key key = xf_key_from_addr(&route->addr);
    struct xf_trie_node *node = xf_trie_insert(&xf_trie, key, route->len);

    ovsrcu_set(&node->data, (void *) (uintptr_t) route->value);
    xf_fib_update(xf_fib, key, route->len);
    return true;
}

static uint64_t
xf_lookup(const struct dsts *dsts)
{
    const struct xf_fib *fibs[BATCH];
    uint64_t values[BATCH];
    uint64_t sum = 0;

    for (size_t i = 0; i < BATCH; i++) {
        fibs[i] = xf_fib;
    }
    for (size_t i = 0; i < dsts->n; i += BATCH) {
        if (dsts->is_v4) {
            xf_fib_lookup_v4(fibs, &dsts->v4[i], values, BATCH);
        } else {
            const struct in6_addr *dst[BATCH];

            for (size_t j = 0; j < BATCH; j++) {
                dst[j] = &dsts->v6[i + j];
            }
            xf_fib_lookup_v6(fibs, dst, values, BATCH);
        }
        for (size_t j = 0; j < BATCH; j++) {
            sum += values[j];
        }
    }
    return sum;
}

static void
xf_usage(size_t *n_bytes, size_t *n_trie_bytes)
{
    struct xf_fib_usage usage;

    xf_fib_get_usage(xf_fib, &usage);
    *n_bytes = usage.n_bytes;
    *n_trie_bytes = xf_trie.n_nodes * xf_trie_node_size(&xf_trie);
}

static void
xf_close(void)
{
    xf_fib_destroy(xf_fib);
    xf_trie_uninit(&xf_trie);
}

const struct table xf_table = {
    "xenflow", true, true, xf_open, xf_add, xf_lookup, xf_usage, xf_close
};

/* ---- rte_lpm. ---- */

static struct rte_lpm *lpm;
static size_t heap_before;

static bool
lpm_open(bool is_v4 OVS_UNUSED, size_t max_routes)
{
    struct rte_lpm_config config = {
        .max_rules = max_routes, .number_tbl8s = 256,
    };

    heap_before = rte_heap();
    lpm = rte_lpm_create("bench", 0, &config);
    return lpm != NULL;
}

/* rte_lpm has no /0: two /1 stand for it. */
static bool
lpm_add(const struct route *route)
{
    uint32_t ip = route_v4(route);

    return route->len
           ? !rte_lpm_add(lpm, ip, route->len, route->value)
           : (!rte_lpm_add(lpm, 0, 1, route->value)
              && !rte_lpm_add(lpm, UINT32_C(1) << 31, 1, route->value));
}

static uint64_t
lpm_lookup(const struct dsts *dsts)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < dsts->n; i += BATCH) {
        uint32_t values[BATCH];

        for (size_t j = 0; j < BATCH; j += 4) {
            xmm_t ip;

            memcpy(&ip, &dsts->v4[i + j], sizeof ip);
            rte_lpm_lookupx4(lpm, ip, &values[j], 0);
        }
        for (size_t j = 0; j < BATCH; j++) {
            sum += values[j];
        }
    }
    return sum;
}

static void
rte_usage(size_t *n_bytes, size_t *n_trie_bytes)
{
    *n_bytes = rte_heap() - heap_before;
    *n_trie_bytes = 0;
}

static void
lpm_close(void)
{
    rte_lpm_free(lpm);
}

const struct table lpm_table = {
    "rte_lpm", true, false, lpm_open, lpm_add, lpm_lookup, rte_usage,
    lpm_close
};

/* ---- rte_fib. ---- */

static struct rte_fib *fib4;
static struct rte_fib6 *fib6;

static bool
fib_open(bool is_v4, size_t max_routes)
{
    /* Twice the routes: the tree of prefixes has inner nodes, too. */
    heap_before = rte_heap();
    if (is_v4) {
        struct rte_fib_conf conf = {
            .type = RTE_FIB_DIR24_8, .max_routes = 2 * max_routes,
            .dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 256 },
        };

        fib4 = rte_fib_create("bench", 0, &conf);
        return fib4 != NULL;
    } else {
        struct rte_fib6_conf conf = {
            .type = RTE_FIB6_TRIE, .max_routes = 2 * max_routes,
            .trie = { .nh_sz = RTE_FIB6_TRIE_4B,
                      .num_tbl8 = 3 * max_routes + 256 },
        };

        fib6 = rte_fib6_create("bench", 0, &conf);
        return fib6 != NULL;
    }
}

static bool
fib_add(const struct route *route)
{
    uint8_t ip6[16];

    memcpy(ip6, &route->addr, sizeof ip6);
    return !(fib4 ? rte_fib_add(fib4, route_v4(route), route->len,
                                route->value)
             : rte_fib6_add(fib6, ip6, route->len, route->value));
}

static uint64_t
fib_lookup(const struct dsts *dsts)
{
    uint64_t values[BATCH];
    uint64_t sum = 0;

    for (size_t i = 0; i < dsts->n; i += BATCH) {
        if (dsts->is_v4) {
            rte_fib_lookup_bulk(fib4, &dsts->v4[i], values, BATCH);
        } else {
            rte_fib6_lookup_bulk(fib6, (void *) &dsts->v6[i], values, BATCH);
        }
        for (size_t j = 0; j < BATCH; j++) {
            sum += values[j];
        }
    }
    return sum;
}

static void
fib_close(void)
{
    rte_fib_free(fib4);
    rte_fib6_free(fib6);
    fib4 = NULL;
    fib6 = NULL;
}

const struct table fib_table = {
    "rte_fib", true, true, fib_open, fib_add, fib_lookup, rte_usage,
    fib_close
};
