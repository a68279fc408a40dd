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
#include <string.h>

/* Listing, accounting and self-check of the rule table: the writer's alone. */

/* ---- Routes. ---- */

struct route_walk {
    const struct xf_rt *rt;
    bool (*cb)(const struct xf_route_info *, void *aux);
    void *aux;
    bool is_v4;
    bool stopped;
    size_t n;                   /* Of 'nexthops'. */
    struct xf_nexthop nexthops[XF_NH_MAX];
};

static void
walk_add_hop(struct route_walk *walk, const struct rt_hop *hop,
             uint16_t weight)
{
    const struct rt_pub *pub = ovsrcu_get_protected(struct rt_pub *,
                                                    &hop->link->pub);
    struct xf_nexthop *nexthop = &walk->nexthops[walk->n++];

    nexthop->gateway = hop->gateway;
    nexthop->weight = weight;
    nexthop->ifindex = (hop->link->ifindex ? hop->link->ifindex
                        : pub ? pub->iface.ifindex : 0);
}

/* Stores what 'nh' means now in 'walk'. */
static void
walk_resolve(struct route_walk *walk, const struct rt_nh *nh)
{
    const struct rt_nhset *set =
        nh ? ovsrcu_get_protected(struct rt_nhset *, &nh->set) : NULL;

    walk->n = 0;
    for (size_t i = 0; set && i < set->n; i++) {
        if (set->kind == RT_NHS_HOPS) {
            walk_add_hop(walk, &set->hops[i], set->hops[i].weight);
        } else {
            const struct rt_nhset *member = ovsrcu_get_protected(
                struct rt_nhset *, &set->members[i].nh->set);

            if (member && member->kind == RT_NHS_HOPS) {
                walk_add_hop(walk, &member->hops[0], set->members[i].weight);
            }
        }
    }
}

static bool
walk_node(struct xf_trie_node *node, void *walk_)
{
    struct route_walk *walk = walk_;
    const struct rt_route *head = rt_node_routes(node);
    const struct rt_route *route;

    for (route = head; route; route = route->next) {
        struct xf_route_info info = {
            .spec.prefix = rt_node_prefix(node, walk->is_v4),
            .spec.type = route->type,
            .spec.protocol = route->protocol,
            .spec.metric = route->metric,
            .spec.nhid = route->nh ? route->nh->id : 0,
            .spec.nexthops = walk->nexthops,
            .source = route->stmt.source->id,
            .source_name = route->stmt.source->name,
            .best = route == head,
            .stale = rt_stmt_is_stale(&route->stmt),
            .stat = route->stat,
        };

        walk_resolve(walk, route->nh);
        info.spec.n_nexthops = walk->n;
        if (!walk->cb(&info, walk->aux)) {
            walk->stopped = true;
            return false;
        }
    }
    return true;
}

void
xf_rt_for_each_route(const struct xf_rt *rt,
                     bool (*cb)(const struct xf_route_info *, void *aux),
                     void *aux)
{
    struct route_walk walk = { .rt = rt, .cb = cb, .aux = aux };

    walk.is_v4 = true;
    xf_trie_for_each(&rt->v4, walk_node, &walk);
    if (!walk.stopped) {
        walk.is_v4 = false;
        xf_trie_for_each(&rt->v6, walk_node, &walk);
    }
}

/* ---- Interfaces, addresses, neighbours: in order of name, then address. */

static int
compare_ifaces(const void *a_, const void *b_)
{
    const struct rt_iface *const *a = a_;
    const struct rt_iface *const *b = b_;

    return strcmp((*a)->pub->iface.name, (*b)->pub->iface.name);
}

static int
compare_neighs(const void *a_, const void *b_)
{
    const struct rt_neigh *const *a = a_;
    const struct rt_neigh *const *b = b_;
    int cmp = compare_ifaces(&(*a)->iface, &(*b)->iface);

    return cmp ? cmp : memcmp(&(*a)->ip, &(*b)->ip, sizeof (*a)->ip);
}

static int
compare_addrs(const void *a_, const void *b_)
{
    const struct rt_addr *const *a = a_;
    const struct rt_addr *const *b = b_;
    int cmp = compare_ifaces(&(*a)->iface, &(*b)->iface);

    if (!cmp) {
        cmp = memcmp(&(*a)->addr, &(*b)->addr, sizeof (*a)->addr);
    }
    if (!cmp) {
        cmp = (*a)->prefix_len - (*b)->prefix_len;
    }
    return cmp ? cmp : ((*a)->stmt.source->id > (*b)->stmt.source->id
                        ? 1 : -1);
}

void
xf_rt_for_each_iface(const struct xf_rt *rt,
                     bool (*cb)(const struct xf_iface *, void *aux),
                     void *aux)
{
    const struct rt_iface **ifaces;
    const struct rt_iface *iface;
    size_t n = 0;

    ifaces = xmalloc((hmap_count(&rt->ifaces) + 1) * sizeof *ifaces);
    HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
        ifaces[n++] = iface;
    }
    qsort(ifaces, n, sizeof *ifaces, compare_ifaces);
    for (size_t i = 0; i < n; i++) {
        if (!cb(&ifaces[i]->pub->iface, aux)) {
            break;
        }
    }
    free(ifaces);
}

void
xf_rt_for_each_neigh(const struct xf_rt *rt,
                     bool (*cb)(const struct xf_neigh_info *, void *aux),
                     void *aux)
{
    struct rt_neigh **neighs;
    struct rt_neigh *neigh;
    size_t n = 0;

    neighs = xmalloc((cmap_count(&rt->neighs) + 1) * sizeof *neighs);
    CMAP_FOR_EACH (neigh, node, &rt->neighs) {
        neighs[n++] = neigh;
    }
    qsort(neighs, n, sizeof *neighs, compare_neighs);
    for (size_t i = 0; i < n; i++) {
        struct xf_neigh_info info = {
            .iface = &neighs[i]->iface->pub->iface,
            .ip = neighs[i]->ip,
            .mac = neighs[i]->mac,
            .source = neighs[i]->stmt.source->id,
            .stat = neighs[i]->stat,
        };
        uint32_t ifindex = info.iface->ifindex;
        int state;

        atomic_read_relaxed(&neighs[i]->state, &state);
        atomic_read_relaxed(&neighs[i]->confirmed_ms, &info.confirmed_ms);
        info.state = state;
        info.gateway = ifindex && rt_gw_find(rt, ifindex, &info.ip);
        if (!cb(&info, aux)) {
            break;
        }
    }
    free(neighs);
}

void
xf_rt_for_each_addr(const struct xf_rt *rt,
                    bool (*cb)(const struct xf_addr_info *, void *aux),
                    void *aux)
{
    const struct rt_addr **addrs;
    const struct rt_addr *addr;
    size_t n = 0;

    addrs = xmalloc((cmap_count(&rt->addrs) + 1) * sizeof *addrs);
    CMAP_FOR_EACH (addr, node, &rt->addrs) {
        addrs[n++] = addr;
    }
    qsort(addrs, n, sizeof *addrs, compare_addrs);
    for (size_t i = 0; i < n; i++) {
        struct xf_addr_info info = {
            .iface = addrs[i]->iface->pub->iface.name,
            .addr = addrs[i]->addr,
            .prefix_len = addrs[i]->prefix_len,
            .source = addrs[i]->stmt.source->id,
        };

        atomic_read_relaxed(&CONST_CAST(struct rt_addr *, addrs[i])->heard_ms,
                            &info.heard_ms);
        if (!cb(&info, aux)) {
            break;
        }
    }
    free(addrs);
}

/* ---- Accounting. ---- */

static size_t
hmap_size(const struct hmap *hmap)
{
    return hmap->mask ? (hmap->mask + 1) * sizeof *hmap->buckets : 0;
}

/* An estimate: a cmap keeps five nodes per cache line and is between 20 and
 * 85 % full; this takes the middle. */
static size_t
cmap_size(const struct cmap *cmap)
{
    return cmap_count(cmap) * CACHE_LINE_SIZE * 2 / 5;
}

void
xf_rt_get_usage(const struct xf_rt *rt, struct xf_rt_usage *usage)
{
    usage->n_routes = rt->n_routes;
    usage->n_prefixes = rt->n_prefixes;
    usage->n_nexthops = rt->n_nexthops;
    usage->n_neighbors = cmap_count(&rt->neighs);
    usage->n_ifaces = hmap_count(&rt->ifaces);
    usage->n_addresses = cmap_count(&rt->addrs);
    usage->n_trie_nodes = rt->v4.n_nodes + rt->v6.n_nodes;
    usage->n_bytes = (rt->n_bytes
                      + rt->v4.n_nodes
                        * rt_heap_size(xf_trie_node_size(&rt->v4))
                      + rt->v6.n_nodes
                        * rt_heap_size(xf_trie_node_size(&rt->v6))
                      + hmap_size(&rt->sources) + hmap_size(&rt->ifaces)
                      + hmap_size(&rt->links) + hmap_size(&rt->nhs)
                      + hmap_size(&rt->inlines) + cmap_size(&rt->vlans)
                      + cmap_size(&rt->neighs) + cmap_size(&rt->addrs)
                      + cmap_size(&rt->gws));
}

/* ---- Self-check. ---- */

/* What is counted while the table is walked, to be compared with what it says
 * of itself. */
struct census {
    const struct xf_rt *rt;
    bool is_v4;
    size_t n_routes, n_derived, n_prefixes;
    size_t n_with_nh;           /* Routes that have a next hop. */
};

static bool
check_node(struct xf_trie_node *node, void *census_)
{
    struct census *census = census_;
    const struct rt_route *route;

    census->n_prefixes++;
    for (route = rt_node_routes(node); route; route = route->next) {
        const struct rt_route *other;

        ovs_assert(route->node == node && route->is_v4 == census->is_v4);
        ovs_assert(!route->next || !rt_route_before(route->next, route));
        ovs_assert((route->type == XF_ROUTE_UNICAST) == (route->nh != NULL));
        ovs_assert(!route->down || route->stmt.kind == RT_DERIVED);
        for (other = route->next; other; other = other->next) {
            ovs_assert(other->stmt.source != route->stmt.source
                       || other->metric != route->metric
                       || other->stmt.kind == RT_DERIVED
                       || route->stmt.kind == RT_DERIVED);
        }
        census->n_routes += route->stmt.kind == RT_ROUTE;
        census->n_derived += route->stmt.kind == RT_DERIVED;
        census->n_with_nh += route->nh != NULL;
    }
    return true;
}

static void
check_source(const struct rt_source *source)
{
    const struct ovs_list *lists[] = { &source->fresh, &source->stale };
    const struct rt_stmt *stmt;
    size_t n_routes = 0;

    for (int i = 0; i < 2; i++) {
        LIST_FOR_EACH (stmt, node, lists[i]) {
            ovs_assert(stmt->source == source);
            ovs_assert(rt_stmt_is_stale(stmt) == (i == 1));
            n_routes += stmt->kind == RT_ROUTE;
        }
    }
    ovs_assert(source->n_routes == n_routes);
    ovs_assert(source->n_stale == ovs_list_size(&source->stale));
    ovs_assert(source->n_statements
               == source->n_stale + ovs_list_size(&source->fresh));
}

/* Sums over all next hops. */
struct nh_sums {
    size_t n_routes, n_groups, n_members, n_used_groups, n_used_members;
    size_t n_hops, n_gw_refs;
};

static void
check_nh(const struct xf_rt *rt, const struct rt_nh *nh,
         struct nh_sums *sums)
{
    const struct rt_nhset *set = ovsrcu_get_protected(struct rt_nhset *,
                                                      &nh->set);
    bool is_used = rt_nh_is_used(nh);

    ovs_assert(nh->n_routes || nh->n_groups || (nh->id && set));
    ovs_assert(nh->n_used_groups <= nh->n_groups);
    sums->n_routes += nh->n_routes;
    sums->n_groups += nh->n_groups;
    sums->n_used_groups += nh->n_used_groups;
    for (size_t i = 0; set && i < set->n; i++) {
        if (set->kind == RT_NHS_GROUP) {
            sums->n_members++;
            sums->n_used_members += is_used;
        } else {
            const struct rt_hop *hop = &set->hops[i];

            sums->n_hops++;
            if (is_used && !IN6_IS_ADDR_UNSPECIFIED(&hop->gateway)) {
                sums->n_gw_refs++;
                ovs_assert(rt_gw_find(rt, hop->link->ifindex,
                                      &hop->gateway));
            }
        }
    }
}

static void
check_nexthops(const struct xf_rt *rt, const struct census *census)
{
    struct nh_sums sums = { .n_routes = 0 };
    const struct rt_iface *iface;
    const struct rt_link *link;
    size_t n_link_refs = 0;
    size_t n_gw_refs = 0;
    size_t n_wanted = 0;
    struct rt_gw *gw;
    struct rt_nh *nh;

    HMAP_FOR_EACH (nh, node, &rt->nhs) {
        check_nh(rt, nh, &sums);
    }
    HMAP_FOR_EACH (nh, node, &rt->inlines) {
        check_nh(rt, nh, &sums);
    }
    ovs_assert(sums.n_routes == census->n_with_nh);
    ovs_assert(sums.n_groups == sums.n_members);
    ovs_assert(rt->n_hops == sums.n_hops + sums.n_members);
    ovs_assert(sums.n_used_groups == sums.n_used_members);

    CMAP_FOR_EACH (gw, node, &rt->gws) {
        const struct rt_pub *pub = ovsrcu_get_protected(struct rt_pub *,
                                                        &gw->link->pub);
        bool wanted = (pub && pub->iface.up
                       && !rt_neigh_find(rt, pub->owner, &gw->ip));

        ovs_assert(gw->n_refs && gw->link->ifindex == gw->ifindex);
        ovs_assert(wanted == !ovs_list_is_empty(&gw->want_node));
        n_gw_refs += gw->n_refs;
        n_wanted += wanted;
    }
    ovs_assert(n_gw_refs == sums.n_gw_refs);
    ovs_assert(n_wanted == ovs_list_size(&rt->wanted));

    HMAP_FOR_EACH (link, node, &rt->links) {
        n_link_refs += link->n_refs;
    }
    HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
        n_link_refs += iface->self->n_refs - 1;
        n_link_refs -= iface->link != NULL;
    }
    ovs_assert(n_link_refs == sums.n_hops);
}

static void
check_ifaces(const struct xf_rt *rt)
{
    const struct rt_iface *iface;
    const struct rt_neigh *neigh;
    const struct rt_addr *addr;
    size_t n_neighs = 0;
    size_t n_addrs = 0;

    HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
        const struct xf_iface *pub = &iface->pub->iface;

        ovs_assert(xf_rt_iface_by_segment(rt, pub->vlan, pub->mac) == pub);
        ovs_assert(xf_rt_iface_by_name(rt, pub->name) == pub);
        ovs_assert(!pub->ifindex
                   || xf_rt_iface_by_ifindex(rt, pub->ifindex) == pub);
        LIST_FOR_EACH (neigh, iface_node, &iface->neighs) {
            ovs_assert(rt_neigh_find(rt, iface, &neigh->ip) == neigh);
            ovs_assert(!rt_pub_by_segment(rt, pub->vlan, neigh->mac));
            n_neighs++;
        }
        LIST_FOR_EACH (addr, iface_node, &iface->addrs) {
            const struct rt_route *route = addr->derived[RT_D_CONNECTED];

            ovs_assert(addr->iface == iface);
            ovs_assert(rt_addr_is_own(rt, iface, &addr->addr));
            ovs_assert(!route || route->down == !pub->up);
            n_addrs++;
        }
    }
    ovs_assert(n_neighs == cmap_count(&rt->neighs));
    ovs_assert(n_addrs == cmap_count(&rt->addrs));
    ovs_assert(hmap_count(&rt->ifaces) == cmap_count(&rt->vlans));
}

void
xf_rt_check(const struct xf_rt *rt)
{
    struct census census = { .rt = rt };
    const struct rt_source *source;

    xf_trie_check(&rt->v4);
    xf_trie_check(&rt->v6);
    census.is_v4 = true;
    xf_trie_for_each(&rt->v4, check_node, &census);
    census.is_v4 = false;
    xf_trie_for_each(&rt->v6, check_node, &census);
    ovs_assert(census.n_routes == rt->n_routes);
    ovs_assert(census.n_prefixes == rt->n_prefixes);
    HMAP_FOR_EACH (source, id_node, &rt->sources) {
        check_source(source);
    }
    check_nexthops(rt, &census);
    check_ifaces(rt);
}
