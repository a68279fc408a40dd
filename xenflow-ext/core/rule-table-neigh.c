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

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"

static const char *const neigh_state_names[] = {
    [XF_NEIGH_REACHABLE] = "reachable",
    [XF_NEIGH_PROBE] = "probe",
    [XF_NEIGH_PERMANENT] = "permanent",
};

/* Returns the name of 'state' as shown to users, e.g. "reachable". */
const char *
xf_neighbor_state_name(enum xf_neighbor_state state)
{
    return (state < ARRAY_SIZE(neigh_state_names)
            ? neigh_state_names[state] : "unknown");
}

/* ---- Kinds of addresses. ---- */

/* True for an IPv6 unicast address that is good on one link only. */
bool
rt_ip_is_linklocal(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_LINKLOCAL(ip);
}

/* True for the destinations that are always punted as special. */
bool
rt_ip_is_special(const struct in6_addr *ip)
{
    if (xf_addr_is_v4(ip)) {
        uint32_t v4 = xf_key_from_addr(ip).hi >> 32;

        return !v4 || v4 >> 24 == 127 || v4 >> 28 == 14 || v4 == UINT32_MAX;
    }
    return (IN6_IS_ADDR_UNSPECIFIED(ip) || IN6_IS_ADDR_LOOPBACK(ip)
            || IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MULTICAST(ip));
}

/* True if 'ip' is the router's own, as seen from 'iface'.  Any thread. */
static bool
ip_is_local(const struct xf_rt *rt, const struct rt_iface *iface,
            const struct in6_addr *ip)
{
    const struct rt_route *route;
    bool is_special;

    if (rt_ip_is_linklocal(ip)) {
        return rt_addr_is_own(rt, iface, ip);
    }
    route = rt_best_route(rt, ip, &is_special);
    return route && route->type == XF_ROUTE_LOCAL;
}

/* ---- Neighbours. ---- */

/* Returns the neighbour 'ip' on 'iface' or NULL.  Any thread. */
struct rt_neigh *
rt_neigh_find(const struct xf_rt *rt, const struct rt_iface *iface,
              const struct in6_addr *ip)
{
    struct rt_neigh *neigh;

    CMAP_FOR_EACH_WITH_HASH (neigh, node, rt_hash_at(rt, iface, ip),
                             &rt->neighs) {
        if (neigh->iface == iface && IN6_ARE_ADDR_EQUAL(&neigh->ip, ip)) {
            return neigh;
        }
    }
    return NULL;
}

static void
neigh_free(void *neigh_)
{
    struct rt_neigh *neigh = neigh_;

    xf_stat_unref(neigh->stat);
    free(neigh);
}

static void
neigh_retire(struct xf_rt *rt, struct rt_neigh *neigh)
{
    rt_stmt_uninit(&neigh->stmt);
    ovs_list_remove(&neigh->iface_node);
    neigh->iface->n_neighs--;
    rt_stat_forget(rt, XF_RT_NEIGHBORS, neigh->stat);
    rt_retire(rt, neigh_free, neigh, sizeof *neigh);
}

/* The gateway at ('iface', 'ip'), if there is one, got or lost its MAC. */
static void
neigh_update_gw(struct xf_rt *rt, const struct rt_iface *iface,
                const struct in6_addr *ip)
{
    uint32_t ifindex = iface->pub->iface.ifindex;
    struct rt_gw *gw = ifindex ? rt_gw_find(rt, ifindex, ip) : NULL;

    if (gw) {
        rt_gw_update(rt, gw);
    }
}

/* Removes 'neigh'. */
void
rt_neigh_remove(struct xf_rt *rt, struct rt_neigh *neigh)
{
    rt_follow_gone(rt, &neigh->stmt);
    cmap_remove(&rt->neighs, &neigh->node,
                rt_hash_at(rt, neigh->iface, &neigh->ip));
    rt_raise_version(rt);
    neigh_update_gw(rt, neigh->iface, &neigh->ip);
    neigh_retire(rt, neigh);
}

/* An interface came into segment 'vlan', or changed there: removes neighbours
 * that were believed to have a MAC that is the router's own now. */
void
rt_neigh_purge_own(struct xf_rt *rt, uint16_t vlan)
{
    struct rt_iface *iface;

    HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
        struct rt_neigh *neigh;

        if (iface->pub->iface.vlan != vlan) {
            continue;
        }
        LIST_FOR_EACH_SAFE (neigh, iface_node, &iface->neighs) {
            if (rt_pub_by_segment(rt, vlan, neigh->mac)) {
                rt_neigh_remove(rt, neigh);
            }
        }
    }
}

/* Checks that ('ip', 'mac') may be a neighbour on 'iface'. */
static int
neigh_check(const struct xf_rt *rt, const struct rt_iface *iface,
            const struct in6_addr *ip, struct eth_addr mac, char **errorp)
{
    const struct xf_iface *pub = &iface->pub->iface;
    char addr[INET6_ADDRSTRLEN];

    xf_addr_string(addr, ip);
    if (rt_ip_is_special(ip) && !rt_ip_is_linklocal(ip)) {
        return rt_error(errorp, EINVAL, "%s can't be a neighbor on \"%s\"; "
                        "give a unicast address", addr, pub->name);
    }
    if (ip_is_local(rt, iface, ip)) {
        return rt_error(errorp, EINVAL, "%s is an address of the router "
                        "itself and can't be a neighbor on \"%s\"; give the "
                        "address of another node", addr, pub->name);
    }
    if (eth_addr_is_zero(mac) || eth_addr_is_multicast(mac)) {
        return rt_error(errorp, EINVAL, "MAC "ETH_ADDR_FMT" of neighbor %s on "
                        "\"%s\" is not a unicast address; give the "
                        "neighbor's own", ETH_ADDR_ARGS(mac), addr,
                        pub->name);
    }
    if (rt_pub_by_segment(rt, pub->vlan, mac)) {
        return rt_error(errorp, EINVAL, "MAC "ETH_ADDR_FMT" of neighbor %s on "
                        "\"%s\" is the router's own; give the neighbor's",
                        ETH_ADDR_ARGS(mac), addr, pub->name);
    }
    return 0;
}

/* Checks that 'source' may state 'neigh' (NULL: a new one) with 'state'. */
static int
neigh_check_entry(const struct xf_rt *rt, const struct rt_source *source,
                  const struct rt_neigh *neigh, const struct in6_addr *ip,
                  enum xf_neighbor_state state, char **errorp)
{
    char addr[INET6_ADDRSTRLEN];
    int old_state;

    xf_addr_string(addr, ip);
    if (state > XF_NEIGH_PERMANENT) {
        return rt_error(errorp, EINVAL, "state %d of neighbor %s is unknown; "
                        "use reachable, probe or permanent", (int) state,
                        addr);
    }
    if (!neigh) {
        if (cmap_count(&rt->neighs) >= rt->limits.max_neighbors) {
            return rt_error(errorp, ENOSPC, "neighbor %s is beyond the "
                            "maximum of %"PRIu32" neighbors; raise "
                            "max-neighbors or remove neighbors", addr,
                            rt->limits.max_neighbors);
        }
        return 0;
    }
    atomic_read_relaxed(&CONST_CAST(struct rt_neigh *, neigh)->state,
                        &old_state);
    if (old_state == XF_NEIGH_PERMANENT && state != XF_NEIGH_PERMANENT
        && neigh->stmt.source != source) {
        return rt_error(errorp, EEXIST, "neighbor %s is stated as permanent "
                        "by \"%s\"; remove it there first", addr,
                        neigh->stmt.source->name);
    }
    return 0;
}

/* Puts an entry for ('iface', 'ip', 'mac') in place of 'old' (NULL: none). */
static struct rt_neigh *
neigh_replace(struct xf_rt *rt, struct rt_source *source,
              struct rt_iface *iface, const struct in6_addr *ip,
              struct eth_addr mac, struct rt_neigh *old)
{
    struct rt_neigh *new = rt_alloc(rt, sizeof *new);
    uint32_t hash = rt_hash_at(rt, iface, ip);

    rt_stmt_init(&new->stmt, source, RT_NEIGH);
    new->stat = rt_stat_create(rt, old ? old->stat : NULL);
    if (!new->stat->number) {
        xf_counted_add(&rt->counted[XF_RT_NEIGHBORS], new->stat);
    }
    new->iface = iface;
    new->ip = *ip;
    new->mac = mac;
    atomic_init(&new->state, XF_NEIGH_REACHABLE);
    atomic_init(&new->confirmed_ms, 0);
    ovs_list_push_back(&iface->neighs, &new->iface_node);
    iface->n_neighs++;
    if (old) {
        cmap_replace(&rt->neighs, &old->node, &new->node, hash);
        rt_raise_version(rt);
        neigh_retire(rt, old);
    } else {
        cmap_insert(&rt->neighs, &new->node, hash);
        rt_raise_version(rt);
        neigh_update_gw(rt, iface, ip);
    }
    return new;
}

int
xf_rt_neigh_set(struct xf_rt *rt, uint32_t source_id, const char *name,
                const struct in6_addr *ip, struct eth_addr mac,
                enum xf_neighbor_state state, long long int now_ms,
                char **errorp)
{
    struct rt_source *source;
    int error = rt_source_get(rt, source_id, &source, errorp);
    if (error) {
        return error;
    }

    struct rt_iface *iface = rt_iface_find(rt, name);
    if (!iface) {
        return rt_error(errorp, ENOENT, "there is no interface \"%.*s\"; add "
                        "it first", XF_NAME_MAX - 1, name);
    }

    struct rt_neigh *neigh = rt_neigh_find(rt, iface, ip);
    error = neigh_check(rt, iface, ip, mac, errorp);
    if (!error) {
        error = neigh_check_entry(rt, source, neigh, ip, state, errorp);
    }
    if (error) {
        return error;
    }

    bool is_new = !neigh || !eth_addr_equals(neigh->mac, mac);
    if (is_new) {
        neigh = neigh_replace(rt, source, iface, ip, mac, neigh);
    } else if (neigh->stmt.source != source) {
        rt_stmt_move(&neigh->stmt, source);
    } else if (state == XF_NEIGH_PERMANENT) {
        rt_stmt_renew(&neigh->stmt);
    } else {
        rt_stmt_touch(&neigh->stmt);
    }
    atomic_store_relaxed(&neigh->state, (int) state);
    if (is_new || state != XF_NEIGH_PROBE) {
        atomic_store_relaxed(&neigh->confirmed_ms, now_ms);
    }
    return 0;
}

int
xf_rt_neigh_del(struct xf_rt *rt, const char *name,
                const struct in6_addr *ip, char **errorp)
{
    struct rt_iface *iface = rt_iface_find(rt, name);
    struct rt_neigh *neigh = iface ? rt_neigh_find(rt, iface, ip) : NULL;

    if (!neigh) {
        char addr[INET6_ADDRSTRLEN];

        return rt_error(errorp, ENOENT, "there is no neighbor %s on \"%.*s\"; "
                        "list the neighbors to see what there is",
                        xf_addr_string(addr, ip), XF_NAME_MAX - 1, name);
    }
    rt_neigh_remove(rt, neigh);
    return 0;
}

/* ---- Eviction. ---- */

/* How many neighbours of an interface are looked at. */
#define EVICT_LOOK_MAX 64

/* True if 'neigh' may go when room is needed. */
static bool
neigh_is_evictable(const struct xf_rt *rt, const struct rt_neigh *neigh)
{
    uint32_t ifindex = neigh->iface->pub->iface.ifindex;
    int state;

    atomic_read_relaxed(&CONST_CAST(struct rt_neigh *, neigh)->state, &state);
    return (state != XF_NEIGH_PERMANENT
            && neigh->stmt.source->preference == XF_PREF_LEARNED
            && !(ifindex && rt_gw_find(rt, ifindex, &neigh->ip)));
}

/* Chooses which neighbour of 'iface' goes, or NULL.  Those looked at go to the
 * end of the list, so that each has its turn. */
static struct rt_neigh *
choose_evicted(const struct xf_rt *rt, struct rt_iface *iface,
               long long int used_ms)
{
    struct rt_neigh *chosen = NULL;

    for (size_t i = 0; i < MIN(iface->n_neighs, EVICT_LOOK_MAX); i++) {
        struct rt_neigh *neigh = CONTAINER_OF(
            ovs_list_pop_front(&iface->neighs), struct rt_neigh, iface_node);
        long long int last_ms;

        ovs_list_push_back(&iface->neighs, &neigh->iface_node);
        if (!neigh_is_evictable(rt, neigh)) {
            continue;
        }
        atomic_read_relaxed(&neigh->stat->used_ms, &last_ms);
        if (last_ms < used_ms) {
            return neigh;
        }
        chosen = chosen ? chosen : neigh;
    }
    return chosen;
}

bool
xf_rt_neigh_evict(struct xf_rt *rt, long long int used_ms)
{
    struct rt_iface *most = NULL;
    struct rt_iface *iface;

    HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
        if (!most || iface->n_neighs > most->n_neighs) {
            most = iface;
        }
    }
    struct rt_neigh *neigh = most ? choose_evicted(rt, most, used_ms) : NULL;
    if (!neigh) {
        /* That one's are stated: any other's. */
        HMAP_FOR_EACH (iface, name_node, &rt->ifaces) {
            neigh = choose_evicted(rt, iface, used_ms);
            if (neigh) {
                break;
            }
        }
    }
    if (!neigh) {
        return false;
    }
    rt_neigh_remove(rt, neigh);
    return true;
}

/* ---- News (any thread). ---- */

static void
neigh_confirm(struct rt_neigh *neigh, long long int now_ms)
{
    int state = XF_NEIGH_PROBE;

    atomic_store_relaxed(&neigh->confirmed_ms, now_ms);
    atomic_compare_exchange_strong(&neigh->state, &state,
                                   XF_NEIGH_REACHABLE);
}

/* True if 'route' sends through 'iface' to the destination itself. */
static bool
route_is_onlink(const struct rt_route *route, const struct rt_iface *iface)
{
    const struct rt_nhset *set =
        route && route->nh ? ovsrcu_get(struct rt_nhset *, &route->nh->set)
        : NULL;

    for (size_t i = 0; set && i < set->n; i++) {
        const struct rt_nhset *hops = set;
        size_t first = i;
        size_t end = i + 1;

        if (set->kind == RT_NHS_GROUP) {
            hops = ovsrcu_get(struct rt_nhset *, &set->members[i].nh->set);
            first = 0;
            end = hops ? hops->n : 0;
        }
        for (size_t j = first; j < end; j++) {
            const struct rt_hop *hop = &hops->hops[j];
            const struct rt_pub *pub = ovsrcu_get(struct rt_pub *,
                                                  &hop->link->pub);

            if (pub && pub->owner == iface
                && IN6_IS_ADDR_UNSPECIFIED(&hop->gateway)) {
                return true;
            }
        }
    }
    return false;
}

enum xf_neigh_news
xf_rt_neigh_hear(const struct xf_rt *rt, const struct xf_iface *iface,
                 const struct in6_addr *ip, struct eth_addr mac,
                 long long int now_ms)
{
    const struct rt_pub *pub = rt_pub_by_segment(rt, iface->vlan, iface->mac);
    bool is_linklocal = rt_ip_is_linklocal(ip);
    bool is_special;

    if (!pub || eth_addr_is_zero(mac) || eth_addr_is_multicast(mac)
        || (rt_ip_is_special(ip) && !is_linklocal)) {
        return XF_NEIGH_IGNORE;
    }
    if (ip_is_local(rt, pub->owner, ip)) {
        return (rt_addr_hear(rt, pub->owner, ip,
                             eth_addr_equals(mac, pub->iface.mac), now_ms)
                ? XF_NEIGH_MOVED : XF_NEIGH_IGNORE);
    }
    if (eth_addr_equals(mac, pub->iface.mac)) {
        return XF_NEIGH_OWN;
    }
    if (rt_pub_by_segment(rt, pub->iface.vlan, mac)) {
        return XF_NEIGH_IGNORE; /* Another interface of the same router. */
    }

    struct rt_neigh *neigh = rt_neigh_find(rt, pub->owner, ip);
    if (neigh && eth_addr_equals(neigh->mac, mac)) {
        neigh_confirm(neigh, now_ms);
        return XF_NEIGH_KNOWN;
    }
    if (neigh) {
        int state;

        atomic_read_relaxed(&neigh->state, &state);
        if (state == XF_NEIGH_PERMANENT) {
            return XF_NEIGH_IGNORE;
        }
    }
    return (is_linklocal
            || route_is_onlink(rt_best_route(rt, ip, &is_special), pub->owner)
            || (pub->iface.ifindex
                && rt_gw_find(rt, pub->iface.ifindex, ip))
            ? XF_NEIGH_NEW : XF_NEIGH_IGNORE);
}

/* ---- Wanted neighbours (writer). ---- */

/* Costs O(max): the list is kept by rt_gw_update().  What is returned goes to
 * the end of it, so that silent gateways don't keep others from being asked
 * for. */
size_t
xf_rt_wanted_neighbors(const struct xf_rt *rt_, struct xf_neigh_want *out,
                       size_t max)
{
    struct xf_rt *rt = CONST_CAST(struct xf_rt *, rt_);
    size_t n_seen = 0;
    size_t n = 0;
    struct ovs_list seen;

    ovs_list_init(&seen);
    while (n < max && n_seen < 4 * max + 64
           && !ovs_list_is_empty(&rt->wanted)) {
        struct rt_gw *gw = CONTAINER_OF(ovs_list_pop_front(&rt->wanted),
                                        struct rt_gw, want_node);
        const struct rt_pub *pub = ovsrcu_get_protected(struct rt_pub *,
                                                        &gw->link->pub);

        ovs_list_push_back(&seen, &gw->want_node);
        n_seen++;
        if (!ip_is_local(rt, pub->owner, &gw->ip)) {
            out[n].iface = &pub->iface;
            out[n].ip = gw->ip;
            n++;
        }
    }
    ovs_list_push_back_all(&rt->wanted, &seen);
    return n;
}
