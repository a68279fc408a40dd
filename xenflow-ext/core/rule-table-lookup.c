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

#include <string.h>

/* The readers' half of the rule table: any thread, inside an RCU read-side
 * section.  Every pointer that may change is read exactly once per lookup, so
 * that an answer is consistent in itself. */

/* A next hop that could be used now. */
struct candidate {
    const struct rt_hop *hop;   /* NULL: drop. */
    const struct rt_pub *pub;   /* NULL: drop. */
    uint32_t weight;
};

struct candidates {
    size_t n;
    uint32_t total;             /* Sum of weights. */
    bool any_known;             /* There was a hop, usable or not. */
    struct candidate c[XF_NH_MAX];
};

static void
candidates_add(struct candidates *cs, const struct rt_hop *hop,
               const struct rt_pub *pub, uint16_t weight)
{
    struct candidate *c = &cs->c[cs->n++];

    c->hop = hop;
    c->pub = pub;
    c->weight = weight;
    cs->total += weight;
}

/* Adds 'hop' if its interface is known and up. */
static void
candidates_add_hop(struct candidates *cs, const struct rt_hop *hop,
                   uint16_t weight)
{
    const struct rt_pub *pub = ovsrcu_get(struct rt_pub *, &hop->link->pub);

    cs->any_known = true;
    if (pub && pub->iface.up) {
        candidates_add(cs, hop, pub, weight);
    }
}

/* Adds a member of a group: a single next hop, a blackhole, or nothing if
 * nobody has stated it. */
static void
candidates_add_member(struct candidates *cs, const struct rt_member *member)
{
    const struct rt_nhset *set = ovsrcu_get(struct rt_nhset *,
                                            &member->nh->set);

    if (set && set->kind == RT_NHS_HOPS) {
        candidates_add_hop(cs, &set->hops[0], member->weight);
    } else if (set && set->kind == RT_NHS_BLACKHOLE) {
        cs->any_known = true;
        candidates_add(cs, NULL, NULL, member->weight);
    }
}

/* Collects the usable next hops of 'nh' in 'cs'. */
static void
candidates_init(struct candidates *cs, const struct rt_nh *nh)
{
    const struct rt_nhset *set = ovsrcu_get(struct rt_nhset *, &nh->set);

    cs->n = cs->total = 0;
    cs->any_known = false;
    if (!set) {
        return;
    }
    switch ((enum rt_nhset_kind) set->kind) {
    case RT_NHS_HOPS:
        for (size_t i = 0; i < set->n; i++) {
            candidates_add_hop(cs, &set->hops[i], set->hops[i].weight);
        }
        break;
    case RT_NHS_GROUP:
        for (size_t i = 0; i < set->n; i++) {
            candidates_add_member(cs, &set->members[i]);
        }
        break;
    case RT_NHS_BLACKHOLE:
        cs->any_known = true;
        candidates_add(cs, NULL, NULL, 1);
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* Picks by hash threshold (RFC 2992): the space of hashes is divided in
 * proportion to the weights, in order of the next hops. */
static const struct candidate *
candidates_pick(const struct candidates *cs, uint32_t flow_hash)
{
    uint32_t point = ((uint64_t) flow_hash * cs->total) >> 32;
    size_t i = 0;

    while (point >= cs->c[i].weight) {
        point -= cs->c[i++].weight;
    }
    return &cs->c[i];
}

static void
punt(struct xf_rt_result *result, enum xf_punt_reason reason)
{
    result->verdict = XF_PUNT;
    result->reason = reason;
}

/* What is done with packets to 'dst' that follow a unicast route by 'nh'. */
static void
lookup_nexthop(const struct xf_rt *rt, const struct rt_nh *nh,
               const struct in6_addr *dst, uint32_t flow_hash,
               struct xf_rt_result *result)
{
    struct candidates cs;

    candidates_init(&cs, nh);
    if (!cs.n) {
        punt(result, cs.any_known ? XF_PUNT_LINK_DOWN : XF_PUNT_NO_NEXTHOP);
        return;
    }
    result->used_hash = cs.n > 1;

    const struct candidate *c = candidates_pick(&cs, flow_hash);
    if (!c->hop) {
        result->verdict = XF_DROP;
        return;
    }
    result->out = &c->pub->iface;
    if (IN6_IS_ADDR_UNSPECIFIED(&c->hop->gateway)) {
        result->nexthop = *dst; /* Its own neighbour entry decides. */
        result->n_bits = xf_addr_bits(dst);
    } else {
        result->nexthop = c->hop->gateway;
    }

    const struct rt_neigh *neigh = rt_neigh_find(rt, c->pub->owner,
                                                 &result->nexthop);
    if (!neigh) {
        punt(result, XF_PUNT_NO_NEIGHBOR);
        return;
    }
    result->verdict = XF_FORWARD;
    result->dmac = neigh->mac;
    result->neigh_stat = neigh->stat;
}

static struct xf_trie_match
lookup_prefix(const struct xf_rt *rt, const struct in6_addr *dst)
{
    return xf_trie_lookup(xf_addr_is_v4(dst) ? &rt->v4 : &rt->v6,
                          xf_key_from_addr(dst));
}

/* Returns the route that packets to 'ip' follow, or NULL; '*special' tells
 * whether 'ip' is in a prefix that is always punted. */
const struct rt_route *
rt_best_route(const struct xf_rt *rt, const struct in6_addr *ip,
              bool *special)
{
    struct xf_trie_match match = lookup_prefix(rt, ip);

    *special = match.node && match.node->final;
    return *special ? NULL : match.data;
}

void
xf_rt_lookup(const struct xf_rt *rt, const struct in6_addr *dst,
             uint32_t flow_hash, struct xf_rt_result *result)
{
    struct xf_trie_match match = lookup_prefix(rt, dst);
    const struct rt_route *route = match.data;

    memset(result, 0, sizeof *result);
    result->n_bits = match.n_bits;
    if (!match.node) {
        punt(result, XF_PUNT_NO_ROUTE);
        return;
    }
    if (match.node->final) {
        punt(result, XF_PUNT_SPECIAL);
        return;
    }

    result->has_route = true;
    result->prefix = rt_node_prefix(match.node, xf_addr_is_v4(dst));
    result->protocol = route->protocol;
    result->route_stat = route->stat;
    switch ((enum xf_route_type) route->type) {
    case XF_ROUTE_UNICAST:
        lookup_nexthop(rt, route->nh, dst, flow_hash, result);
        break;
    case XF_ROUTE_LOCAL:
        punt(result, XF_PUNT_LOCAL);
        break;
    case XF_ROUTE_BLACKHOLE:
        result->verdict = XF_DROP;
        break;
    case XF_ROUTE_UNREACHABLE:
        punt(result, XF_PUNT_UNREACHABLE);
        break;
    case XF_ROUTE_PROHIBIT:
        punt(result, XF_PUNT_PROHIBIT);
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* ---- For datapath threads. ---- */

/* Says what 'neigh' (NULL: none known) makes of 'path'. */
static void
path_set_neigh(struct xf_path *path, const struct rt_neigh *neigh)
{
    path->on_link = false;
    if (neigh) {
        path->verdict = XF_FORWARD;
        path->neighbor = neigh->stat->number;
        path->dmac = neigh->mac;
    } else {
        path->verdict = XF_PUNT;
        path->reason = XF_PUNT_NO_NEIGHBOR;
    }
}

static void
path_from_candidate(const struct xf_rt *rt, const struct candidate *c,
                    struct xf_path *path)
{
    memset(path, 0, sizeof *path);
    path->weight = c->weight;
    if (!c->hop) {
        path->verdict = XF_DROP;
        return;
    }
    path->out = &c->pub->iface;
    if (IN6_IS_ADDR_UNSPECIFIED(&c->hop->gateway)) {
        path->on_link = true;
    } else {
        path_set_neigh(path, rt_neigh_find(rt, c->pub->owner,
                                           &c->hop->gateway));
    }
}

size_t
xf_rt_paths(const struct xf_rt *rt, uint32_t target,
            struct xf_path paths[XF_NH_MAX])
{
    const struct rt_nh_table *table = ovsrcu_get(struct rt_nh_table *,
                                                 &rt->nh_table);
    struct candidates cs;

    candidates_init(&cs, table->nhs[target - XF_TARGET_NEXTHOP]);
    if (!cs.n) {
        memset(&paths[0], 0, sizeof paths[0]);
        paths[0].verdict = XF_PUNT;
        paths[0].reason = (cs.any_known ? XF_PUNT_LINK_DOWN
                           : XF_PUNT_NO_NEXTHOP);
        return 1;
    }
    for (size_t i = 0; i < cs.n; i++) {
        path_from_candidate(rt, &cs.c[i], &paths[i]);
    }
    return cs.n;
}

void
xf_rt_path_on_link(const struct xf_rt *rt, const struct in6_addr *dst,
                   struct xf_path *path)
{
    const struct rt_pub *pub = CONTAINER_OF(path->out, struct rt_pub, iface);

    path_set_neigh(path, rt_neigh_find(rt, pub->owner, dst));
}

uint32_t
xf_rt_version(const struct xf_rt *rt)
{
    uint32_t version;

    atomic_read_explicit(&CONST_CAST(struct xf_rt *, rt)->version, &version,
                         memory_order_acquire);
    return version;
}

const struct xf_fib *
xf_rt_fib(const struct xf_rt *rt, bool is_v4)
{
    return (is_v4 ? ovsrcu_get(struct xf_fib *, &rt->fib4)
            : ovsrcu_get(struct xf_fib *, &rt->fib6));
}
