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

#include "core/link-table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/link-probe.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

/* Tables of links against a linear search, and probes.
 *
 *   test-xf-link oracle SEED STEPS     random tables and lookups
 *   test-xf-link readers SECONDS       nobody sees half of a change
 *   test-xf-link probe                 what is a probe and what isn't */

#define N_PORTS 4
#define N_VLANS 6
#define N_LINKS 5

static void
random_hop(struct xf_hop *hop)
{
    unsigned int link = random_range(N_LINKS);

    memset(hop, 0, sizeof *hop);
    snprintf(hop->link, sizeof hop->link, "l%u", link);
    hop->id.bytes[0] = link;
    hop->generation = random_range(4);
    hop->use = link % 4;
    hop->position = random_range(6) + (random_range(3) ? 0
                                       : XF_PLAN_TRANSFER);
    for (int i = 0; i < 2; i++) {
        snprintf(hop->sides[i].port, sizeof hop->sides[i].port, "p%u",
                 random_range(N_PORTS));
        hop->sides[i].vlan = random_range(N_VLANS);
    }
}

static bool
side_is(const struct xf_hop_side *side, const char *port, uint16_t vlan)
{
    return side->vlan == vlan && !strcmp(side->port, port);
}

/* Whether hops 'a' and 'b', of which 'a' comes first, contradict each
 * other. */
static bool
conflict(const struct xf_hop *a, const struct xf_hop *b)
{
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            if ((a != b || i < j)
                && side_is(&a->sides[i], b->sides[j].port,
                           b->sides[j].vlan)
                && (a == b || a->id.bytes[0] != b->id.bytes[0]
                    || (a->generation == b->generation
                        && (xf_hop_is_transfer(a)
                            == xf_hop_is_transfer(b))))) {
                return true;
            }
        }
    }
    return false;
}

/* Rank of the way into 'hop': the least is taken. */
static int
rank(const struct xf_hop *hop)
{
    return (xf_hop_is_transfer(hop) * 100
            + (hop->generation != hop->use) * 10
            + (5 - hop->generation));
}

/* Checks that no two hops of 'table' contradict each other, that each that was
 * left out contradicts one that counts, and every lookup. */
static void
check_table(const struct xf_link_table *table, const struct xf_hop *hops,
            size_t n, char *errors[])
{
    size_t n_good = 0;

    for (size_t i = 0; i < n; i++) {
        bool bad = conflict(&hops[i], &hops[i]);

        n_good += !errors[i];
        for (size_t j = 0; j < n; j++) {
            if (j != i && conflict(&hops[i], &hops[j])) {
                ovs_assert(errors[i] || errors[j]);
                bad = true;
            }
        }
        ovs_assert(bad || !errors[i]);
    }
    ovs_assert(xf_link_table_count(table) == n_good);

    for (int p = 0; p < N_PORTS; p++) {
        for (int vlan = 0; vlan < N_VLANS; vlan++) {
            const struct xf_way *way, *transfer;
            bool has_transfer = false;
            int best = INT_MAX;
            char port[8];

            snprintf(port, sizeof port, "p%d", p);
            for (size_t i = 0; i < n; i++) {
                if (!errors[i] && (side_is(&hops[i].sides[0], port, vlan)
                                   || side_is(&hops[i].sides[1], port,
                                              vlan))) {
                    best = MIN(best, rank(&hops[i]));
                    has_transfer |= xf_hop_is_transfer(&hops[i]);
                }
            }
            way = xf_link_table_lookup(table, port, vlan);
            ovs_assert(way ? rank(way->hop) == best : best == INT_MAX);
            ovs_assert(!way || side_is(&way->hop->sides[way->in], port,
                                       vlan));
            transfer = xf_link_table_transfer(table, port, vlan);
            ovs_assert(has_transfer == (transfer != NULL));
            ovs_assert(!transfer || xf_hop_is_transfer(transfer->hop));
        }
    }
}

/* Counts the ways of each VLAN. */
static void
check_next(const struct xf_link_table *table)
{
    size_t n = 0;

    for (int vlan = 0; vlan < N_VLANS; vlan++) {
        const struct xf_way *way = NULL;

        while ((way = xf_link_table_next(table, vlan, way)) != NULL) {
            ovs_assert(way->hop->sides[way->in].vlan == vlan);
            n++;
        }
    }
    ovs_assert(n == 2 * xf_link_table_count(table));
}

static void
test_oracle(uint32_t seed, int steps)
{
    random_set_seed(seed);
    for (int i = 0; i < steps; i++) {
        struct xf_hop hops[16];
        char *errors[16];
        size_t n = random_range(ARRAY_SIZE(hops) + 1);

        for (size_t j = 0; j < n; j++) {
            random_hop(&hops[j]);
        }
        struct xf_link_table *table = xf_link_table_create(hops, n, errors);
        check_table(table, hops, n, errors);
        check_next(table);
        for (size_t j = 0; j < n; j++) {
            free(errors[j]);
        }
        xf_link_table_destroy(table);
    }
    printf("seed %"PRIu32": ok\n", seed);
}

/* ---- readers ---- */

#define N_MOVING 50             /* Links that flip together. */

struct shared {
    OVSRCU_TYPE(struct xf_link_table *) table;
    atomic_bool stop;
    atomic_uint64_t n_read;
};

/* A table of N_MOVING links with two generations, of which 'use' is in use. */
static struct xf_link_table *
moving_table(uint64_t use)
{
    struct xf_hop hops[2 * N_MOVING];
    char *errors[2 * N_MOVING];

    memset(hops, 0, sizeof hops);
    for (int i = 0; i < 2 * N_MOVING; i++) {
        struct xf_hop *hop = &hops[i];

        hop->id.bytes[0] = i / 2;
        hop->generation = 1 + i % 2;
        hop->use = use;
        ovs_strlcpy_arrays(hop->sides[0].port, "r1");
        hop->sides[0].vlan = i / 2;
        ovs_strlcpy_arrays(hop->sides[1].port, "t1");
        hop->sides[1].vlan = 1000 + i;
    }
    struct xf_link_table *table = xf_link_table_create(hops, 2 * N_MOVING,
                                                       errors);
    ovs_assert(xf_link_table_count(table) == 2 * N_MOVING);
    return table;
}

/* In one read-side section all links are of one generation, and what comes out
 * of either is taken. */
static void *
reader_main(void *shared_)
{
    struct shared *shared = shared_;
    bool stop = false;

    while (!stop) {
        const struct xf_link_table *table = ovsrcu_get(
            struct xf_link_table *, &shared->table);
        uint64_t generation = 0, orig;

        for (int i = 0; i < N_MOVING; i++) {
            const struct xf_way *way = xf_link_table_lookup(table, "r1", i);

            ovs_assert(!i || way->hop->generation == generation);
            generation = way->hop->generation;
            ovs_assert(xf_way_out(way)->vlan
                       == 1000 + 2 * i + generation - 1);
            for (int g = 0; g < 2; g++) {
                way = xf_link_table_lookup(table, "t1", 1000 + 2 * i + g);
                ovs_assert(xf_way_out(way)->vlan == i);
            }
        }
        ovsrcu_quiesce();
        atomic_add_relaxed(&shared->n_read, UINT64_C(1), &orig);
        atomic_read_relaxed(&shared->stop, &stop);
    }
    return NULL;
}

static void
test_readers(int seconds)
{
    struct shared shared;
    pthread_t threads[2];
    long long int end_ms = time_msec() + seconds * 1000;
    uint64_t n = 0, n_read;

    ovsrcu_init(&shared.table, moving_table(1));
    atomic_init(&shared.stop, false);
    atomic_init(&shared.n_read, UINT64_C(0));
    for (int i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = ovs_thread_create("reader", reader_main, &shared);
    }
    do {
        struct xf_link_table *old = ovsrcu_get_protected(
            struct xf_link_table *, &shared.table);

        ovsrcu_set(&shared.table, moving_table(1 + ++n % 2));
        ovsrcu_postpone(xf_link_table_destroy, old);
        ovsrcu_quiesce();
        atomic_read_relaxed(&shared.n_read, &n_read);
    } while (time_msec() < end_ms || n_read < 100);
    atomic_store_relaxed(&shared.stop, true);
    for (int i = 0; i < ARRAY_SIZE(threads); i++) {
        xpthread_join(threads[i], NULL);
    }
    xf_link_table_destroy(ovsrcu_get_protected(struct xf_link_table *,
                                               &shared.table));
    ovs_assert(n > 10);
    printf("ok\n");
}

/* ---- probe ---- */

static void
test_probe(void)
{
    const struct eth_addr src = { .ea = { 2, 0, 0, 0, 0, 1 } };
    struct xf_probe probe = {
        .type = XF_PROBE_ANSWER,
        .id = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
        .generation = UINT64_C(0x0102030405060708),
        .nonce = UINT64_C(0x1112131415161718),
        .seq = 0x21222324,
        .position = 128,
    };
    uint8_t frame[XF_PROBE_FRAME_SIZE];
    struct xf_probe got;

    xf_probe_compose(&probe, src, frame);
    for (size_t i = 0; i < sizeof frame; i++) {
        printf("%02x", frame[i]);
    }
    printf("\n");
    ovs_assert(xf_probe_parse(frame + 14, sizeof frame - 14, &got));
    ovs_assert(got.type == probe.type && got.generation == probe.generation
               && got.nonce == probe.nonce && got.seq == probe.seq
               && got.position == probe.position
               && !memcmp(&got.id, &probe.id, sizeof got.id));
    /* Too short by any number of bytes. */
    for (size_t size = 0; size < sizeof frame - 14; size++) {
        ovs_assert(!xf_probe_parse(frame + 14, size, &got));
    }
    /* Another magic, version, type. */
    for (size_t i = 14; i < 20; i++) {
        frame[i] ^= 0x40;
        ovs_assert(!xf_probe_parse(frame + 14, sizeof frame - 14, &got));
        frame[i] ^= 0x40;
    }
    printf("ok\n");
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    ovsrcu_quiesce();           /* Initializes. */
    if (argc == 4 && !strcmp(argv[1], "oracle")) {
        test_oracle(atoi(argv[2]), atoi(argv[3]));
    } else if (argc == 3 && !strcmp(argv[1], "readers")) {
        test_readers(atoi(argv[2]));
    } else if (argc == 2 && !strcmp(argv[1], "probe")) {
        test_probe();
    } else {
        ovs_fatal(0, "usage: %s oracle SEED STEPS | readers SECONDS | probe",
                  program_name);
    }
    ovsrcu_exit();
    return 0;
}
