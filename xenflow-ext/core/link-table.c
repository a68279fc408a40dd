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

#include "core/link-table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static const struct xf_hop_side *
way_side(const struct xf_way *way)
{
    return &way->hop->sides[way->in];
}

/* By key: VLAN and port. */
static int
compare_key(const struct xf_way *way, const char *port, uint16_t vlan)
{
    const struct xf_hop_side *side = way_side(way);

    return (side->vlan != vlan ? (side->vlan < vlan ? -1 : 1)
            : strcmp(side->port, port));
}

static int
compare_uint64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* By key, then the one to be taken first. */
static int
compare_ways(const void *a_, const void *b_)
{
    const struct xf_way *a = a_;
    const struct xf_way *b = b_;
    const struct xf_hop_side *side = way_side(b);
    int d = compare_key(a, side->port, side->vlan);

    d = d ? d : xf_hop_is_transfer(a->hop) - xf_hop_is_transfer(b->hop);
    d = d ? d : ((b->hop->generation == b->hop->use)
                 - (a->hop->generation == a->hop->use));
    d = d ? d : compare_uint64(b->hop->generation, a->hop->generation);
    /* Hops are in one array: by their place there. */
    return d ? d : a->hop < b->hop ? -1 : a->hop > b->hop;
}

static bool
same_key(const struct xf_way *a, const struct xf_way *b)
{
    return !compare_key(a, way_side(b)->port, way_side(b)->vlan);
}

/* The sentence if 'a' and 'b', of one key, can't both be. */
static char * OVS_WARN_UNUSED_RESULT
check_pair(const struct xf_way *a, const struct xf_way *b)
{
    const struct xf_hop_side *side = way_side(a);

    if (a->hop == b->hop) {
        return xasprintf("both sides are VLAN %"PRIu16" of port '%s': give "
                         "two different ones", side->vlan, side->port);
    }
    if (memcmp(&a->hop->id, &b->hop->id, sizeof a->hop->id)) {
        return xasprintf("VLAN %"PRIu16" of port '%s' belongs to link '%s': "
                         "give another VLAN, or delete that link's hop first",
                         side->vlan, side->port, a->hop->link);
    }
    if (a->hop->generation == b->hop->generation
        && xf_hop_is_transfer(a->hop) == xf_hop_is_transfer(b->hop)) {
        return xasprintf("VLAN %"PRIu16" of port '%s' is in the hop at "
                         "position %"PRIu8" of the same generation: give "
                         "another VLAN", side->vlan, side->port,
                         a->hop->position);
    }
    return NULL;
}

/* Refuses, of the 'n' ways of one key at 'ways', those that contradict one of
 * an earlier hop. */
static void
check_group(const struct xf_link_table *table, const struct xf_way *ways,
            size_t n, char *errors[])
{
    for (size_t i = 0; i < n; i++) {
        size_t hop = ways[i].hop - table->hops;

        for (size_t j = 0; j < n && !errors[hop]; j++) {
            if (j != i && ways[j].hop <= ways[i].hop
                && !errors[ways[j].hop - table->hops]) {
                errors[hop] = check_pair(&ways[j], &ways[i]);
            }
        }
    }
}

/* Refuses what contradicts itself. */
static void
check_ways(const struct xf_link_table *table, char *errors[])
{
    size_t n;

    for (size_t i = 0; i < table->n_ways; i += n) {
        n = 1;
        while (i + n < table->n_ways
               && same_key(&table->ways[i], &table->ways[i + n])) {
            n++;
        }
        check_group(table, &table->ways[i], n, errors);
    }
}

/* Takes the ways of refused hops out. */
static void
remove_refused(struct xf_link_table *table, char *errors[])
{
    size_t n = 0;

    for (size_t i = 0; i < table->n_ways; i++) {
        if (!errors[table->ways[i].hop - table->hops]) {
            table->ways[n++] = table->ways[i];
        }
    }
    table->n_ways = n;
}

/* See core/link-table.h. */
struct xf_link_table *
xf_link_table_create(const struct xf_hop *hops, size_t n, char *errors[])
{
    struct xf_link_table *table = xzalloc(sizeof *table);

    table->hops = xcalloc(MAX(n, 1), sizeof *hops);
    table->ways = xcalloc(MAX(n, 1), 2 * sizeof *table->ways);
    table->n_hops = n;
    for (size_t i = 0; i < n; i++) {
        struct xf_hop *hop = &table->hops[i];

        *hop = hops[i];
        errors[i] = NULL;
        for (int side = 0; side < 2; side++) {
            hop->stats[side] = (hops[i].stats[side]
                                ? xf_stat_ref(hops[i].stats[side]) : NULL);
            table->ways[table->n_ways].hop = hop;
            table->ways[table->n_ways++].in = side;
        }
    }
    qsort(table->ways, table->n_ways, sizeof *table->ways, compare_ways);
    check_ways(table, errors);
    remove_refused(table, errors);
    return table;
}

/* Accepts NULL. */
void
xf_link_table_destroy(struct xf_link_table *table)
{
    if (table) {
        for (size_t i = 0; i < table->n_hops; i++) {
            xf_stat_unref(table->hops[i].stats[0]);
            xf_stat_unref(table->hops[i].stats[1]);
        }
        free(table->hops);
        free(table->ways);
        free(table);
    }
}

/* Hops in 'table', without those that were left out. */
size_t
xf_link_table_count(const struct xf_link_table *table)
{
    return table ? table->n_ways / 2 : 0;
}

/* The first way that isn't before ('port', 'vlan'). */
static size_t
lower_bound(const struct xf_link_table *table, const char *port,
            uint16_t vlan)
{
    size_t low = 0, high = table ? table->n_ways : 0;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (compare_key(&table->ways[mid], port, vlan) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* See core/link-table.h. */
const struct xf_way *
xf_link_table_lookup(const struct xf_link_table *table, const char *port,
                     uint16_t vlan)
{
    size_t i = lower_bound(table, port, vlan);

    return (table && i < table->n_ways
            && !compare_key(&table->ways[i], port, vlan)
            ? &table->ways[i] : NULL);
}

/* See core/link-table.h. */
uint32_t
xf_link_table_queue(const struct xf_link_table *table, const char *port,
                    uint16_t vlan)
{
    const struct xf_way *way = xf_link_table_lookup(table, port, vlan);

    return way ? xf_hop_queue(way->hop, way->in) : 0;
}

/* See core/link-table.h. */
const struct xf_way *
xf_link_table_transfer(const struct xf_link_table *table, const char *port,
                       uint16_t vlan)
{
    for (size_t i = lower_bound(table, port, vlan);
         table && i < table->n_ways
         && !compare_key(&table->ways[i], port, vlan); i++) {
        if (xf_hop_is_transfer(table->ways[i].hop)) {
            return &table->ways[i];
        }
    }
    return NULL;
}

/* See core/link-table.h. */
const struct xf_way *
xf_link_table_next(const struct xf_link_table *table, uint16_t vlan,
                   const struct xf_way *prev)
{
    size_t i = (prev ? prev - table->ways + 1
                : lower_bound(table, "", vlan));

    return (table && i < table->n_ways
            && way_side(&table->ways[i])->vlan == vlan
            ? &table->ways[i] : NULL);
}

/* See core/link-table.h. */
void
xf_link_table_get_ports(const struct xf_link_table *table,
                        void (*cb)(const char *port, void *aux), void *aux)
{
    for (size_t i = 0; table && i < table->n_ways; i++) {
        cb(way_side(&table->ways[i])->port, aux);
    }
}
