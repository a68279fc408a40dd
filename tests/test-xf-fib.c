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
#undef NDEBUG

#include "test-xf-fib.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fib-private.h"
#include "openvswitch/util.h"
#include "random.h"
#include "util.h"

/* The longest-prefix match against a naive oracle.  A run with a seed can be
 * repeated: the seed is printed. */

/* ---- Memory that is counted and spoilt. ---- */

static void *
counted_alloc(size_t size, void *world_)
{
    struct world *world = world_;

    world->n_bytes += size;
    return xmalloc(size);
}

static void
counted_release(void *p, size_t size, void *world_)
{
    struct world *world = world_;

    ovs_assert(world->n_bytes >= size);
    world->n_bytes -= size;
    memset(p, 0xa5, size);
    free(p);
}

static void
retire_at_once(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

/* ---- World. ---- */

/* The datum is the prefix's value plus 1: a pointer, never used as such. */
static uint64_t
world_value(const struct xf_trie_node *node, void *aux OVS_UNUSED)
{
    uintptr_t data = (uintptr_t) ovsrcu_get_protected(void *, &node->data);

    return data ? data - 1 : VALUE_OF_NO_DATUM;
}

struct world *
world_create(uint8_t n_bits, bool has_mem, xf_retire_fn *retire)
{
    struct world *world = xzalloc(sizeof *world);
    struct xf_fib_mem mem = { counted_alloc, counted_release, world };

    retire = retire ? retire : retire_at_once;
    xf_trie_init(&world->trie, n_bits, retire, NULL);
    world->fib = xf_fib_create(&world->trie, world_value, NULL,
                               has_mem ? &mem : NULL, retire, NULL);
    return world;
}

void
world_destroy(struct world *world)
{
    xf_fib_destroy(world->fib);
    CHECK(world->trie.retire != retire_at_once || !world->n_bytes,
          "%"PRIuSIZE" bytes are left", world->n_bytes);
    xf_trie_uninit(&world->trie);
    free(world);
}

struct xf_fib *
world_clone(const struct world *world)
{
    return xf_fib_create(&world->trie, world_value, NULL, NULL,
                         retire_at_once, NULL);
}

static struct prefix *
world_find(const struct world *world_, struct xf_key key, uint8_t len)
{
    struct world *world = CONST_CAST(struct world *, world_);

    key = xf_key_mask(key, len);
    for (size_t i = 0; i < world->n; i++) {
        struct prefix *p = &world->prefixes[i];

        if (p->len == len && p->key.hi == key.hi && p->key.lo == key.lo) {
            return p;
        }
    }
    return NULL;
}

bool
world_has(const struct world *world, struct xf_key key, uint8_t len)
{
    return world_find(world, key, len) != NULL;
}

static void
world_update(struct world *world, struct xf_key key, uint8_t len)
{
    if (!world->no_update) {
        xf_fib_update(world->fib, key, len);
    }
}

void
world_set(struct world *world, struct xf_key key, uint8_t len, uint64_t value,
          bool final)
{
    struct prefix *p = world_find(world, key, len);
    struct xf_trie_node *node = xf_trie_insert(&world->trie, key, len);

    if (!p) {
        ovs_assert(world->n < MAX_PREFIXES);
        p = &world->prefixes[world->n++];
    }
    *p = (struct prefix) { xf_key_mask(key, len), len, value, final };
    node->final = final;
    ovsrcu_set(&node->data, (void *) (uintptr_t) (value + 1));
    world_update(world, key, len);
}

void
world_delete(struct world *world, struct xf_key key, uint8_t len)
{
    struct prefix *p = world_find(world, key, len);

    if (p) {
        struct xf_trie_node *node = xf_trie_find(&world->trie, key, len);

        *p = world->prefixes[--world->n];
        node->final = false;
        ovsrcu_set(&node->data, NULL);
        xf_trie_prune(&world->trie, node);
        world_update(world, key, len);
    }
}

void
world_delete_all(struct world *world)
{
    while (world->n) {
        const struct prefix *p = &world->prefixes[random_range(world->n)];

        world_delete(world, p->key, p->len);
    }
}

struct xf_fib_usage
world_usage(const struct world *world)
{
    struct xf_fib_usage usage;

    xf_fib_get_usage(world->fib, &usage);
    return usage;
}

/* ---- Oracle. ---- */

static bool
prefix_matches(const struct prefix *p, struct xf_key key)
{
    key = xf_key_mask(key, p->len);
    return p->key.hi == key.hi && p->key.lo == key.lo;
}

uint64_t
world_oracle(const struct world *world, struct xf_key key)
{
    const struct prefix *best = NULL;
    uint8_t max_len = 128;

    for (size_t i = 0; i < world->n; i++) {
        const struct prefix *p = &world->prefixes[i];

        if (p->final && p->value && prefix_matches(p, key)) {
            max_len = MIN(max_len, p->len);
        }
    }
    for (size_t i = 0; i < world->n; i++) {
        const struct prefix *p = &world->prefixes[i];

        if (p->value && p->len <= max_len && (!best || p->len > best->len)
            && prefix_matches(p, key)) {
            best = p;
        }
    }
    return best ? best->value : 0;
}

void
world_lookup(const struct world *world, const struct xf_key keys[],
             uint64_t values[], size_t n)
{
    const struct world *worlds[XF_FIB_BATCH];

    for (size_t i = 0; i < n; i++) {
        worlds[i] = world;
    }
    worlds_lookup(worlds, keys, values, n);
}

void
worlds_lookup(const struct world *const worlds[], const struct xf_key keys[],
              uint64_t values[], size_t n)
{
    const struct xf_fib *fibs[XF_FIB_BATCH];

    for (size_t i = 0; i < n; i++) {
        fibs[i] = worlds[i]->fib;
    }
    if (worlds[0]->trie.n_bits == 32) {
        uint32_t dst[XF_FIB_BATCH];

        for (size_t i = 0; i < n; i++) {
            dst[i] = keys[i].hi >> 32;
        }
        xf_fib_lookup_v4(fibs, dst, values, n);
    } else {
        const struct in6_addr *dst[XF_FIB_BATCH];
        struct in6_addr addrs[XF_FIB_BATCH];

        for (size_t i = 0; i < n; i++) {
            addrs[i] = xf_key_to_addr(keys[i], false);
            dst[i] = &addrs[i];
        }
        xf_fib_lookup_v6(fibs, dst, values, n);
    }
}

/* Compares the answers for 'n' keys, found in one of the ways that this CPU
 * has. */
static void
compare_batch(const struct world *world, const struct xf_key keys[], size_t n)
{
    uint64_t values[XF_FIB_BATCH];

    if (!fib_use_lookup(world->fib, random_range(4))) {
        fib_use_lookup(world->fib, 0);
    }
    world_lookup(world, keys, values, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = world_oracle(world, keys[i]);
        char buf[INET6_ADDRSTRLEN];
        struct in6_addr addr = xf_key_to_addr(keys[i],
                                              world->trie.n_bits == 32);

        CHECK(values[i] == value, "%s: %"PRIu64", expected %"PRIu64,
              xf_addr_string(buf, &addr), values[i], value);
    }
}

/* 'key' plus 'n' (1 or -1) at the last bit of the family. */
static struct xf_key
key_step(const struct world *world, struct xf_key key, int n)
{
    if (world->trie.n_bits == 32) {
        key.hi += (uint64_t) n << 32;
    } else {
        key.lo += n;
        key.hi += n > 0 ? !key.lo : -(key.lo == UINT64_MAX);
    }
    return key;
}

/* The last address of 'p'. */
static struct xf_key
prefix_last(const struct world *world, const struct prefix *p)
{
    struct xf_key ones = { UINT64_MAX, UINT64_MAX };
    struct xf_key head = xf_key_mask(ones, p->len);
    struct xf_key all = xf_key_mask(ones, world->trie.n_bits);

    return (struct xf_key) { p->key.hi | (all.hi & ~head.hi),
                             p->key.lo | (all.lo & ~head.lo) };
}

void
world_compare(const struct world *world)
{
    struct xf_key keys[XF_FIB_BATCH];

    for (size_t i = 0; i < world->n; i++) {
        const struct prefix *p = &world->prefixes[i];

        keys[0] = p->key;
        keys[1] = key_step(world, p->key, -1);
        keys[2] = prefix_last(world, p);
        keys[3] = key_step(world, keys[2], 1);
        compare_batch(world, keys, 4);
    }
    for (size_t i = 0; i < XF_FIB_BATCH; i++) {
        keys[i] = key_random(world);
    }
    compare_batch(world, keys, XF_FIB_BATCH);
}

/* ---- Keys. ---- */

struct xf_key
key_of(const char *s)
{
    struct in6_addr addr;
    uint8_t v4[4];

    if (inet_pton(AF_INET, s, v4) == 1) {
        memset(&addr, 0, 10);
        memset(&addr.s6_addr[10], 0xff, 2);
        memcpy(&addr.s6_addr[12], v4, sizeof v4);
    } else {
        ovs_assert(inet_pton(AF_INET6, s, &addr) == 1);
    }
    return xf_key_from_addr(&addr);
}

struct xf_key
key_random(const struct world *world)
{
    struct xf_key key = { random_uint64(), random_uint64() };

    return xf_key_mask(key, world->trie.n_bits);
}

/* ---- Random changes. ---- */

/* What a run of random changes is about. */
struct profile {
    const char *name;
    uint8_t n_bits;
    const char *net;            /* All prefixes begin with this. */
    uint8_t net_len;
    uint8_t max_len;
    size_t max_prefixes;        /* In the table at a time. */
};

static const struct profile profiles[] = {
    { "any", 32, "0.0.0.0", 0, 32, 40 },
    { "dense16", 32, "10.1.0.0", 16, 32, 60 },
    { "dense8", 32, "10.0.0.0", 8, 32, 60 },
    { "short", 32, "0.0.0.0", 0, 10, 60 },
    { "any6", 128, "::", 0, 128, 12 },
    { "dense6", 128, "2001:db8::", 32, 50, 30 },
};

/* One random change.  Few values, so that neighbours are often equal. */
static void
random_change(struct world *world, const struct profile *profile)
{
    struct xf_key net = key_of(profile->net);
    struct xf_key key = key_random(world);
    uint8_t len = (profile->net_len
                   + random_range(profile->max_len - profile->net_len + 1));
    struct xf_key head = xf_key_mask((struct xf_key) { UINT64_MAX,
                                                       UINT64_MAX },
                                     profile->net_len);
    uint64_t value = random_range(16) ? 1 + random_range(4) : 0;
    bool final = !random_range(16);

    key.hi = (key.hi & ~head.hi) | net.hi;
    key.lo = (key.lo & ~head.lo) | net.lo;
    if (world->n && random_range(4) < 3) {
        /* Close to one that is there: other length, often nested. */
        const struct prefix *p = &world->prefixes[random_range(world->n)];

        key = p->key;
        len = random_range(2) ? p->len : len;
        if (len > p->len) {
            struct xf_key r = key_random(world);
            struct xf_key mask = xf_key_mask(r, len);

            key.hi |= mask.hi & 0x5555555555555555;
            key.lo |= mask.lo & 0x5555555555555555;
            key = xf_key_mask(key, world->trie.n_bits);
        }
    }
    if (!random_range(8)) {
        len = 0;
    }
    if (world->n >= profile->max_prefixes
        || (world_has(world, key, len) && random_range(2))) {
        const struct prefix *p = &world->prefixes[random_range(world->n)];

        world_delete(world, random_range(2) ? p->key : key, p->len);
    } else {
        world_set(world, key, len, value, final);
    }
}

static void
run_random(const char *name, unsigned int seed, size_t n_steps)
{
    const struct profile *profile = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        if (!strcmp(profiles[i].name, name)) {
            profile = &profiles[i];
        }
    }
    CHECK(profile, "%s: no such profile", name);
    random_set_seed(seed);

    struct world *world = world_create(profile->n_bits, seed % 2, NULL);
    for (size_t i = 0; i < n_steps; i++) {
        random_change(world, profile);
        xf_trie_check(&world->trie);
        xf_fib_check(world->fib);
        world_compare(world);
    }
    world_delete_all(world);
    xf_fib_check(world->fib);
    CHECK(!world_usage(world).n_bytes, "an empty table takes memory");
    world_destroy(world);
    printf("%s, seed %u: ok\n", name, seed);
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    if (argc == 5 && !strcmp(argv[1], "random")) {
        run_random(argv[2], atoi(argv[3]), atoi(argv[4]));
    } else if (argc == 3 && !strcmp(argv[1], "case")) {
        random_set_seed(1);
        run_case(argv[2]);
        printf("%s: ok\n", argv[2]);
    } else if (argc == 5 && !strcmp(argv[1], "readers")) {
        random_set_seed(atoi(argv[2]));
        run_readers(atoi(argv[2]), atoi(argv[3]), !strcmp(argv[4], "big"));
        printf("seed %s, %s: ok\n", argv[2], argv[4]);
    } else {
        fprintf(stderr, "usage: %s random PROFILE SEED STEPS\n"
                "       %s case NAME\n"
                "       %s readers SEED STEPS small|big\n",
                program_name, program_name, program_name);
        return 1;
    }
    return 0;
}
