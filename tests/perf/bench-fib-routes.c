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

#include <stdlib.h>
#include <string.h>

#include "core/prefix-trie.h"
#include "random.h"
#include "util.h"

/* Routes with the lengths that the Internet's tables have, and destinations
 * inside them.  Each route has a value of its own, as where each has counters
 * of its own: no two neighbours are ever merged. */

struct share {
    uint8_t len;
    uint8_t weight;        /* Of 200 in all. */
};

/* IPv4: 62 % /24, 11 % /23, 11 % /22, the rest from /8 to /21. */
static const struct share shares_v4[] = {
    { 24, 124 }, { 23, 22 }, { 22, 22 }, { 21, 9 }, { 20, 8 }, { 19, 6 },
    { 18, 3 }, { 17, 2 }, { 16, 2 }, { 15, 1 }, { 14, 1 },
};
/* IPv6: about half /48, then /32, /44, /40, /29, /36 and others. */
static const struct share shares_v6[] = {
    { 48, 94 }, { 32, 26 }, { 44, 22 }, { 40, 20 }, { 29, 10 }, { 36, 10 },
    { 46, 8 }, { 47, 6 }, { 64, 2 }, { 28, 2 },
};
/* One route in this many is shorter than those above (/8 to /13). */
#define SHORT_V4 1500

/* First 16 bits of IPv6 addresses in use, by registry. */
static const uint16_t heads_v6[] = {
    0x2001, 0x2400, 0x2401, 0x2402, 0x2403, 0x2404, 0x2405, 0x2406, 0x2407,
    0x2600, 0x2602, 0x2603, 0x2604, 0x2605, 0x2606, 0x2607, 0x2800, 0x2801,
    0x2803, 0x2804, 0x2806, 0x2a00, 0x2a01, 0x2a02, 0x2a03, 0x2a04, 0x2a05,
    0x2a06, 0x2a07, 0x2a09, 0x2a0a, 0x2a0b, 0x2a0c, 0x2a0d, 0x2a0e, 0x2a0f,
    0x2a10, 0x2a12, 0x2c0f,
};

static uint8_t
random_len(const struct share *shares)
{
    int r = random_range(200);

    while (r >= shares->weight) {
        r -= shares++->weight;
    }
    return shares->len;
}

/* A prefix of IPv4 below 224.0.0.0. */
static struct xf_key
random_v4(uint8_t *len)
{
    *len = (random_range(SHORT_V4) ? random_len(shares_v4)
            : 8 + random_range(6));
    return (struct xf_key) { (UINT64_C(1) << 56)
                             + ((uint64_t) random_range(223) << 56)
                             + ((random_uint64() & 0xffffff) << 32), 0 };
}

/* A prefix of IPv6 in one of some 20000 allocations. */
static struct xf_key
random_v6(uint8_t *len)
{
    uint64_t head = heads_v6[random_range(ARRAY_SIZE(heads_v6))];
    uint64_t allocation = random_range(512) * 125 + 3;

    *len = random_len(shares_v6);
    return (struct xf_key) { head << 48 | (allocation & 0xffff) << 32
                             | (random_uint64() & UINT32_MAX), 0 };
}

static void
release(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

/* Returns 'n' different routes, in random order. */
struct route *
make_routes(bool is_v4, size_t n, uint32_t seed)
{
    struct route *routes = xcalloc(n, sizeof *routes);
    struct xf_trie seen;

    random_set_seed(seed);
    xf_trie_init(&seen, is_v4 ? 32 : 128, release, NULL);
    for (size_t i = 0; i < n; ) {
        uint8_t len;
        struct xf_key key = is_v4 ? random_v4(&len) : random_v6(&len);
        struct xf_trie_node *node;

        if (n == 1) {
            len = 16;
        }
        key = xf_key_mask(key, len);
        node = xf_trie_insert(&seen, key, len);
        if (!ovsrcu_get_protected(void *, &node->data)) {
            ovsrcu_set(&node->data, (void *) routes);
            routes[i].addr = xf_key_to_addr(key, is_v4);
            routes[i].len = len;
            routes[i].value = i + 1;
            i++;
        }
    }
    xf_trie_uninit(&seen);
    return routes;
}

/* Fills 'dsts' with 'n' destinations, each in a random one of 'routes'. */
void
make_dsts(struct dsts *dsts, const struct route routes[], size_t n_routes,
          size_t n, bool is_v4)
{
    dsts->is_v4 = is_v4;
    dsts->n = n;
    dsts->v4 = xcalloc(n, sizeof *dsts->v4);
    dsts->v6 = xcalloc(n, sizeof *dsts->v6);
    for (size_t i = 0; i < n; i++) {
        const struct route *route = &routes[random_uint64() % n_routes];
        struct xf_key key = xf_key_from_addr(&route->addr);
        struct xf_key r = { random_uint64(), random_uint64() };
        struct xf_key head = xf_key_mask(r, route->len);

        key.hi |= r.hi ^ head.hi;
        key.lo |= r.lo ^ head.lo;
        dsts->v4[i] = key.hi >> 32;
        dsts->v6[i] = xf_key_to_addr(key, false);
    }
}
