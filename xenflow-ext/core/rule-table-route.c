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

static const char *const route_type_names[] = {
    [XF_ROUTE_UNICAST] = "unicast",
    [XF_ROUTE_LOCAL] = "local",
    [XF_ROUTE_BLACKHOLE] = "blackhole",
    [XF_ROUTE_UNREACHABLE] = "unreachable",
    [XF_ROUTE_PROHIBIT] = "prohibit",
};

/* Returns the name of 'type' as shown to users, e.g. "blackhole". */
const char *
xf_route_type_name(enum xf_route_type type)
{
    return (type < ARRAY_SIZE(route_type_names)
            ? route_type_names[type] : "unknown");
}

/* ---- The routes of one prefix. ---- */

/* Every change of a prefix's routes is made on the writer's chain first and
 * published by storing the new head: readers look at the head alone, so they
 * see the prefix before or after, never in between. */

static int
route_preference(const struct rt_route *route)
{
    return (route->stmt.kind == RT_DERIVED
            ? XF_PREF_LOCAL : route->stmt.source->preference);
}

/* The name of the interface of the connected 'route', "" of others. */
static const char *
connected_iface(const struct rt_route *route)
{
    const struct rt_nhset *set;
    const struct rt_pub *pub;

    if (route->stmt.kind != RT_DERIVED || !route->nh) {
        return "";
    }
    set = ovsrcu_get_protected(struct rt_nhset *, &route->nh->set);
    pub = ovsrcu_get_protected(struct rt_pub *, &set->hops[0].link->pub);
    return pub->iface.name;
}

/* True if 'a' goes before 'b' in their prefix.  Nothing depends on which was
 * stated first: a copy of the table may learn of them in another order. */
bool
rt_route_before(const struct rt_route *a, const struct rt_route *b)
{
    if (a->down != b->down) {
        return b->down;
    }

    int a_pref = route_preference(a);
    int b_pref = route_preference(b);
    if (a_pref != b_pref) {
        return a_pref < b_pref;
    }
    if (a->metric != b->metric) {
        return a->metric < b->metric;
    }
    if (a->stmt.source->id != b->stmt.source->id) {
        return a->stmt.source->id < b->stmt.source->id;
    }
    return strcmp(connected_iface(a), connected_iface(b)) < 0;
}

/* Inserts 'route' into the chain at '*head'. */
static void
chain_insert(struct rt_route **head, struct rt_route *route)
{
    while (*head && !rt_route_before(route, *head)) {
        head = &(*head)->next;
    }
    route->next = *head;
    *head = route;
}

static void
chain_remove(struct rt_route **head, struct rt_route *route)
{
    while (*head != route) {
        head = &(*head)->next;
    }
    *head = route->next;
}

/* Makes 'head' the routes of 'node', which may lose its last or get its first
 * by that. */
static void
node_publish(struct xf_rt *rt, struct xf_trie_node *node, bool is_v4,
             struct rt_route *head)
{
    struct rt_route *old = rt_node_routes(node);
    struct xf_key key = xf_trie_node_key(node);
    uint8_t len = node->len;
    bool is_same = head == old || rt_fib_same_value(rt, head, old);

    if (head != old) {
        ovsrcu_set(&node->data, (void *) head);
        rt->n_prefixes += !old;
        rt->n_prefixes -= !head;
    }
    if (!head) {
        xf_trie_prune(rt_trie(rt, is_v4), node);
    }
    if (!is_same) {
        rt_fib_update(rt, is_v4, key, len);
    }
}

/* ---- Routes. ---- */

/* RTPROT_KERNEL of rtnetlink(7): the kernel makes such routes by itself. */
#define RT_PROTO_KERNEL 2

static struct rt_route *
route_create(struct xf_rt *rt, struct rt_source *source, enum rt_kind kind,
             enum xf_route_type type, struct rt_nh *nh)
{
    struct rt_route *route = rt_alloc(rt, sizeof *route);

    rt_stmt_init(&route->stmt, source, kind);
    route->type = type;
    route->nh = nh;
    if (nh) {
        rt_nh_ref_route(rt, nh);
    }
    rt->n_routes += kind == RT_ROUTE;
    return route;
}

static void
route_free(void *route_)
{
    struct rt_route *route = route_;

    xf_stat_unref(route->stat);
    free(route);
}

/* 'route' is in no chain any more. */
static void
route_retire(struct xf_rt *rt, struct rt_route *route)
{
    rt->n_routes -= route->stmt.kind == RT_ROUTE;
    rt_stmt_uninit(&route->stmt);
    if (route->nh) {
        rt_nh_unref_route(rt, route->nh);
    }
    rt_stat_forget(rt, XF_RT_ROUTES, route->stat);
    rt_retire(rt, route_free, route, sizeof *route);
}

/* Takes 'route' out of its prefix. */
void
rt_route_remove(struct xf_rt *rt, struct rt_route *route)
{
    struct xf_trie_node *node = route->node;
    struct rt_route *head = rt_node_routes(node);

    rt_follow_gone(rt, &route->stmt);
    chain_remove(&head, route);
    node_publish(rt, node, route->is_v4, head);
    route_retire(rt, route);
}

/* Finds the route of ('source', 'metric') in 'node', or, if 'any', the first
 * of 'source'; NULL if there is none. */
static struct rt_route *
route_find(const struct xf_trie_node *node, const struct rt_source *source,
           uint32_t metric, bool any)
{
    struct rt_route *route;

    for (route = rt_node_routes(node); route; route = route->next) {
        if (route->stmt.source == source && route->stmt.kind == RT_ROUTE
            && (any || route->metric == metric)) {
            break;
        }
    }
    return route;
}

/* Finds the route of ('source', 'prefix', 'metric'); NULL if there is none. */
struct rt_route *
rt_route_find(const struct xf_rt *rt, const struct rt_source *source,
              const struct xf_prefix *prefix, uint32_t metric)
{
    const struct xf_trie_node *node = xf_trie_find(
        rt_trie(rt, xf_addr_is_v4(&prefix->addr)),
        xf_key_from_addr(&prefix->addr), prefix->len);

    return node ? route_find(node, source, metric, false) : NULL;
}

/* Checks that there is room for one more route of 'source' at 'node'. */
static int
route_check_room(const struct xf_rt *rt, const struct rt_source *source,
                 const struct xf_trie_node *node, const struct xf_prefix *p,
                 char **errorp)
{
    bool is_full = rt->n_routes >= rt->limits.max_routes;
    const struct rt_route *route;
    size_t n = 0;

    for (route = rt_node_routes(node); route; route = route->next) {
        n++;
    }
    if (!is_full && n < RT_MAX_PER_PREFIX) {
        return 0;
    }

    char *prefix = rt_prefix_to_string(p);
    int error = (is_full
                 ? rt_error(errorp, ENOSPC, "route %s of \"%s\" is beyond the "
                            "maximum of %"PRIu32" routes; raise max-routes or "
                            "withdraw routes", prefix, source->name,
                            rt->limits.max_routes)
                 : rt_error(errorp, ENOSPC, "route %s of \"%s\" is beyond the "
                            "maximum of %d routes of one prefix; withdraw "
                            "one of them first", prefix, source->name,
                            RT_MAX_PER_PREFIX));
    free(prefix);
    return error;
}

/* Checks that there is room for what 'spec' names as its next hop. */
static int
route_check_room_for_nh(const struct xf_rt *rt,
                        const struct rt_source *source,
                        const struct xf_route_spec *spec, char **errorp)
{
    if (spec->type != XF_ROUTE_UNICAST) {
        return 0;
    }
    if (spec->nhid) {
        return rt_nh_check_room(rt, source, spec->nhid, errorp);
    }
    if (rt->n_hops < rt->limits.max_routes
        || rt_nh_inline_find(rt, spec->nexthops, spec->n_nexthops)) {
        return 0;               /* The common case, without a second search,
                                 * and the set that is held already. */
    }
    return rt_check_room_for_hops(rt, source, spec->n_nexthops, errorp);
}

/* Returns NULL if the next hops of a unicast route make sense, else what is
 * wrong with them. */
static char *
route_check_nexthops(const struct xf_route_spec *spec)
{
    if (spec->nhid) {
        return NULL;
    }
    if (!spec->n_nexthops) {
        return xstrdup("there is no next hop; name an interface, a gateway or "
                       "a next hop id");
    }

    char *why = rt_nexthop_check(spec->nexthops, spec->n_nexthops);
    for (size_t i = 0; !why && i < spec->n_nexthops; i++) {
        if (xf_addr_is_v4(&spec->nexthops[i].gateway)
            && !xf_addr_is_v4(&spec->prefix.addr)) {
            why = xstrdup("an IPv6 route can't have an IPv4 gateway; give an "
                          "IPv6 address");
        }
    }
    return why;
}

/* Returns NULL if 'spec' makes sense, else a sentence. */
static char *
route_check(const struct xf_route_spec *spec)
{
    char *why = NULL;

    char *problem = rt_prefix_check(&spec->prefix);
    if (problem) {
        return problem;
    }
    if (spec->type == XF_ROUTE_UNICAST) {
        why = route_check_nexthops(spec);
    } else if (spec->type > XF_ROUTE_PROHIBIT) {
        why = xasprintf("type %d is unknown; use unicast, local, blackhole, "
                        "unreachable or prohibit", (int) spec->type);
    }
    if (why) {
        char *prefix = rt_prefix_to_string(&spec->prefix);

        problem = xasprintf("route %s: %s", prefix, why);
        free(prefix);
        free(why);
    }
    return problem;
}

/* The next hop of 'spec', not referenced yet. */
static struct rt_nh *
route_nh(struct xf_rt *rt, struct rt_source *source,
         const struct xf_route_spec *spec)
{
    if (spec->type != XF_ROUTE_UNICAST) {
        return NULL;
    }
    return (spec->nhid
            ? rt_nh_get(rt, source, spec->nhid)
            : rt_nh_inline(rt, spec->nexthops, spec->n_nexthops));
}

/* Takes the routes of 'source' in the chain '*head' out: 'old', or all if
 * 'all'.  Returns them as a chain. */
static struct rt_route *
chain_extract(struct rt_route **head, const struct rt_source *source,
              const struct rt_route *old, bool all)
{
    struct rt_route *gone = NULL;

    while (*head) {
        struct rt_route *route = *head;

        if (route == old || (all && route->stmt.source == source
                             && route->stmt.kind == RT_ROUTE)) {
            *head = route->next;
            route->next = gone;
            gone = route;
        } else {
            head = &route->next;
        }
    }
    return gone;
}

/* Makes 'spec' the route of its ('source', prefix, metric), which 'old' was
 * until now (or NULL).  Counters go over to the new route. */
static void
route_set(struct xf_rt *rt, struct rt_source *source,
          const struct xf_route_spec *spec, struct xf_trie_node *node,
          struct rt_route *old, bool replace_prefix)
{
    struct rt_nh *nh = route_nh(rt, source, spec);
    bool is_same = (old && old->type == spec->type && old->nh == nh
                    && old->protocol == spec->protocol);
    struct rt_route *head = rt_node_routes(node);
    struct rt_route *gone = NULL;
    struct rt_route *new;

    if (is_same) {
        rt_stmt_touch(&old->stmt);
        if (!replace_prefix) {
            return;
        }
        new = old;
        chain_remove(&head, old);
    } else {
        new = route_create(rt, source, RT_ROUTE, spec->type, nh);
        new->metric = spec->metric;
        new->protocol = spec->protocol;
        new->node = node;
        new->is_v4 = xf_addr_is_v4(&spec->prefix.addr);
    }
    gone = chain_extract(&head, source, old, replace_prefix);
    if (!new->stat) {
        new->stat = rt_stat_create(rt, old ? old->stat
                                       : gone ? gone->stat : NULL);
    }
    chain_insert(&head, new);
    node_publish(rt, node, new->is_v4, head);

    while (gone) {
        struct rt_route *next = gone->next;

        if (gone != old) {
            rt_follow_gone(rt, &gone->stmt);
        }
        route_retire(rt, gone);
        gone = next;
    }
}

/* If a next hop has an id and is given inline too, as in the kernel's dumps,
 * the id counts.  Next hops of a type that needs none are ignored. */
int
xf_rt_route_add(struct xf_rt *rt, uint32_t source_id,
                const struct xf_route_spec *spec, bool replace_prefix,
                char **errorp)
{
    struct rt_source *source;
    int error = rt_source_get(rt, source_id, &source, errorp);
    if (error) {
        return error;
    }

    char *problem = route_check(spec);
    if (problem) {
        error = rt_error(errorp, EINVAL, "%s", problem);
        free(problem);
        return error;
    }

    bool is_v4 = xf_addr_is_v4(&spec->prefix.addr);
    struct xf_trie *trie = rt_trie(rt, is_v4);
    struct xf_trie_node *node = xf_trie_insert(
        trie, xf_key_from_addr(&spec->prefix.addr), spec->prefix.len);
    struct rt_route *old = route_find(node, source, spec->metric, false);

    if (!old && !(replace_prefix && route_find(node, source, 0, true))) {
        error = route_check_room(rt, source, node, &spec->prefix, errorp);
    }
    if (!error) {
        error = route_check_room_for_nh(rt, source, spec, errorp);
    }
    if (error) {
        xf_trie_prune(trie, node);
        return error;
    }
    route_set(rt, source, spec, node, old, replace_prefix);
    return 0;
}

/* With 'metric' UINT32_MAX the best of the source's routes goes, as in the
 * kernel when it is told no metric. */
int
xf_rt_route_del(struct xf_rt *rt, uint32_t source_id,
                const struct xf_prefix *prefix, uint32_t metric,
                char **errorp)
{
    struct rt_source *source;
    int error = rt_source_get(rt, source_id, &source, errorp);
    if (error) {
        return error;
    }

    char *problem = rt_prefix_check(prefix);
    if (problem) {
        error = rt_error(errorp, EINVAL, "%s", problem);
        free(problem);
        return error;
    }

    struct xf_trie_node *node = xf_trie_find(
        rt_trie(rt, xf_addr_is_v4(&prefix->addr)),
        xf_key_from_addr(&prefix->addr), prefix->len);
    struct rt_route *route =
        node ? route_find(node, source, metric, metric == UINT32_MAX) : NULL;
    if (!route) {
        char *name = rt_prefix_to_string(prefix);

        error = (metric == UINT32_MAX
                 ? rt_error(errorp, ENOENT, "\"%s\" states no route %s; list "
                            "the routes to see what there is", source->name,
                            name)
                 : rt_error(errorp, ENOENT, "\"%s\" states no route %s with "
                            "metric %"PRIu32"; list the routes to see what "
                            "there is", source->name, name, metric));
        free(name);
        return error;
    }
    rt_route_remove(rt, route);
    return 0;
}

/* ---- Routes derived from addresses. ---- */

/* Adds a route of preference XF_PREF_LOCAL on behalf of an address that
 * 'source' states, and returns it.  There is always room: addresses are
 * bounded. */
struct rt_route *
rt_route_derive(struct xf_rt *rt, struct rt_source *source,
                const struct xf_prefix *prefix, enum xf_route_type type,
                struct rt_nh *nh)
{
    struct rt_route *route = route_create(rt, source, RT_DERIVED, type, nh);
    struct rt_route *head;

    route->protocol = RT_PROTO_KERNEL;
    route->stat = rt_stat_create(rt, NULL);
    route->is_v4 = xf_addr_is_v4(&prefix->addr);
    route->node = xf_trie_insert(rt_trie(rt, route->is_v4),
                                 xf_key_from_addr(&prefix->addr),
                                 prefix->len);
    head = rt_node_routes(route->node);
    chain_insert(&head, route);
    node_publish(rt, route->node, route->is_v4, head);
    return route;
}

/* The interface of the connected 'route' went down or came up: while it is
 * down, every other route of the prefix is better. */
void
rt_route_set_down(struct xf_rt *rt, struct rt_route *route, bool down)
{
    struct rt_route *head = rt_node_routes(route->node);

    if (route->down != down) {
        chain_remove(&head, route);
        route->down = down;
        chain_insert(&head, route);
        node_publish(rt, route->node, route->is_v4, head);
    }
}

/* ---- Prefixes. ---- */

/* Returns NULL if 'prefix' makes sense, else a sentence. */
char *
rt_prefix_check(const struct xf_prefix *prefix)
{
    uint8_t n_bits = xf_addr_bits(&prefix->addr);
    struct xf_key key = xf_key_from_addr(&prefix->addr);
    struct xf_key masked = xf_key_mask(key, MIN(prefix->len, n_bits));
    char addr[INET6_ADDRSTRLEN];

    if (prefix->len > n_bits) {
        return xasprintf("prefix length %d of %s is out of range; use 0 to %d",
                         prefix->len,
                         xf_addr_string(addr, &prefix->addr), n_bits);
    }
    if (masked.hi != key.hi || masked.lo != key.lo) {
        struct xf_prefix p = { xf_key_to_addr(masked, n_bits == 32),
                               prefix->len };
        char *right = rt_prefix_to_string(&p);
        char *problem = xasprintf("prefix %s/%d has bits set beyond its "
                                  "length; use %s",
                                  xf_addr_string(addr, &prefix->addr),
                                  prefix->len, right);

        free(right);
        return problem;
    }
    return NULL;
}

/* Returns 'prefix' as text.  The caller frees it. */
char *
rt_prefix_to_string(const struct xf_prefix *prefix)
{
    char addr[INET6_ADDRSTRLEN];

    return xasprintf("%s/%d", xf_addr_string(addr, &prefix->addr),
                     prefix->len);
}

/* Returns the prefix that 'node' stands for. */
struct xf_prefix
rt_node_prefix(const struct xf_trie_node *node, bool is_v4)
{
    return (struct xf_prefix) {
        xf_key_to_addr(xf_trie_node_key(node), is_v4), node->len
    };
}
