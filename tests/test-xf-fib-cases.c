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

#include <stdlib.h>
#include <string.h>

#include "core/fib-private.h"
#include "random.h"
#include "util.h"

/* The longest-prefix match case by case: what has gone wrong in other tables,
 * and what random changes of small tables don't reach. */

static void
set(struct world *world, const char *addr, uint8_t len, uint64_t value)
{
    world_set(world, key_of(addr), len, value, false);
    xf_fib_check(world->fib);
    world_compare(world);
}

static void
delete(struct world *world, const char *addr, uint8_t len)
{
    world_delete(world, key_of(addr), len);
    xf_fib_check(world->fib);
    world_compare(world);
}

static void
expect(const struct world *world, const char *addr, uint64_t expected)
{
    struct xf_key key = key_of(addr);
    uint64_t value;

    world_lookup(world, &key, &value, 1);
    CHECK(value == expected, "%s: %"PRIu64", expected %"PRIu64, addr, value,
          expected);
}

/* A /24 gives way to the /16 around it, in either order, with and without
 * neighbours: no answer of the /24 may stay. */
static void
case_replace(void)
{
    for (int i = 0; i < 8; i++) {
        struct world *world = world_create(32, true, NULL);

        if (i & 1) {
            set(world, "10.1.3.0", 24, 3);
        }
        if (i & 2) {
            set(world, "0.0.0.0", 0, 4);
        }
        set(world, "10.1.2.0", 24, 1);
        expect(world, "10.1.2.255", 1);
        if (i & 4) {
            set(world, "10.1.0.0", 16, 2);
            delete(world, "10.1.2.0", 24);
        } else {
            delete(world, "10.1.2.0", 24);
            set(world, "10.1.0.0", 16, 2);
        }
        expect(world, "10.1.2.0", 2);
        expect(world, "10.1.2.255", 2);
        expect(world, "10.1.3.0", i & 1 ? 3 : 2);
        expect(world, "10.2.2.0", i & 2 ? 4 : 0);
        set(world, "10.1.2.0", 24, 1);
        delete(world, "10.1.0.0", 16);
        expect(world, "10.1.2.1", 1);
        expect(world, "10.1.1.1", i & 2 ? 4 : 0);
        world_destroy(world);
    }
}

/* What a walk over the trie is looking for. */
struct seek {
    struct xf_key after;        /* Last prefix met. */
    uint8_t after_len;
    bool any;                   /* There was one. */
    struct xf_key key;          /* The next one. */
    uint8_t len;
    bool found;
};

static bool
seek_next(struct xf_trie_node *node, void *seek_)
{
    struct seek *seek = seek_;
    struct xf_key key = xf_trie_node_key(node);

    if (seek->any && (key.hi < seek->after.hi
                      || (key.hi == seek->after.hi
                          && node->len <= seek->after_len))) {
        return true;
    }
    seek->key = key;
    seek->len = node->len;
    seek->found = true;
    return false;
}

/* Deletes some or all prefixes while walking over them: each prefix is met
 * once, and what stays answers rightly after each step. */
static void
case_walk(void)
{
    for (int every = 1; every <= 3; every++) {
        struct world *world = world_create(32, true, NULL);
        size_t n, n_met = 0;

        while (world->n < 120) {
            struct xf_key key = { (UINT64_C(0x0a01) << 48)
                                  | (random_uint64() >> 16), 0 };

            world_set(world, key, 8 + random_range(25), 1 + world->n, false);
        }
        n = world->n;
        struct seek seek = { .any = false };
        for (;;) {
            seek.found = false;
            xf_trie_for_each(&world->trie, seek_next, &seek);
            if (!seek.found) {
                break;
            }
            seek.any = true;
            seek.after = seek.key;
            seek.after_len = seek.len;
            if (!(n_met++ % every)) {
                world_delete(world, seek.key, seek.len);
                xf_fib_check(world->fib);
                world_compare(world);
            }
        }
        CHECK(n_met == n, "met %"PRIuSIZE" of %"PRIuSIZE, n_met, n);
        CHECK(world->n == n - DIV_ROUND_UP(n, every), "wrong number left");
        world_destroy(world);
    }
}

/* Nodes that come and go many times: the same table takes the same memory each
 * time, an empty one none, and nothing is ever exhausted. */
static void
case_refill(void)
{
    struct world *world = world_create(32, true, NULL);
    struct xf_fib_usage first = { 0, 0, 0 };

    for (int round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < 600; i++) {
            /* A node at each depth, half of them along with neighbours. */
            struct xf_key key = { (i * 2654435761u) << 32, 0 };

            world_set(world, key, 32, 1 + i, false);
            world_set(world, key, 24 - i % 2, 1000 + i, false);
        }
        xf_fib_check(world->fib);

        struct xf_fib_usage usage = world_usage(world);
        CHECK(usage.n_bytes == world->n_bytes, "wrong use of memory");
        if (!round) {
            first = usage;
        }
        CHECK(!memcmp(&usage, &first, sizeof usage), "memory has grown");
        world_delete_all(world);
        usage = world_usage(world);
        CHECK(!usage.n_nodes && !usage.n_bytes && !world->n_bytes,
              "an empty table takes memory");
    }
    world_destroy(world);
}

/* Final prefixes hide longer ones, and give them back when they go, also those
 * whose updates came meanwhile. */
static void
case_final(void)
{
    struct world *world = world_create(32, true, NULL);

    set(world, "10.1.2.3", 32, 1);
    world_set(world, key_of("10.1.0.0"), 16, 2, true);
    xf_fib_check(world->fib);
    expect(world, "10.1.2.3", 2);
    set(world, "10.1.4.0", 24, 3);
    set(world, "10.0.0.0", 8, 4);
    expect(world, "10.1.4.1", 2);
    expect(world, "10.2.4.1", 4);
    world_set(world, key_of("10.0.0.0"), 8, 4, true);
    xf_fib_check(world->fib);
    expect(world, "10.1.4.1", 4);
    delete(world, "10.0.0.0", 8);
    expect(world, "10.1.4.1", 2);
    delete(world, "10.1.0.0", 16);
    expect(world, "10.1.2.3", 1);
    expect(world, "10.1.4.1", 3);
    expect(world, "10.1.1.1", 0);
    world_set(world, key_of("0.0.0.0"), 0, 5, true);
    expect(world, "10.1.2.3", 5);
    CHECK(!world_usage(world).n_nodes, "nodes that nothing leads to");
    delete(world, "0.0.0.0", 0);
    expect(world, "10.1.2.3", 1);

    /* As the rule table makes them: final without datum. */
    struct xf_trie_node *node = xf_trie_insert(&world->trie,
                                               key_of("10.1.2.0"), 24);
    node->final = true;
    xf_fib_update(world->fib, key_of("10.1.2.0"), 24);
    xf_fib_check(world->fib);
    expect(world, "10.1.2.3", VALUE_OF_NO_DATUM);
    world_destroy(world);
}

/* A value 0 is as good as no prefix, for nodes above and below. */
static void
case_zero(void)
{
    struct world *world = world_create(128, true, NULL);

    set(world, "2001:db8::", 32, 0);
    CHECK(!world_usage(world).n_bytes, "memory for nothing");
    set(world, "2001:db8::1", 128, 1);
    set(world, "2001:db8::", 64, 0);
    expect(world, "2001:db8::2", 0);
    set(world, "2001:db8::", 32, 2);
    expect(world, "2001:db8::2", 2);
    world_set(world, key_of("2001:db8::"), 48, 0, true);
    xf_fib_check(world->fib);
    expect(world, "2001:db8::1", 1);
    set(world, "2001:db8::1", 128, 0);
    expect(world, "2001:db8::1", 2);
    set(world, "2001:db8::", 32, 0);
    CHECK(!world_usage(world).n_bytes, "memory for nothing");
    world_destroy(world);
}

/* Tables of a small router: default, connected networks, static routes. */
static void
case_small(void)
{
    struct world *world = world_create(32, true, NULL);

    set(world, "0.0.0.0", 0, 1);
    CHECK(!world_usage(world).n_bytes, "a default route alone takes memory");
    for (uint64_t i = 0; i < 9; i++) {
        /* As far apart as they can be: no two in one node. */
        struct xf_key key = { (i * 25 + 1) << 56 | i << 48 | i << 40, 0 };

        world_set(world, key, 24, 2 + i, false);
    }
    xf_fib_check(world->fib);
    world_compare(world);
    CHECK(world_usage(world).n_bytes <= 4096, "ten routes take %"PRIuSIZE
          " bytes", world_usage(world).n_bytes);
    world_destroy(world);
}

/* Keys below 32.0.0.0/7 (2000::/7), most of them for themselves in a node. */
static struct xf_key
spread(uint64_t i)
{
    uint64_t hash = i * UINT64_C(0x9e3779b97f4a7c15);

    return (struct xf_key) { UINT64_C(0x20) << 56 | hash >> 7, i };
}

/* Grows until there is an array of the first 16 bits, changes what holds for
 * much or little of it, and shrinks until it is gone. */
static void
case_array(uint8_t n_bits)
{
    enum { N = 4500 };
    struct world *world = world_create(n_bits, true, NULL);
    const char *net = n_bits == 32 ? "32.0.0.0" : "2000::";
    const uint8_t lens[] = { 0, 3, 8, 9, 12, 16, 17 };
    size_t least = 65536 * sizeof(uint64_t);

    for (uint64_t i = 0; i < N; i++) {
        world_set(world, xf_key_mask(spread(i), n_bits),
                  14 + i % (n_bits == 32 ? 14 : 20), 1 + i % 7, false);
    }
    CHECK(world_usage(world).n_bytes > least, "no array");
    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        world_set(world, key_of(net), lens[i], 20, false);
        world_set(world, key_of(net), lens[i], 21, lens[i] == 16);
        xf_fib_check(world->fib);
        if (i % 2) {
            world_delete(world, key_of(net), lens[i]);
            xf_fib_check(world->fib);
        }
    }
    world_compare(world);
    for (uint64_t i = 0; world->n; i++) {
        const struct prefix *p = &world->prefixes[random_range(world->n)];

        world_delete(world, p->key, p->len);
        if (i % 1000 == 999) {
            xf_fib_check(world->fib);
        }
    }
    CHECK(!world->n_bytes, "the array is still there");
    world_destroy(world);
}

static void
case_array4(void)
{
    case_array(32);
}

static void
case_array6(void)
{
    case_array(128);
}

/* Batches whose keys belong to several tables: empty, with a value at its root,
 * small, and (unless 'small') large enough for an array. */
static void
compare_mixed(uint8_t n_bits, bool small)
{
    const size_t sizes[] = { 0, 1, 40, small ? 300 : 4500 };
    struct world *worlds[ARRAY_SIZE(sizes)];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        worlds[i] = world_create(n_bits, true, NULL);
        for (uint64_t j = 0; j < sizes[i]; j++) {
            world_set(worlds[i], xf_key_mask(spread(j), n_bits),
                      j ? 14 + j % (n_bits == 32 ? 14 : 20) : 0,
                      1 + 10 * i + j % 7, false);
        }
    }
    for (size_t round = 0; round < 600; round++) {
        const struct world *chosen[XF_FIB_BATCH];
        struct xf_key keys[XF_FIB_BATCH];
        uint64_t values[XF_FIB_BATCH];
        size_t n = 1 + random_range(XF_FIB_BATCH);

        for (size_t i = 0; i < n; i++) {
            struct world *world = worlds[random_range(ARRAY_SIZE(worlds))];

            chosen[i] = world;
            keys[i] = (random_range(8)
                       ? xf_key_mask(spread(random_range(5000)), n_bits)
                       : key_random(world));
            if (!fib_use_lookup(world->fib, round % 3)) {
                fib_use_lookup(world->fib, 0);
            }
        }
        worlds_lookup(chosen, keys, values, n);
        for (size_t i = 0; i < n; i++) {
            CHECK(values[i] == world_oracle(chosen[i], keys[i]),
                  "key %"PRIuSIZE" of %"PRIuSIZE": %"PRIu64", not %"PRIu64,
                  i, n, values[i], world_oracle(chosen[i], keys[i]));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(worlds); i++) {
        world_destroy(worlds[i]);
    }
}

static void
case_mixed(void)
{
    compare_mixed(32, true);
    compare_mixed(32, false);
    compare_mixed(128, true);
    compare_mixed(128, false);
}

/* Updates that come late, all after the last change of the trie, in any order
 * and some of them twice, lead to the same table; so does a new table. */
static void
case_late(void)
{
    for (int round = 0; round < 20; round++) {
        struct world *world = world_create(32, round % 2, NULL);

        for (int i = 0; i < 60; i++) {
            uint64_t hi = random_uint64() & UINT64_C(0xff0f030300000000);

            world->no_update = i >= 30;
            world_set(world, (struct xf_key) { hi, 0 },
                      random_range(33), 1 + random_range(5),
                      !random_range(16));
        }

        struct prefix old[60];
        size_t n_old = world->n;
        memcpy(old, world->prefixes, n_old * sizeof old[0]);
        for (size_t i = 0; i < n_old; i += 2) {
            world_delete(world, old[i].key, old[i].len);
        }
        world->no_update = false;
        for (size_t i = 0; i < 3 * n_old; i++) {
            size_t j = i * 7 % n_old;

            xf_fib_update(world->fib, old[j].key, old[j].len);
        }
        for (size_t i = 0; i < n_old; i++) {
            xf_fib_update(world->fib, old[i].key, old[i].len);
        }
        xf_fib_check(world->fib);
        world_compare(world);

        struct xf_fib_usage usage = world_usage(world);
        struct xf_fib_usage fresh;
        struct xf_fib *other = world_clone(world);

        xf_fib_check(other);
        xf_fib_get_usage(other, &fresh);
        CHECK(!memcmp(&usage, &fresh, sizeof usage), "history shows");
        xf_fib_destroy(other);
        world_destroy(world);
    }
}

/* What was retired while readers may hold it. */
struct held {
    void *objs[32];
    size_t n;
};

/* Values that differ: which datum it is. */
static uint64_t
datum_value(const struct xf_trie_node *node, void *aux OVS_UNUSED)
{
    return (uintptr_t) ovsrcu_get_protected(void *, &node->data);
}

static void
retire_never(void (*destroy)(void *) OVS_UNUSED, void *obj, void *list_)
{
    struct held *held = list_;

    ovs_assert(held->n < ARRAY_SIZE(held->objs));
    held->objs[held->n++] = obj;
}

/* A reader that has found nothing in a node goes on to the node's default.  By
 * then a prefix may have come in the place of nothing, and another default
 * have followed, which never held there: the reader's node must know neither,
 * though its runs begin where those of the new node do. */
static void
case_held(void)
{
    struct held held = { .n = 0 };
    struct xf_trie trie;
    struct xf_fib *fib;

    xf_trie_init(&trie, 32, retire_never, &held);
    for (uint64_t i = 0; i < 2; i++) {
        struct xf_key key = { (10 + 2 * i) << 56, 0 };

        ovsrcu_set(&xf_trie_insert(&trie, key, 8)->data, (void *) &held);
    }
    fib = xf_fib_create(&trie, datum_value, NULL, NULL, retire_never, &held);

    const struct fib_node *old = fib_child(fib_read(&fib->root));
    struct xf_key between = { UINT64_C(11) << 56, 0 };
    struct xf_key all = { 0, 0 };

    ovs_assert(!fib_entry(old, 11));
    ovsrcu_set(&xf_trie_insert(&trie, between, 8)->data, (void *) &fib);
    xf_fib_update(fib, between, 8);
    ovsrcu_set(&xf_trie_insert(&trie, all, 0)->data, (void *) &held);
    xf_fib_update(fib, all, 0);
    xf_fib_check(fib);
    CHECK(!fib_entry(old, 11) && !fib_read(&old->dflt),
          "a reader's node has changed under it");
    xf_fib_destroy(fib);
    xf_trie_uninit(&trie);
    while (held.n) {
        free(held.objs[--held.n]);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "replace", case_replace },
    { "walk", case_walk },
    { "refill", case_refill },
    { "final", case_final },
    { "zero", case_zero },
    { "small", case_small },
    { "array4", case_array4 },
    { "array6", case_array6 },
    { "mixed", case_mixed },
    { "late", case_late },
    { "held", case_held },
};

void
run_case(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (!strcmp(cases[i].name, name)) {
            cases[i].run();
            return;
        }
    }
    ovs_fatal(0, "%s: no such case", name);
}
