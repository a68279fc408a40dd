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

#include "core/rule-table-private.h"

#include <stdlib.h>

/* ---- Next hops by index. ---- */

/* Gives 'nh' an index.  Readers come from a value to the next hop, so the index
 * of one that is retired isn't used again before a grace period. */
static void
nh_index(struct xf_rt *rt, struct rt_nh *nh)
{
    struct rt_nh_table *table = ovsrcu_get_protected(struct rt_nh_table *,
                                                     &rt->nh_table);
    size_t n = table ? table->n : 0;

    nh->index = xf_numbers_take(&rt->nh_numbers);
    if (nh->index >= n) {
        size_t new_n = MAX(8, n + n / 2);
        struct rt_nh_table *new = xzalloc(sizeof *new
                                          + new_n * sizeof *new->nhs);

        new->n = new_n;
        if (table) {
            memcpy(new->nhs, table->nhs, n * sizeof *table->nhs);
            rt->retire(free, table, rt->retire_aux);
        }
        new->nhs[nh->index] = nh;
        ovsrcu_set(&rt->nh_table, new);
    } else {
        bool was_used = table->nhs[nh->index] != NULL;

        table->nhs[nh->index] = nh; /* No reader has this index yet, */
        if (was_used) {
            rt_raise_version(rt);   /* but may know what it meant. */
        }
    }
}

/* ---- Values. ---- */

static uint32_t
route_target(struct xf_rt *rt, const struct rt_route *route)
{
    switch ((enum xf_route_type) route->type) {
    case XF_ROUTE_UNICAST:
        if (!route->nh->index) {
            nh_index(rt, route->nh);
        }
        return XF_TARGET_NEXTHOP + route->nh->index;
    case XF_ROUTE_LOCAL:
        return XF_TARGET_PUNT + XF_PUNT_LOCAL;
    case XF_ROUTE_BLACKHOLE:
        return XF_TARGET_DROP;
    case XF_ROUTE_UNREACHABLE:
        return XF_TARGET_PUNT + XF_PUNT_UNREACHABLE;
    case XF_ROUTE_PROHIBIT:
        return XF_TARGET_PUNT + XF_PUNT_PROHIBIT;
    default:
        OVS_NOT_REACHED();
    }
}

static uint64_t
route_value(struct xf_rt *rt, const struct rt_route *route)
{
    if (!route->stat->number) {
        xf_counted_add(&rt->counted[XF_RT_ROUTES], route->stat);
    }
    return (uint64_t) route_target(rt, route) << 32 | route->stat->number;
}

/* xf_fib_value_fn.  The writer's: routes and next hops get their numbers when
 * they are compiled first. */
static uint64_t
node_value(const struct xf_trie_node *node, void *rt)
{
    const struct rt_route *route = rt_node_routes(node);

    if (node->final) {
        return (uint64_t) (XF_TARGET_PUNT + XF_PUNT_SPECIAL) << 32;
    }
    return route ? route_value(rt, route) : 0;
}

/* True if 'a' and 'b', of one prefix, are the same in compiled form, or there
 * is none. */
bool
rt_fib_same_value(struct xf_rt *rt, const struct rt_route *a,
                  const struct rt_route *b)
{
    return (!xf_rt_fib_is_enabled(rt)
            || (a && b && route_value(rt, a) == route_value(rt, b)));
}

/* ---- Compiled form. ---- */

static struct xf_fib *
fib_of(const struct xf_rt *rt, bool is_v4)
{
    return (is_v4 ? ovsrcu_get_protected(struct xf_fib *, &rt->fib4)
            : ovsrcu_get_protected(struct xf_fib *, &rt->fib6));
}

bool
xf_rt_fib_is_enabled(const struct xf_rt *rt)
{
    return fib_of(rt, true) != NULL;
}

/* The routes of prefix 'key'/'len' changed. */
void
rt_fib_update(struct xf_rt *rt, bool is_v4, struct xf_key key, uint8_t len)
{
    xf_fib_update(fib_of(rt, is_v4), key, len);
}

void
xf_rt_fib_enable(struct xf_rt *rt, const struct xf_fib_mem *mem)
{
    if (!xf_rt_fib_is_enabled(rt)) {
        ovsrcu_set(&rt->fib6, xf_fib_create(&rt->v6, node_value, rt, mem,
                                            rt->retire, rt->retire_aux));
        ovsrcu_set(&rt->fib4, xf_fib_create(&rt->v4, node_value, rt, mem,
                                            rt->retire, rt->retire_aux));
    }
}

/* Numbers stay with the objects that have them. */
void
xf_rt_fib_disable(struct xf_rt *rt)
{
    struct xf_fib *v4 = fib_of(rt, true);
    struct xf_fib *v6 = fib_of(rt, false);

    if (v4) {
        ovsrcu_set(&rt->fib4, NULL);
        ovsrcu_set(&rt->fib6, NULL);
        xf_fib_destroy(v4);
        xf_fib_destroy(v6);
    }
}

struct xf_counted *
xf_rt_counted(struct xf_rt *rt, enum xf_rt_counted kind)
{
    return &rt->counted[kind];
}

void
xf_rt_fib_grace(struct xf_rt *rt,
                const struct xf_counted_reader readers[XF_RT_N_COUNTED])
{
    for (int i = 0; i < XF_RT_N_COUNTED; i++) {
        xf_counted_grace(&rt->counted[i], &readers[i]);
    }
    xf_numbers_grace(&rt->nh_numbers);
}

/* Bytes that the compiled form takes beside the table. */
size_t
xf_rt_fib_bytes(const struct xf_rt *rt)
{
    const struct rt_nh_table *table = ovsrcu_get_protected(
        struct rt_nh_table *, &rt->nh_table);
    size_t n_bytes = (xf_numbers_size(&rt->nh_numbers)
                      + (table ? table->n * sizeof *table->nhs : 0));

    for (int i = 0; i < XF_RT_N_COUNTED; i++) {
        n_bytes += xf_counted_size(&rt->counted[i]);
    }
    for (int is_v4 = 0; is_v4 < 2; is_v4++) {
        struct xf_fib_usage usage;

        if (fib_of(rt, is_v4)) {
            xf_fib_get_usage(fib_of(rt, is_v4), &usage);
            n_bytes += usage.n_bytes;
        }
    }
    return n_bytes;
}

void
xf_rt_fib_check(const struct xf_rt *rt)
{
    for (int is_v4 = 0; is_v4 < 2; is_v4++) {
        if (fib_of(rt, is_v4)) {
            xf_fib_check(fib_of(rt, is_v4));
        }
    }
}
