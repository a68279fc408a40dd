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

static void nh_reclaim(struct xf_rt *, struct rt_nh *);
static void nh_use_changed(struct xf_rt *, struct rt_nh *, bool was_used);

/* ---- Links. ---- */

/* Returns the link of 'ifindex' with one more reference. */
struct rt_link *
rt_link_get(struct xf_rt *rt, uint32_t ifindex)
{
    struct rt_link *link;

    HMAP_FOR_EACH_WITH_HASH (link, node, rt_hash(rt, ifindex, NULL),
                             &rt->links) {
        if (link->ifindex == ifindex) {
            link->n_refs++;
            return link;
        }
    }
    link = rt_link_create(rt, ifindex);
    hmap_insert(&rt->links, &link->node, rt_hash(rt, ifindex, NULL));
    return link;
}

/* Returns a new link with one reference, which isn't found by its 'ifindex'
 * yet. */
struct rt_link *
rt_link_create(struct xf_rt *rt, uint32_t ifindex)
{
    struct rt_link *link = rt_alloc(rt, sizeof *link);

    link->ifindex = ifindex;
    link->n_refs = 1;
    ovsrcu_init(&link->pub, NULL);
    ovs_list_init(&link->gws);
    return link;
}

/* Gives back a reference of 'link'. */
void
rt_link_put(struct xf_rt *rt, struct rt_link *link)
{
    ovs_assert(link->n_refs);
    if (!--link->n_refs) {
        ovs_assert(ovs_list_is_empty(&link->gws));
        if (link->ifindex) {
            hmap_remove(&rt->links, &link->node);
        }
        rt_retire(rt, free, link, sizeof *link);
    }
}

/* Makes 'pub' (or nothing, if NULL) the interface of 'link'. */
void
rt_link_publish(struct xf_rt *rt, struct rt_link *link, struct rt_pub *pub)
{
    struct rt_gw *gw;

    ovsrcu_set(&link->pub, pub);
    rt_raise_version(rt);
    LIST_FOR_EACH (gw, link_node, &link->gws) {
        rt_gw_update(rt, gw);
    }
}

/* ---- Gateways. ---- */

/* Returns the gateway 'ip' that used next hops name on 'ifindex', or NULL.
 * Any thread. */
struct rt_gw *
rt_gw_find(const struct xf_rt *rt, uint32_t ifindex,
           const struct in6_addr *ip)
{
    struct rt_gw *gw;

    CMAP_FOR_EACH_WITH_HASH (gw, node, rt_hash(rt, ifindex, ip), &rt->gws) {
        if (gw->ifindex == ifindex && IN6_ARE_ADDR_EQUAL(&gw->ip, ip)) {
            return gw;
        }
    }
    return NULL;
}

/* Puts 'gw' into the list of wanted ones, or out of it, after something has
 * changed that decides so. */
void
rt_gw_update(struct xf_rt *rt, struct rt_gw *gw)
{
    const struct rt_pub *pub = ovsrcu_get_protected(struct rt_pub *,
                                                    &gw->link->pub);
    bool is_wanted = (pub && pub->iface.up
                      && !rt_neigh_find(rt, pub->owner, &gw->ip));

    if (is_wanted == ovs_list_is_empty(&gw->want_node)) {
        if (is_wanted) {
            ovs_list_push_back(&rt->wanted, &gw->want_node);
        } else {
            ovs_list_remove(&gw->want_node);
            ovs_list_init(&gw->want_node);
        }
    }
}

static void
gw_ref(struct xf_rt *rt, const struct rt_hop *hop)
{
    struct rt_gw *gw = rt_gw_find(rt, hop->link->ifindex, &hop->gateway);

    if (!gw) {
        gw = rt_alloc(rt, sizeof *gw);
        gw->ip = hop->gateway;
        gw->ifindex = hop->link->ifindex;
        gw->link = hop->link;   /* The hop keeps it. */
        ovs_list_push_back(&gw->link->gws, &gw->link_node);
        ovs_list_init(&gw->want_node);
        cmap_insert(&rt->gws, &gw->node, rt_hash(rt, gw->ifindex, &gw->ip));
        rt_gw_update(rt, gw);
    }
    gw->n_refs++;
}

static void
gw_unref(struct xf_rt *rt, const struct rt_hop *hop)
{
    struct rt_gw *gw = rt_gw_find(rt, hop->link->ifindex, &hop->gateway);

    ovs_assert(gw && gw->n_refs);
    if (!--gw->n_refs) {
        ovs_list_remove(&gw->link_node);
        ovs_list_remove(&gw->want_node);
        cmap_remove(&rt->gws, &gw->node, rt_hash(rt, gw->ifindex, &gw->ip));
        rt_retire(rt, free, gw, sizeof *gw);
    }
}

/* ---- What a next hop means. ---- */

/* Returns the memory that 'set' takes, in bytes. */
size_t
rt_nhset_size(const struct rt_nhset *set)
{
    return (sizeof *set
            + set->n * (set->kind == RT_NHS_GROUP ? sizeof set->members[0]
                        : sizeof set->hops[0]));
}

static struct rt_nhset *
nhset_create(struct xf_rt *rt, enum rt_nhset_kind kind, size_t n)
{
    struct rt_nhset head = { .kind = kind, .n = n };
    struct rt_nhset *set = rt_alloc(rt, rt_nhset_size(&head));

    set->kind = kind;
    set->n = n;
    rt->n_hops += n;
    return set;
}

static struct rt_nhset *
nhset_from_hops(struct xf_rt *rt, const struct xf_nexthop *nexthops, size_t n)
{
    struct rt_nhset *set = nhset_create(rt, RT_NHS_HOPS, n);

    for (size_t i = 0; i < n; i++) {
        set->hops[i].gateway = nexthops[i].gateway;
        set->hops[i].weight = nexthops[i].weight;
        set->hops[i].link = rt_link_get(rt, nexthops[i].ifindex);
    }
    return set;
}

/* Readers may still use 'set'; the writer does no longer. */
static void
nhset_retire(struct xf_rt *rt, struct rt_nhset *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->kind == RT_NHS_HOPS) {
            rt_link_put(rt, set->hops[i].link);
        } else if (set->kind == RT_NHS_GROUP) {
            struct rt_nh *nh = set->members[i].nh;

            nh->n_groups--;
            nh_reclaim(rt, nh);
        }
    }
    rt->n_hops -= set->n;
    rt_retire(rt, free, set, rt_nhset_size(set));
}

/* The routes behind 'set' begin ('use') or cease to be some. */
static void
nhset_use(struct xf_rt *rt, const struct rt_nhset *set, bool use)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->kind == RT_NHS_HOPS) {
            if (!IN6_IS_ADDR_UNSPECIFIED(&set->hops[i].gateway)) {
                (use ? gw_ref : gw_unref)(rt, &set->hops[i]);
            }
        } else if (set->kind == RT_NHS_GROUP) {
            struct rt_nh *nh = set->members[i].nh;
            bool was_used = rt_nh_is_used(nh);

            nh->n_used_groups += use ? 1 : -1;
            nh_use_changed(rt, nh, was_used);
        }
    }
}

/* ---- Next hops. ---- */

static struct rt_nhset *
nh_set(const struct rt_nh *nh)
{
    return ovsrcu_get_protected(struct rt_nhset *, &nh->set);
}

static void
nh_use_changed(struct xf_rt *rt, struct rt_nh *nh, bool was_used)
{
    bool is_used = rt_nh_is_used(nh);

    if (is_used != was_used && nh_set(nh)) {
        nhset_use(rt, nh_set(nh), is_used);
    }
}

/* Makes 'new' (NULL: nothing known) what 'nh' means, in one step for all
 * routes that use it. */
static void
nh_publish(struct xf_rt *rt, struct rt_nh *nh, struct rt_nhset *new)
{
    struct rt_nhset *old = nh_set(nh);

    if (new && rt_nh_is_used(nh)) {
        nhset_use(rt, new, true);
    }
    ovsrcu_set(&nh->set, new);
    rt_raise_version(rt);
    if (old) {
        if (rt_nh_is_used(nh)) {
            nhset_use(rt, old, false);
        }
        nhset_retire(rt, old);
    }
}

/* Removes 'nh' if nobody states it and nobody names it. */
static void
nh_reclaim(struct xf_rt *rt, struct rt_nh *nh)
{
    if (nh->n_routes || nh->n_groups || (nh->id && nh_set(nh))) {
        return;
    }
    if (nh->id) {
        hmap_remove(&rt->nhs, &nh->node);
    } else {
        struct rt_nhset *set = nh_set(nh);

        hmap_remove(&rt->inlines, &nh->node);
        nhset_retire(rt, set);  /* Readers of 'nh' still find it. */
    }
    if (nh->index) {
        xf_numbers_give_back(&rt->nh_numbers, nh->index);
    }
    rt_retire(rt, free, nh, sizeof *nh);
}

/* A route names 'nh'. */
void
rt_nh_ref_route(struct xf_rt *rt, struct rt_nh *nh)
{
    bool was_used = rt_nh_is_used(nh);

    nh->n_routes++;
    nh_use_changed(rt, nh, was_used);
}

/* A route names 'nh' no longer; the last one removes it, unless it is stated
 * with an id. */
void
rt_nh_unref_route(struct xf_rt *rt, struct rt_nh *nh)
{
    ovs_assert(nh->n_routes);
    nh->n_routes--;
    nh_use_changed(rt, nh, true);
    nh_reclaim(rt, nh);
}

static uint32_t
inline_hash(const struct xf_rt *rt, const struct xf_nexthop *nexthops,
            size_t n)
{
    uint64_t hash = n;

    for (size_t i = 0; i < n; i++) {
        hash = rt_mix(hash, (uint64_t) nexthops[i].ifindex << 32
                            | nexthops[i].weight);
        hash = rt_hash(rt, hash, &nexthops[i].gateway);
    }
    return hash;
}

static bool
inline_equals(const struct rt_nh *nh, const struct xf_nexthop *nexthops,
              size_t n)
{
    const struct rt_nhset *set = nh_set(nh);

    if (set->n != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct rt_hop *hop = &set->hops[i];

        if (hop->link->ifindex != nexthops[i].ifindex
            || hop->weight != nexthops[i].weight
            || !IN6_ARE_ADDR_EQUAL(&hop->gateway, &nexthops[i].gateway)) {
            return false;
        }
    }
    return true;
}

/* Returns the inline next hop of this content, or NULL. */
struct rt_nh *
rt_nh_inline_find(const struct xf_rt *rt, const struct xf_nexthop *nexthops,
                  size_t n)
{
    struct rt_nh *nh;

    HMAP_FOR_EACH_WITH_HASH (nh, node, inline_hash(rt, nexthops, n),
                             &rt->inlines) {
        if (inline_equals(nh, nexthops, n)) {
            return nh;
        }
    }
    return NULL;
}

/* Returns the inline next hop of this content, for a route that takes a
 * reference at once. */
struct rt_nh *
rt_nh_inline(struct xf_rt *rt, const struct xf_nexthop *nexthops, size_t n)
{
    struct rt_nh *nh = rt_nh_inline_find(rt, nexthops, n);

    if (!nh) {
        nh = rt_alloc(rt, sizeof *nh);
        ovsrcu_init(&nh->set, nhset_from_hops(rt, nexthops, n));
        hmap_insert(&rt->inlines, &nh->node, inline_hash(rt, nexthops, n));
    }
    return nh;
}

/* Checks that 'n' more next hops (or members of groups) may be held.  One per
 * route and a few large sets beside them are far more than routers have, since
 * equal sets are held once; but distinct sets of XF_NH_MAX in each of millions
 * of routes would exhaust the memory. */
int
rt_check_room_for_hops(const struct xf_rt *rt, const struct rt_source *source,
                       size_t n, char **errorp)
{
    size_t max = (size_t) rt->limits.max_routes + RT_EXTRA_HOPS;

    if (rt->n_hops + n > max) {
        return rt_error(errorp, ENOSPC, "%"PRIuSIZE" next hops of \"%s\" are "
                        "beyond the maximum of %"PRIuSIZE" different ones; "
                        "raise max-routes or use fewer", n, source->name,
                        max);
    }
    return 0;
}

/* Returns the inline next hop "on the link of interface 'self'", for a route
 * that takes a reference at once.  These aren't shared. */
struct rt_nh *
rt_nh_onlink(struct xf_rt *rt, struct rt_link *self)
{
    struct rt_nh *nh = rt_alloc(rt, sizeof *nh);
    struct rt_nhset *set = nhset_create(rt, RT_NHS_HOPS, 1);

    self->n_refs++;
    set->hops[0].link = self;
    set->hops[0].weight = 1;
    ovsrcu_init(&nh->set, set);

    /* No stated next hop has ifindex 0, so it is never found by content. */
    hmap_insert(&rt->inlines, &nh->node, rt_hash(rt, (uintptr_t) self, NULL));
    return nh;
}

/* ---- Next-hop objects. ---- */

/* Ids are each source's own: two speakers of one router number their next hops
 * independently, and none can change another's. */
static uint32_t
nh_hash(const struct xf_rt *rt, const struct rt_source *source, uint32_t id)
{
    return rt_hash(rt, (uint64_t) source->id << 32 | id, NULL);
}

/* Returns the next hop 'id' of 'source', stated or only named, or NULL. */
struct rt_nh *
rt_nh_find(const struct xf_rt *rt, const struct rt_source *source,
           uint32_t id)
{
    struct rt_nh *nh;

    HMAP_FOR_EACH_WITH_HASH (nh, node, nh_hash(rt, source, id), &rt->nhs) {
        if (nh->id == id && nh->stmt.source == source) {
            return nh;
        }
    }
    return NULL;
}

/* Returns the next hop 'id' of 'source'; if there is none, one that nothing is
 * known of yet, for a route or group that takes a reference at once. */
struct rt_nh *
rt_nh_get(struct xf_rt *rt, struct rt_source *source, uint32_t id)
{
    struct rt_nh *nh = rt_nh_find(rt, source, id);

    if (!nh) {
        nh = rt_alloc(rt, sizeof *nh);
        nh->id = id;
        nh->stmt.source = source;
        ovsrcu_init(&nh->set, NULL);
        hmap_insert(&rt->nhs, &nh->node, nh_hash(rt, source, id));
    }
    return nh;
}

/* Checks that 'id', which a route or group of 'source' names, is known, or may
 * become so. */
int
rt_nh_check_room(const struct xf_rt *rt, const struct rt_source *source,
                 uint32_t id, char **errorp)
{
    if (hmap_count(&rt->nhs) >= rt->limits.max_nexthops
        && !rt_nh_find(rt, source, id)) {
        return rt_error(errorp, ENOSPC, "next hop id %"PRIu32" of \"%s\" is "
                        "beyond the maximum of %"PRIu32" next-hop objects; "
                        "raise max-nexthops or withdraw next hops", id,
                        source->name, rt->limits.max_nexthops);
    }
    return 0;
}

/* Checks that 'source' may state 'id'. */
static int
nh_check(const struct xf_rt *rt, uint32_t source_id, uint32_t id,
         struct rt_source **source, char **errorp)
{
    int error = rt_source_get(rt, source_id, source, errorp);

    if (!error && !id) {
        error = rt_error(errorp, EINVAL, "next hop id 0 of \"%s\" is not "
                         "valid; use an id from 1 on", (*source)->name);
    }
    return error ? error : rt_nh_check_room(rt, *source, id, errorp);
}

/* States 'set' as the next hop 'id' of 'source'. */
static void
nh_state(struct xf_rt *rt, struct rt_source *source, uint32_t id,
         struct rt_nhset *set)
{
    struct rt_nh *nh = rt_nh_get(rt, source, id);

    if (nh_set(nh)) {
        rt_stmt_renew(&nh->stmt);
    } else {
        rt_stmt_init(&nh->stmt, source, RT_NEXTHOP);
        rt->n_nexthops++;
    }
    nh_publish(rt, nh, set);
}

/* 'nh' is stated no longer.  Routes that name it punt from now on. */
void
rt_nh_withdraw(struct xf_rt *rt, struct rt_nh *nh)
{
    rt_follow_gone(rt, &nh->stmt);
    rt_stmt_uninit(&nh->stmt);
    rt->n_nexthops--;
    nh_publish(rt, nh, NULL);
    nh_reclaim(rt, nh);
}

int
xf_rt_nexthop_set(struct xf_rt *rt, uint32_t source_id, uint32_t id,
                  const struct xf_nexthop *nexthops, size_t n, char **errorp)
{
    struct rt_source *source;
    int error = nh_check(rt, source_id, id, &source, errorp);
    if (error) {
        return error;
    }

    char *problem = rt_nexthop_check(nexthops, n);
    if (problem) {
        error = rt_error(errorp, EINVAL, "next hop id %"PRIu32": %s", id,
                         problem);
        free(problem);
        return error;
    }

    const struct rt_nh *nh = rt_nh_find(rt, source, id);
    if (n > 1 && nh && nh->n_groups) {
        return rt_error(errorp, EINVAL, "next hop id %"PRIu32" is a member of "
                        "a group and can't have %"PRIuSIZE" next hops; take "
                        "it out of the group first", id, n);
    }
    error = rt_check_room_for_hops(rt, source, n, errorp);
    if (!error) {
        nh_state(rt, source, id, nhset_from_hops(rt, nexthops, n));
    }
    return error;
}

/* Checks one member of the group 'id'. */
static int
member_check(const struct xf_rt *rt, const struct rt_source *source,
             uint32_t id, const struct xf_nexthop_ref *ref, char **errorp)
{
    const struct rt_nh *nh = rt_nh_find(rt, source, ref->id);
    const struct rt_nhset *set = nh ? nh_set(nh) : NULL;

    if (!ref->id || ref->id == id) {
        return rt_error(errorp, EINVAL, "next-hop group %"PRIu32" can't have "
                        "%"PRIu32" as a member; name another next hop",
                        id, ref->id);
    }
    if (ref->weight < 1 || ref->weight > RT_MAX_WEIGHT) {
        return rt_error(errorp, EINVAL, "next-hop group %"PRIu32": weight %d "
                        "of member %"PRIu32" is out of range; use 1 to %d",
                        id, ref->weight, ref->id, RT_MAX_WEIGHT);
    }
    if (set && set->kind != RT_NHS_BLACKHOLE
        && (set->kind == RT_NHS_GROUP || set->n > 1)) {
        return rt_error(errorp, EINVAL, "next-hop group %"PRIu32": member "
                        "%"PRIu32" has several next hops itself; name single "
                        "ones instead", id, ref->id);
    }
    return 0;
}

static int
group_check(const struct xf_rt *rt, const struct rt_source *source,
            uint32_t id, const struct xf_nexthop_ref *members, size_t n,
            char **errorp)
{
    const struct rt_nh *nh = rt_nh_find(rt, source, id);
    size_t n_new = !nh;

    if (!n || n > XF_NH_MAX) {
        return rt_error(errorp, EINVAL, "next-hop group %"PRIu32" has "
                        "%"PRIuSIZE" members; give 1 to %d", id, n,
                        XF_NH_MAX);
    }
    if (nh && nh->n_groups) {
        return rt_error(errorp, EINVAL, "next hop id %"PRIu32" is a member of "
                        "a group and can't be a group; take it out of the "
                        "group first", id);
    }
    for (size_t i = 0; i < n; i++) {
        int error = member_check(rt, source, id, &members[i], errorp);

        if (error) {
            return error;
        }
        n_new += !rt_nh_find(rt, source, members[i].id);
    }
    if (hmap_count(&rt->nhs) + n_new > rt->limits.max_nexthops) {
        return rt_error(errorp, ENOSPC, "next-hop group %"PRIu32" of \"%s\" "
                        "names %"PRIuSIZE" new ids, beyond the maximum of "
                        "%"PRIu32" next-hop objects; raise max-nexthops or "
                        "withdraw next hops", id, source->name, n_new,
                        rt->limits.max_nexthops);
    }
    return 0;
}

int
xf_rt_nexthop_set_group(struct xf_rt *rt, uint32_t source_id, uint32_t id,
                        const struct xf_nexthop_ref *members, size_t n,
                        char **errorp)
{
    struct rt_source *source;
    struct rt_nhset *set;
    int error = nh_check(rt, source_id, id, &source, errorp);

    if (!error) {
        error = group_check(rt, source, id, members, n, errorp);
    }
    if (!error) {
        error = rt_check_room_for_hops(rt, source, n, errorp);
    }
    if (error) {
        return error;
    }
    set = nhset_create(rt, RT_NHS_GROUP, n);
    for (size_t i = 0; i < n; i++) {
        set->members[i].nh = rt_nh_get(rt, source, members[i].id);
        set->members[i].nh->n_groups++;
        set->members[i].weight = members[i].weight;
    }
    nh_state(rt, source, id, set);
    return 0;
}

int
xf_rt_nexthop_set_blackhole(struct xf_rt *rt, uint32_t source_id, uint32_t id,
                            char **errorp)
{
    struct rt_source *source;
    int error = nh_check(rt, source_id, id, &source, errorp);

    if (!error) {
        nh_state(rt, source, id, nhset_create(rt, RT_NHS_BLACKHOLE, 0));
    }
    return error;
}

bool
xf_rt_nexthop_is_known(const struct xf_rt *rt, uint32_t source_id, uint32_t id)
{
    const struct rt_source *source = rt_source_find(rt, source_id);

    return source && rt_nh_find(rt, source, id);
}

int
xf_rt_nexthop_del(struct xf_rt *rt, uint32_t source_id, uint32_t id,
                  char **errorp)
{
    struct rt_source *source;
    int error = rt_source_get(rt, source_id, &source, errorp);
    if (error) {
        return error;
    }

    struct rt_nh *nh = rt_nh_find(rt, source, id);
    if (!nh || !nh_set(nh)) {
        return rt_error(errorp, ENOENT, "\"%s\" states no next hop id "
                        "%"PRIu32"; there is nothing to withdraw",
                        source->name, id);
    }
    rt_nh_withdraw(rt, nh);
    return 0;
}

/* Returns NULL if 'nh' makes sense, else a sentence. */
static char *
nexthop_check_one(const struct xf_nexthop *nh)
{
    bool has_gateway = !IN6_IS_ADDR_UNSPECIFIED(&nh->gateway);
    bool is_unicast = (!has_gateway || !rt_ip_is_special(&nh->gateway)
                       || rt_ip_is_linklocal(&nh->gateway));
    char gateway[INET6_ADDRSTRLEN] = "on link";

    if (is_unicast && nh->ifindex && nh->weight >= 1
        && nh->weight <= RT_MAX_WEIGHT) {
        return NULL;
    }
    if (has_gateway) {
        xf_addr_string(gateway, &nh->gateway);
    }
    if (!is_unicast) {
        return xasprintf("gateway %s is not a unicast address; give the "
                         "address of a neighbor", gateway);
    }
    if (!nh->ifindex) {
        return xasprintf("next hop %s names no interface; give its ifindex",
                         gateway);
    }
    return xasprintf("weight %d of next hop %s is out of range; use 1 to %d",
                     nh->weight, gateway, RT_MAX_WEIGHT);
}

/* Returns NULL if 'nexthops' make sense, else a sentence. */
char *
rt_nexthop_check(const struct xf_nexthop *nexthops, size_t n)
{
    char *problem = NULL;

    if (!n || n > XF_NH_MAX) {
        return xasprintf("%"PRIuSIZE" next hops are given; give 1 to %d", n,
                         XF_NH_MAX);
    }
    for (size_t i = 0; i < n && !problem; i++) {
        problem = nexthop_check_one(&nexthops[i]);
    }
    return problem;
}
