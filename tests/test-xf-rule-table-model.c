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

#include "test-xf-rule-table.h"

#include <errno.h>
#include <string.h>

#include "packets.h"
#include "util.h"

/* The naive rule table.  Slow and simple on purpose; nothing is shared with
 * the real one. */

#define REMOVE(ARRAY, N, I) ((ARRAY)[I] = (ARRAY)[--(N)])

/* Removes the elements for which COND, an expression of index 'i', is true. */
#define REMOVE_IF(ARRAY, N, COND)                                       \
    for (size_t i = 0; i < (N); ) {                                     \
        if (COND) {                                                     \
            REMOVE(ARRAY, N, i);                                        \
        } else {                                                        \
            i++;                                                        \
        }                                                               \
    }

/* ---- Addresses. ---- */

static int
bit_at(const struct in6_addr *a, int i)
{
    return (a->s6_addr[i / 8] >> (7 - i % 8)) & 1;
}

static bool
same_ip(const struct in6_addr *a, const struct in6_addr *b)
{
    return !memcmp(a, b, sizeof *a);
}

static bool
same_prefix(const struct xf_prefix *a, const struct xf_prefix *b)
{
    return a->len == b->len && same_ip(&a->addr, &b->addr);
}

static bool
covers(const struct xf_prefix *p, const struct in6_addr *ip)
{
    int ofs = xf_addr_is_v4(&p->addr) ? 96 : 0;

    if (xf_addr_is_v4(&p->addr) != xf_addr_is_v4(ip)) {
        return false;
    }
    for (int i = 0; i < p->len; i++) {
        if (bit_at(&p->addr, ofs + i) != bit_at(ip, ofs + i)) {
            return false;
        }
    }
    return true;
}

static void
set_bit(struct in6_addr *a, int i, int value)
{
    a->s6_addr[i / 8] &= ~(0x80 >> i % 8);
    a->s6_addr[i / 8] |= value ? 0x80 >> i % 8 : 0;
}

static bool
is_linklocal(const struct in6_addr *ip)
{
    return ip->s6_addr[0] == 0xfe && (ip->s6_addr[1] & 0xc0) == 0x80;
}

bool
model_is_special(const struct in6_addr *ip)
{
    static const char *const specials[] = {
        "0.0.0.0/32", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
        "::/128", "::1/128", "fe80::/10", "ff00::/8",
    };

    for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
        struct xf_prefix p;
        unsigned int len;

        if (i < 4) {
            ovs_be32 v4;
            char *error = ip_parse_cidr(specials[i], &v4, &len);

            ovs_assert(!error);
            in6_addr_set_mapped_ipv4(&p.addr, v4);
        } else {
            char *error = ipv6_parse_cidr(specials[i], &p.addr, &len);

            ovs_assert(!error);
        }
        p.len = len;
        if (covers(&p, ip)) {
            return true;
        }
    }
    return false;
}

/* ---- Sources. ---- */

int
model_source_add(struct model *m, int source)
{
    if (m->sources[source].present) {
        return EEXIST;
    }
    m->sources[source].present = true;
    return 0;
}

/* Removes what 'source' states, or only what is stale of it. */
static size_t
withdraw(struct model *m, int source, bool only_stale)
{
    size_t n = 0;

#define WITHDRAW(ARRAY, N)                                              \
    n += (N);                                                           \
    REMOVE_IF(ARRAY, N, ((ARRAY)[i].source == source                    \
                         && (!only_stale || (ARRAY)[i].stale)));        \
    n -= (N);
    WITHDRAW(m->routes, m->n_routes);
    WITHDRAW(m->nhs, m->n_nhs);
    WITHDRAW(m->addrs, m->n_addrs);
    WITHDRAW(m->neighs, m->n_neighs);
    return n;
}

int
model_source_del(struct model *m, int source)
{
    if (!m->sources[source].present) {
        return ENOENT;
    }
    withdraw(m, source, false);
    m->sources[source].present = false;
    return 0;
}

int
model_source_mark(struct model *m, int source)
{
#define MARK(ARRAY, N)                                                  \
    for (size_t i = 0; i < (N); i++) {                                  \
        if ((ARRAY)[i].source == source) {                              \
            (ARRAY)[i].stale = true;                                    \
        }                                                               \
    }
    MARK(m->routes, m->n_routes);
    MARK(m->nhs, m->n_nhs);
    MARK(m->addrs, m->n_addrs);
    MARK(m->neighs, m->n_neighs);
    return m->sources[source].present ? 0 : ENOENT;
}

size_t
model_source_sweep(struct model *m, int source)
{
    return withdraw(m, source, true);
}

size_t
model_source_n_stale(const struct model *m, int source)
{
    size_t n = 0;

#define COUNT(ARRAY, N)                                                 \
    for (size_t i = 0; i < (N); i++) {                                  \
        n += (ARRAY)[i].source == source && (ARRAY)[i].stale;           \
    }
    COUNT(m->routes, m->n_routes);
    COUNT(m->nhs, m->n_nhs);
    COUNT(m->addrs, m->n_addrs);
    COUNT(m->neighs, m->n_neighs);
    return n;
}

size_t
model_source_n_routes(const struct model *m, int source)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_routes; i++) {
        n += m->routes[i].source == source;
    }
    return n;
}

/* ---- Routes. ---- */

int
model_route_add(struct model *m, int source, const struct xf_route_spec *spec,
                bool replace_prefix)
{
    struct model_route new = {
        .source = source, .prefix = spec->prefix, .type = spec->type,
        .protocol = spec->protocol, .metric = spec->metric,
        .nhid = spec->nhid, .n = spec->n_nexthops, .iface = -1,
    };

    if (!m->sources[source].present) {
        return ENOENT;
    }
    if (spec->n_nexthops) {
        memcpy(new.hops, spec->nexthops,
               spec->n_nexthops * sizeof *spec->nexthops);
    }
    REMOVE_IF(m->routes, m->n_routes,
              m->routes[i].source == source
              && same_prefix(&m->routes[i].prefix, &spec->prefix)
              && (replace_prefix || m->routes[i].metric == spec->metric));
    ovs_assert(m->n_routes < MODEL_MAX_ROUTES);
    m->routes[m->n_routes++] = new;
    return 0;
}

int
model_route_del(struct model *m, int source, const struct xf_prefix *prefix,
                uint32_t metric)
{
    int found = -1;

    for (size_t i = 0; i < m->n_routes; i++) {
        const struct model_route *r = &m->routes[i];

        if (r->source == source && same_prefix(&r->prefix, prefix)
            && (metric == UINT32_MAX || r->metric == metric)
            && (found < 0 || r->metric < m->routes[found].metric)) {
            found = i;
        }
    }
    if (found < 0) {
        return ENOENT;
    }
    REMOVE(m->routes, m->n_routes, found);
    return 0;
}

/* Appends the routes that follow from addresses to 'out'. */
static size_t
derive(const struct model *m, struct model_route out[])
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_addrs; i++) {
        const struct model_addr *a = &m->addrs[i];
        int ofs = xf_addr_is_v4(&a->ip) ? 96 : 0;
        int bits = 128 - ofs;
        struct model_route r = {
            .source = a->source, .protocol = 2, .iface = -1, .derived = true,
            .type = XF_ROUTE_LOCAL, .prefix = { a->ip, bits },
        };

        if (is_linklocal(&a->ip)) {
            continue;
        }
        out[n++] = r;
        if (a->len <= bits - 2) {
            struct model_route edge = r;

            for (int b = a->len; b < bits; b++) {
                set_bit(&edge.prefix.addr, ofs + b, ofs != 0);
            }
            if (!same_ip(&edge.prefix.addr, &a->ip)) {
                out[n++] = edge;
            }
        }
        if (a->len < bits) {
            for (int b = a->len; b < bits; b++) {
                set_bit(&r.prefix.addr, ofs + b, 0);
            }
            r.prefix.len = a->len;
            r.type = XF_ROUTE_UNICAST;
            r.iface = a->iface;
            out[n++] = r;
        }
    }
    return n;
}

size_t
model_n_listed(const struct model *m)
{
    struct model_route out[3 * MODEL_MAX_ADDRS];

    return m->n_routes + derive(m, out);
}

/* True if 'a' is better than 'b', both routes to one destination. */
static bool
better(const struct model *m, const struct model_route *a,
       const struct model_route *b)
{
    bool a_down = a->iface >= 0 && !m->ifaces[a->iface].iface.up;
    bool b_down = b->iface >= 0 && !m->ifaces[b->iface].iface.up;
    int a_pref = a->derived ? 0 : m->sources[a->source].preference;
    int b_pref = b->derived ? 0 : m->sources[b->source].preference;

    if (a->prefix.len != b->prefix.len) {
        return a->prefix.len > b->prefix.len;
    }
    if (a_down != b_down) {
        return b_down;
    }
    if (a_pref != b_pref) {
        return a_pref < b_pref;
    }
    if (a->metric != b->metric) {
        return a->metric < b->metric;
    }
    if (a->source != b->source || a->iface < 0 || b->iface < 0) {
        return m->sources[a->source].id < m->sources[b->source].id;
    }
    return strcmp(m->ifaces[a->iface].iface.name,
                  m->ifaces[b->iface].iface.name) < 0;
}

/* Stores the route that packets to 'dst' follow in '*best'. */
static bool
best_route(const struct model *m, const struct in6_addr *dst,
           struct model_route *best)
{
    struct model_route derived[3 * MODEL_MAX_ADDRS];
    size_t n = derive(m, derived);
    bool found = false;

    for (size_t i = 0; i < m->n_routes + n; i++) {
        const struct model_route *r =
            i < m->n_routes ? &m->routes[i] : &derived[i - m->n_routes];

        if (covers(&r->prefix, dst) && (!found || better(m, r, best))) {
            *best = *r;
            found = true;
        }
    }
    return found && !model_is_special(dst);
}

/* ---- Next hops. ---- */

static struct model_nh *
nh_find(const struct model *m, int source, uint32_t id)
{
    for (size_t i = 0; i < m->n_nhs; i++) {
        if (m->nhs[i].source == source && m->nhs[i].id == id) {
            return CONST_CAST(struct model_nh *, &m->nhs[i]);
        }
    }
    return NULL;
}

int
model_nh_set(struct model *m, const struct model_nh *new)
{
    struct model_nh *old = nh_find(m, new->source, new->id);

    if (!m->sources[new->source].present) {
        return ENOENT;
    }
    if (new->kind == MODEL_GROUP
        || (new->kind == MODEL_HOPS && new->n > 1)) {
        for (size_t i = 0; i < m->n_nhs; i++) {
            const struct model_nh *g = &m->nhs[i];

            for (size_t j = 0; g->kind == MODEL_GROUP && j < g->n; j++) {
                if (g->source == new->source && g->members[j].id == new->id) {
                    return EINVAL;
                }
            }
        }
    }
    for (size_t i = 0; new->kind == MODEL_GROUP && i < new->n; i++) {
        const struct model_nh *member = nh_find(m, new->source,
                                                new->members[i].id);

        if (new->members[i].id == new->id
            || (member && (member->kind == MODEL_GROUP
                           || (member->kind == MODEL_HOPS
                               && member->n > 1)))) {
            return EINVAL;
        }
    }
    if (!old) {
        ovs_assert(m->n_nhs < MODEL_MAX_NEXTHOPS);
        old = &m->nhs[m->n_nhs++];
    }
    *old = *new;
    return 0;
}

int
model_nh_del(struct model *m, int source, uint32_t id)
{
    struct model_nh *nh = nh_find(m, source, id);

    if (!nh) {
        return ENOENT;
    }
    REMOVE(m->nhs, m->n_nhs, nh - m->nhs);
    return 0;
}

struct hop {
    struct in6_addr gateway;
    int iface;                  /* -1: unknown; -2: blackhole. */
    uint32_t weight;
};

static int
iface_of(const struct model *m, uint32_t ifindex)
{
    for (int i = 0; i < MODEL_MAX_IFACES; i++) {
        if (m->ifaces[i].present && m->ifaces[i].iface.ifindex == ifindex) {
            return i;
        }
    }
    return -1;
}

/* Stores the next hops of 'r' in 'out', usable or not. */
static size_t
resolve(const struct model *m, const struct model_route *r, struct hop out[])
{
    const struct model_nh *nh = nh_find(m, r->source, r->nhid);
    size_t n = 0;

    if (r->iface >= 0) {
        out[n++] = (struct hop) { in6addr_any, r->iface, 1 };
    } else if (!r->nhid || (nh && nh->kind == MODEL_HOPS)) {
        const struct xf_nexthop *hops = r->nhid ? nh->hops : r->hops;
        size_t n_hops = r->nhid ? nh->n : r->n;

        for (size_t i = 0; i < n_hops; i++) {
            out[n++] = (struct hop) { hops[i].gateway,
                                      iface_of(m, hops[i].ifindex),
                                      hops[i].weight };
        }
    } else if (nh && nh->kind == MODEL_BLACKHOLE) {
        out[n++] = (struct hop) { in6addr_any, -2, 1 };
    } else if (nh) {
        for (size_t i = 0; i < nh->n; i++) {
            const struct model_nh *x = nh_find(m, r->source,
                                               nh->members[i].id);

            if (x) {
                out[n++] = (struct hop) {
                    x->hops[0].gateway,
                    x->kind == MODEL_BLACKHOLE
                    ? -2 : iface_of(m, x->hops[0].ifindex),
                    nh->members[i].weight
                };
            }
        }
    }
    return n;
}

/* ---- Lookup. ---- */

static struct model_neigh *
neigh_find(const struct model *m, int iface, const struct in6_addr *ip)
{
    for (size_t i = 0; i < m->n_neighs; i++) {
        if (m->neighs[i].iface == iface && same_ip(&m->neighs[i].ip, ip)) {
            return CONST_CAST(struct model_neigh *, &m->neighs[i]);
        }
    }
    return NULL;
}

static void
lookup_hops(const struct model *m, const struct model_route *r,
            const struct in6_addr *dst, uint32_t hash,
            struct model_result *result)
{
    struct hop hops[MODEL_MAX_HOPS];
    size_t n_all = resolve(m, r, hops);
    uint64_t total = 0;
    uint64_t sum = 0;
    size_t n = 0;
    size_t i;

    for (i = 0; i < n_all; i++) {
        if (hops[i].iface == -2
            || (hops[i].iface >= 0 && m->ifaces[hops[i].iface].iface.up)) {
            hops[n++] = hops[i];
            total += hops[n - 1].weight;
        }
    }
    if (!n) {
        result->reason = n_all ? XF_PUNT_LINK_DOWN : XF_PUNT_NO_NEXTHOP;
        return;
    }
    result->used_hash = n > 1;
    for (i = 0; i < n; i++) {
        sum += hops[i].weight;
        if (hash * total < sum << 32) {
            break;
        }
    }
    if (hops[i].iface == -2) {
        result->verdict = XF_DROP;
        result->reason = 0;
        return;
    }
    result->iface = hops[i].iface;
    result->nexthop = (ipv6_addr_is_set(&hops[i].gateway)
                       ? hops[i].gateway : *dst);

    const struct model_neigh *neigh = neigh_find(m, result->iface,
                                                 &result->nexthop);
    if (neigh) {
        result->verdict = XF_FORWARD;
        result->reason = 0;
        result->dmac = neigh->mac;
    } else {
        result->reason = XF_PUNT_NO_NEIGHBOR;
    }
}

void
model_lookup(const struct model *m, const struct in6_addr *dst,
             uint32_t hash, struct model_result *result)
{
    struct model_route r;

    memset(result, 0, sizeof *result);
    result->verdict = XF_PUNT;
    result->iface = -1;
    if (model_is_special(dst)) {
        result->reason = XF_PUNT_SPECIAL;
        return;
    }
    if (!best_route(m, dst, &r)) {
        result->reason = XF_PUNT_NO_ROUTE;
        return;
    }
    result->has_route = true;
    result->prefix = r.prefix;
    result->protocol = r.protocol;
    if (r.type == XF_ROUTE_UNICAST) {
        lookup_hops(m, &r, dst, hash, result);
    } else if (r.type == XF_ROUTE_BLACKHOLE) {
        result->verdict = XF_DROP;
    } else {
        result->reason = (r.type == XF_ROUTE_LOCAL ? XF_PUNT_LOCAL
                          : r.type == XF_ROUTE_PROHIBIT ? XF_PUNT_PROHIBIT
                          : XF_PUNT_UNREACHABLE);
    }
}

/* ---- Interfaces. ---- */

static int
segment_owner(const struct model *m, uint16_t vlan, struct eth_addr mac)
{
    for (int i = 0; i < MODEL_MAX_IFACES; i++) {
        if (m->ifaces[i].present && m->ifaces[i].iface.vlan == vlan
            && eth_addr_equals(m->ifaces[i].iface.mac, mac)) {
            return i;
        }
    }
    return -1;
}

static int
iface_store(struct model *m, int self, const struct xf_iface *iface)
{
    int other = segment_owner(m, iface->vlan, iface->mac);
    int holder = iface->ifindex ? iface_of(m, iface->ifindex) : -1;

    if ((other >= 0 && other != self) || (holder >= 0 && holder != self)) {
        return EEXIST;
    }
    m->ifaces[self].iface = *iface;
    m->ifaces[self].present = true;
    REMOVE_IF(m->neighs, m->n_neighs,
              segment_owner(m, m->ifaces[m->neighs[i].iface].iface.vlan,
                            m->neighs[i].mac) >= 0);
    return 0;
}

int
model_iface_add(struct model *m, int i, const struct xf_iface *iface)
{
    return m->ifaces[i].present ? EEXIST : iface_store(m, i, iface);
}

int
model_iface_update(struct model *m, int i, const struct xf_iface *iface)
{
    return m->ifaces[i].present ? iface_store(m, i, iface) : ENOENT;
}

int
model_iface_del(struct model *m, int gone)
{
    if (!m->ifaces[gone].present) {
        return ENOENT;
    }
    m->ifaces[gone].present = false;
    REMOVE_IF(m->addrs, m->n_addrs, m->addrs[i].iface == gone);
    REMOVE_IF(m->neighs, m->n_neighs, m->neighs[i].iface == gone);
    return 0;
}

/* ---- Addresses. ---- */

static int
addr_find(const struct model *m, const struct model_addr *a)
{
    for (size_t i = 0; i < m->n_addrs; i++) {
        const struct model_addr *b = &m->addrs[i];

        if (a->source == b->source && a->iface == b->iface
            && a->len == b->len && same_ip(&a->ip, &b->ip)) {
            return i;
        }
    }
    return -1;
}

int
model_addr_add(struct model *m, const struct model_addr *a)
{
    int i = addr_find(m, a);

    if (!m->sources[a->source].present || !m->ifaces[a->iface].present) {
        return ENOENT;
    }
    if (i < 0) {
        struct model_neigh *neigh = neigh_find(m, a->iface, &a->ip);

        ovs_assert(m->n_addrs < MODEL_MAX_ADDRS);
        m->addrs[m->n_addrs++] = *a;
        if (neigh) {
            REMOVE(m->neighs, m->n_neighs, neigh - m->neighs);
        }
    } else {
        m->addrs[i].stale = false;
    }
    return 0;
}

int
model_addr_del(struct model *m, const struct model_addr *a)
{
    int i = addr_find(m, a);

    if (!m->sources[a->source].present || i < 0) {
        return ENOENT;
    }
    REMOVE(m->addrs, m->n_addrs, i);
    return 0;
}

/* ---- Neighbours. ---- */

static bool
is_own_ip(const struct model *m, int iface, const struct in6_addr *ip)
{
    struct model_route r;

    if (is_linklocal(ip)) {
        for (size_t i = 0; i < m->n_addrs; i++) {
            if (m->addrs[i].iface == iface && same_ip(&m->addrs[i].ip, ip)) {
                return true;
            }
        }
        return false;
    }
    return best_route(m, ip, &r) && r.type == XF_ROUTE_LOCAL;
}

int
model_neigh_set(struct model *m, const struct model_neigh *new)
{
    struct model_neigh *old = neigh_find(m, new->iface, &new->ip);

    if (!m->sources[new->source].present || !m->ifaces[new->iface].present) {
        return ENOENT;
    }
    if ((model_is_special(&new->ip) && !is_linklocal(&new->ip))
        || is_own_ip(m, new->iface, &new->ip)
        || segment_owner(m, m->ifaces[new->iface].iface.vlan, new->mac) >= 0) {
        return EINVAL;
    }
    if (old && old->state == XF_NEIGH_PERMANENT
        && new->state != XF_NEIGH_PERMANENT && old->source != new->source) {
        return EEXIST;
    }
    if (!old) {
        ovs_assert(m->n_neighs < MODEL_MAX_NEIGHS);
        old = &m->neighs[m->n_neighs++];
    }
    *old = *new;
    return 0;
}

int
model_neigh_del(struct model *m, int iface, const struct in6_addr *ip)
{
    struct model_neigh *neigh = neigh_find(m, iface, ip);

    if (!neigh) {
        return ENOENT;
    }
    REMOVE(m->neighs, m->n_neighs, neigh - m->neighs);
    return 0;
}

/* True if some next hop of a stated route is the gateway 'ip' on 'iface'. */
static bool
is_gateway(const struct model *m, int iface, const struct in6_addr *ip)
{
    for (size_t i = 0; i < m->n_routes; i++) {
        struct hop hops[MODEL_MAX_HOPS];
        size_t n = (m->routes[i].type == XF_ROUTE_UNICAST
                    ? resolve(m, &m->routes[i], hops) : 0);

        for (size_t j = 0; j < n; j++) {
            if (hops[j].iface == iface && same_ip(&hops[j].gateway, ip)) {
                return true;
            }
        }
    }
    return false;
}

enum xf_neigh_news
model_hear(const struct model *m, int iface, const struct in6_addr *ip,
           struct eth_addr mac)
{
    const struct model_neigh *neigh = neigh_find(m, iface, ip);
    int owner = segment_owner(m, m->ifaces[iface].iface.vlan, mac);
    struct model_route r;

    if ((model_is_special(ip) && !is_linklocal(ip))
        || is_own_ip(m, iface, ip) || (owner >= 0 && owner != iface)) {
        return XF_NEIGH_IGNORE;
    }
    if (owner == iface) {
        return XF_NEIGH_OWN;
    }
    if (neigh && eth_addr_equals(neigh->mac, mac)) {
        return XF_NEIGH_KNOWN;
    }
    if (neigh && neigh->state == XF_NEIGH_PERMANENT) {
        return XF_NEIGH_IGNORE;
    }
    if (is_linklocal(ip) || is_gateway(m, iface, ip)) {
        return XF_NEIGH_NEW;
    }
    if (best_route(m, ip, &r) && r.type == XF_ROUTE_UNICAST) {
        struct hop hops[MODEL_MAX_HOPS];
        size_t n = resolve(m, &r, hops);

        for (size_t i = 0; i < n; i++) {
            if (hops[i].iface == iface
                && !ipv6_addr_is_set(&hops[i].gateway)) {
                return XF_NEIGH_NEW;
            }
        }
    }
    return XF_NEIGH_IGNORE;
}

bool
model_wants(const struct model *m, int iface, const struct in6_addr *ip)
{
    return (m->ifaces[iface].present && m->ifaces[iface].iface.up
            && is_gateway(m, iface, ip) && !neigh_find(m, iface, ip)
            && !is_own_ip(m, iface, ip));
}
