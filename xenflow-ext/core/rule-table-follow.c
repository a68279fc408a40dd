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
#include "core/rule-table-follow.h"

#include <stdlib.h>
#include <string.h>

#include "core/rule-table-private.h"
#include "core/wire.h"
#include "openvswitch/util.h"

/* What has gone: a key. */
struct rt_gone {
    struct ovs_list node;       /* In follower's 'gone'. */
    uint32_t source;
    uint8_t kind;               /* enum rt_kind. */
    uint8_t len;                /* Of the route's or address's prefix. */
    uint32_t number;            /* Metric, next-hop id or ifindex. */
    struct in6_addr ip;         /* Of all but next hops. */
};

struct xf_rt_follower {
    struct xf_rt *rt;
    size_t n;                   /* Of 'cursors'. */
    uint32_t ids[XF_RT_FOLLOW_MAX]; /* Of the sources. */
    struct rt_cursor cursors[XF_RT_FOLLOW_MAX];
    struct ovs_list gone;       /* struct rt_gone, */
    size_t n_gone;              /* so many. */
    bool lost;
};

/* ---- Life. ---- */

static void
detach(struct xf_rt_follower *f)
{
    struct rt_gone *gone;

    for (size_t i = 0; i < f->n; i++) {
        if (f->cursors[i].source) {
            f->cursors[i].source->cursor = NULL;
            f->cursors[i].source = NULL;
        }
    }
    LIST_FOR_EACH_POP (gone, node, &f->gone) {
        free(gone);
    }
    f->n_gone = 0;
}

void
xf_rt_follow_restart(struct xf_rt_follower *f)
{
    detach(f);
    for (size_t i = 0; i < f->n; i++) {
        struct rt_cursor *cursor = &f->cursors[i];

        cursor->source = rt_source_find(f->rt, f->ids[i]);
        if (cursor->source) {
            cursor->source->cursor = cursor;
            cursor->told.last = &cursor->source->stale;
            cursor->told.in_fresh = false;
            cursor->counted = cursor->told;
        }
    }
    f->lost = false;
}

struct xf_rt_follower *
xf_rt_follow(struct xf_rt *rt, const uint32_t *ids, size_t n)
{
    struct xf_rt_follower *f = xzalloc(sizeof *f);

    ovs_assert(!rt->follower && n <= XF_RT_FOLLOW_MAX);
    f->rt = rt;
    f->n = n;
    memcpy(f->ids, ids, n * sizeof *ids);
    ovs_list_init(&f->gone);
    rt->follower = f;
    xf_rt_follow_restart(f);
    return f;
}

void
xf_rt_unfollow(struct xf_rt_follower *f)
{
    if (f) {
        detach(f);
        f->rt->follower = NULL;
        free(f);
    }
}

bool
xf_rt_follow_is_lost(const struct xf_rt_follower *f)
{
    return f->lost;
}

/* ---- What the table tells. ---- */

/* See rule-table-private.h. */
void
rt_follow_source(struct xf_rt *rt, struct rt_source *source)
{
    struct xf_rt_follower *f = rt->follower;

    if (source->cursor) {
        source->cursor->source = NULL;
        source->cursor = NULL;
    }
    for (size_t i = 0; f && i < f->n; i++) {
        f->lost = f->lost || f->ids[i] == source->id;
    }
}

static void
place_mark(struct rt_place *place, const struct rt_source *source)
{
    if (place->in_fresh) {
        if (place->last == &source->fresh) {
            place->last = source->stale.prev;
        }
        place->in_fresh = false;
    }
}

/* See rule-table-private.h. */
void
rt_follow_mark(struct rt_source *source)
{
    if (source->cursor) {
        place_mark(&source->cursor->told, source);
        place_mark(&source->cursor->counted, source);
    }
}

/* Remembers a key of 'stmt', which goes. */
static void
add_gone(struct xf_rt *rt, const struct rt_stmt *stmt, uint32_t number,
         const struct in6_addr *ip, uint8_t len)
{
    struct xf_rt_follower *f = rt->follower;

    if (f->lost) {
        return;
    }
    if (f->n_gone >= XF_RT_GONE_MAX) {
        f->lost = true;
        return;
    }

    struct rt_gone *gone = xzalloc(sizeof *gone);
    gone->source = stmt->source->id;
    gone->kind = stmt->kind;
    gone->number = number;
    gone->len = len;
    if (ip) {
        gone->ip = *ip;
    }
    ovs_list_push_back(&f->gone, &gone->node);
    f->n_gone++;
}

/* See rule-table-private.h. */
void
rt_follow_gone__(struct xf_rt *rt, const struct rt_stmt *stmt)
{
    const struct rt_route *route;
    const struct rt_neigh *neigh;
    const struct rt_addr *addr;
    struct xf_prefix prefix;

    switch ((enum rt_kind) stmt->kind) {
    case RT_ROUTE:
        route = CONTAINER_OF(stmt, struct rt_route, stmt);
        prefix = rt_node_prefix(route->node, route->is_v4);
        add_gone(rt, stmt, route->metric, &prefix.addr, prefix.len);
        break;
    case RT_NEXTHOP:
        add_gone(rt, stmt, CONTAINER_OF(stmt, struct rt_nh, stmt)->id, NULL,
                 0);
        break;
    case RT_NEIGH:
        neigh = CONTAINER_OF(stmt, struct rt_neigh, stmt);
        add_gone(rt, stmt, neigh->iface->pub->iface.ifindex, &neigh->ip, 0);
        break;
    case RT_ADDR:
        addr = CONTAINER_OF(stmt, struct rt_addr, stmt);
        add_gone(rt, stmt, addr->iface->pub->iface.ifindex, &addr->addr,
                 addr->prefix_len);
        break;
    case RT_DERIVED:
    default:
        break;
    }
}

/* ---- From statements to messages. ---- */

static void
hop_to_nexthop(const struct rt_hop *hop, struct xf_nexthop *nexthop)
{
    nexthop->gateway = hop->gateway;
    nexthop->ifindex = hop->link->ifindex;
    nexthop->weight = hop->weight;
}

static const struct rt_nhset *
nh_set(const struct rt_nh *nh)
{
    return ovsrcu_get_protected(struct rt_nhset *, &nh->set);
}

static bool
tell_route(const struct rt_route *route, struct xf_wire_msg *msg)
{
    struct xf_route_spec *spec = &msg->route;

    msg->type = XF_WIRE_ROUTE_ADD;
    memset(spec, 0, sizeof *spec);
    spec->prefix = rt_node_prefix(route->node, route->is_v4);
    spec->type = route->type;
    spec->protocol = route->protocol;
    spec->metric = route->metric;
    spec->nexthops = msg->nexthops;
    if (route->nh && route->nh->id) {
        spec->nhid = route->nh->id;
    } else if (route->nh) {
        const struct rt_nhset *set = nh_set(route->nh);

        for (size_t i = 0; i < set->n; i++) {
            hop_to_nexthop(&set->hops[i], &msg->nexthops[i]);
        }
        spec->n_nexthops = msg->n_nexthops = set->n;
    }
    return true;
}

static bool
tell_nexthop(const struct rt_nh *nh, struct xf_wire_msg *msg)
{
    const struct rt_nhset *set = nh_set(nh);

    msg->nexthop_id = nh->id;
    msg->blackhole = set->kind == RT_NHS_BLACKHOLE;
    msg->n_nexthops = msg->n_members = 0;
    if (set->kind == RT_NHS_GROUP) {
        msg->type = XF_WIRE_NEXTHOP_GROUP_ADD;
        for (size_t i = 0; i < set->n; i++) {
            msg->members[i].id = set->members[i].nh->id;
            msg->members[i].weight = set->members[i].weight;
        }
        msg->n_members = set->n;
        return true;
    }
    msg->type = XF_WIRE_NEXTHOP_ADD;
    if (set->kind == RT_NHS_HOPS) {
        /* Speakers can't state others than single ones. */
        hop_to_nexthop(&set->hops[0], &msg->nexthops[0]);
        msg->n_nexthops = 1;
    }
    return true;
}

static bool
tell_neigh(const struct rt_neigh *neigh, struct xf_wire_msg *msg)
{
    int state;

    atomic_read_relaxed(&CONST_CAST(struct rt_neigh *, neigh)->state, &state);
    msg->type = XF_WIRE_NEIGH_ADD;
    msg->ifindex = neigh->iface->pub->iface.ifindex;
    msg->ip = neigh->ip;
    msg->mac = neigh->mac;
    msg->permanent = state == XF_NEIGH_PERMANENT;
    msg->confirmed = state != XF_NEIGH_PROBE;
    return msg->ifindex;
}

static bool
tell_addr(const struct rt_addr *addr, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_ADDR_ADD;
    msg->ifindex = addr->iface->pub->iface.ifindex;
    msg->ip = addr->addr;
    msg->prefix_len = addr->prefix_len;
    msg->temporary = addr->stmt.source->preference == XF_PREF_LEARNED;
    return msg->ifindex;
}

static bool
tell_stmt(const struct rt_stmt *stmt, struct xf_wire_msg *msg)
{
    switch ((enum rt_kind) stmt->kind) {
    case RT_ROUTE:
        return tell_route(CONTAINER_OF(stmt, struct rt_route, stmt), msg);
    case RT_NEXTHOP:
        return tell_nexthop(CONTAINER_OF(stmt, struct rt_nh, stmt), msg);
    case RT_NEIGH:
        return tell_neigh(CONTAINER_OF(stmt, struct rt_neigh, stmt), msg);
    case RT_ADDR:
        return tell_addr(CONTAINER_OF(stmt, struct rt_addr, stmt), msg);
    case RT_DERIVED:
    default:
        return false;
    }
}

/* ---- What has gone. ---- */

/* The interface of ifindex 'number', or NULL. */
static const struct rt_iface *
iface_of(const struct xf_rt *rt, uint32_t number)
{
    const struct xf_iface *iface = (number
                                    ? xf_rt_iface_by_ifindex(rt, number)
                                    : NULL);

    return iface ? rt_iface_find(rt, iface->name) : NULL;
}

static bool
tell_gone_neigh(const struct xf_rt *rt, const struct rt_gone *gone,
                struct xf_wire_msg *msg)
{
    const struct rt_iface *iface = iface_of(rt, gone->number);

    msg->type = XF_WIRE_NEIGH_DEL;
    msg->ifindex = gone->number;
    msg->ip = gone->ip;
    return gone->number && !(iface && rt_neigh_find(rt, iface, &gone->ip));
}

static bool
tell_gone_addr(const struct xf_rt *rt, const struct rt_gone *gone,
               struct xf_wire_msg *msg)
{
    const struct rt_source *source = rt_source_find(rt, gone->source);
    const struct rt_iface *iface = iface_of(rt, gone->number);
    const struct rt_addr *addr;

    msg->type = XF_WIRE_ADDR_DEL;
    msg->ifindex = gone->number;
    msg->ip = gone->ip;
    msg->prefix_len = gone->len;
    msg->temporary = source && source->preference == XF_PREF_LEARNED;
    if (iface) {
        LIST_FOR_EACH (addr, iface_node, &iface->addrs) {
            if (addr->stmt.source == source && addr->prefix_len == gone->len
                && IN6_ARE_ADDR_EQUAL(&addr->addr, &gone->ip)) {
                return false;
            }
        }
    }
    return gone->number;
}

/* Stores the withdrawal of 'gone', unless it was stated again; next hops are
 * told again then. */
static bool
tell_gone(const struct xf_rt *rt, const struct rt_gone *gone,
          struct xf_wire_msg *msg)
{
    const struct rt_source *source = rt_source_find(rt, gone->source);
    struct rt_nh *nh;

    switch ((enum rt_kind) gone->kind) {
    case RT_ROUTE:
        msg->type = XF_WIRE_ROUTE_DEL;
        memset(&msg->route, 0, sizeof msg->route);
        msg->route.prefix = (struct xf_prefix) { gone->ip, gone->len };
        msg->route.metric = gone->number;
        return !source || !rt_route_find(rt, source, &msg->route.prefix,
                                         gone->number);
    case RT_NEXTHOP:
        msg->type = XF_WIRE_NEXTHOP_DEL;
        msg->nexthop_id = gone->number;
        nh = source ? rt_nh_find(rt, source, gone->number) : NULL;
        if (nh && nh_set(nh)) {
            /* What it was may be in the way of what is told before it is, as
             * a group is as a member. */
            rt_stmt_renew(&nh->stmt);
        }
        return true;
    case RT_NEIGH:
        return tell_gone_neigh(rt, gone, msg);
    case RT_ADDR:
        return tell_gone_addr(rt, gone, msg);
    case RT_DERIVED:
    default:
        return false;
    }
}

/* ---- Going on. ---- */

/* Takes 'place' to the next statement of 'source', or returns NULL. */
static const struct rt_stmt *
advance(struct rt_place *place, const struct rt_source *source)
{
    if (!place->in_fresh) {
        if (place->last->next != &source->stale) {
            place->last = place->last->next;
            return CONTAINER_OF(place->last, struct rt_stmt, node);
        }
        place->in_fresh = true;
        place->last = CONST_CAST(struct ovs_list *, &source->fresh);
    }
    if (place->last->next == &source->fresh) {
        return NULL;
    }
    place->last = place->last->next;
    return CONTAINER_OF(place->last, struct rt_stmt, node);
}

bool
xf_rt_follow_next(struct xf_rt_follower *f, struct xf_wire_msg *msg)
{
    const struct rt_stmt *stmt;

    while (!ovs_list_is_empty(&f->gone)) {
        struct rt_gone *gone = CONTAINER_OF(ovs_list_pop_front(&f->gone),
                                            struct rt_gone, node);
        bool told = tell_gone(f->rt, gone, msg);

        f->n_gone--;
        free(gone);
        if (told) {
            return true;
        }
    }
    for (size_t i = 0; i < f->n; i++) {
        struct rt_cursor *cursor = &f->cursors[i];

        while (cursor->source
               && (stmt = advance(&cursor->told, cursor->source)) != NULL) {
            if (tell_stmt(stmt, msg)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Counters. ---- */

void
xf_rt_follow_recount(struct xf_rt_follower *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct rt_cursor *cursor = &f->cursors[i];

        if (cursor->source) {
            cursor->counted.last = &cursor->source->stale;
            cursor->counted.in_fresh = false;
        }
    }
}

/* Whether 'stat' was used since 'since_ms'. */
static bool
is_used(const struct xf_stat *stat, long long int since_ms)
{
    long long int used_ms;

    atomic_read_relaxed(&CONST_CAST(struct xf_stat *, stat)->used_ms,
                        &used_ms);
    return used_ms && used_ms >= since_ms;
}

/* Stores what 'stmt' has carried, if that is to be told. */
static bool
count_stmt(const struct rt_stmt *stmt, long long int since_ms,
           struct xf_rt_count *count)
{
    if (stmt->kind == RT_ROUTE) {
        const struct rt_route *route = CONTAINER_OF(stmt, struct rt_route,
                                                    stmt);

        count->is_neigh = false;
        count->prefix = rt_node_prefix(route->node, route->is_v4);
        count->number = route->metric;
        count->stat = route->stat;
        return is_used(route->stat, since_ms);
    } else if (stmt->kind == RT_NEIGH) {
        struct rt_neigh *neigh = CONTAINER_OF(stmt, struct rt_neigh, stmt);

        count->is_neigh = true;
        count->prefix = (struct xf_prefix) { .addr = neigh->ip };
        count->number = neigh->iface->pub->iface.ifindex;
        count->stat = neigh->stat;
        atomic_read_relaxed(&neigh->confirmed_ms, &count->confirmed_ms);
        return (count->number
                && (is_used(neigh->stat, since_ms)
                    || count->confirmed_ms >= since_ms));
    }
    return false;
}

bool
xf_rt_follow_next_count(struct xf_rt_follower *f, long long int since_ms,
                        size_t *budget, struct xf_rt_count *count)
{
    const struct rt_stmt *stmt;

    for (size_t i = 0; i < f->n; i++) {
        struct rt_cursor *cursor = &f->cursors[i];

        while (cursor->source && *budget
               && (stmt = advance(&cursor->counted,
                                  cursor->source)) != NULL) {
            --*budget;
            if (count_stmt(stmt, since_ms, count)) {
                return true;
            }
        }
    }
    return false;
}

/* Raises 'stat' to 'n_packets' and 'n_bytes', last used at 'used_ms' (0:
 * never). */
static void
stat_raise(struct xf_stat *stat, uint64_t n_packets, uint64_t n_bytes,
           long long int used_ms)
{
    uint64_t packets, bytes;

    atomic_read_relaxed(&stat->n_packets, &packets);
    atomic_read_relaxed(&stat->n_bytes, &bytes);
    if (n_packets > packets || n_bytes > bytes) {
        xf_stat_add(stat, n_packets - MIN(packets, n_packets),
                    n_bytes - MIN(bytes, n_bytes), used_ms);
    }
}

void
xf_rt_raise_count(struct xf_rt *rt, uint32_t source_id,
                  const struct xf_rt_count *count, uint64_t n_packets,
                  uint64_t n_bytes, long long int used_ms)
{
    const struct rt_source *source = rt_source_find(rt, source_id);

    if (count->is_neigh) {
        const struct rt_iface *iface = iface_of(rt, count->number);
        struct rt_neigh *neigh = (iface
                                  ? rt_neigh_find(rt, iface,
                                                  &count->prefix.addr)
                                  : NULL);

        if (neigh) {
            atomic_store_relaxed(&neigh->confirmed_ms, count->confirmed_ms);
            stat_raise(neigh->stat, n_packets, n_bytes, used_ms);
        }
    } else if (source) {
        struct rt_route *route = rt_route_find(rt, source, &count->prefix,
                                               count->number);

        if (route) {
            stat_raise(route->stat, n_packets, n_bytes, used_ms);
        }
    }
}
