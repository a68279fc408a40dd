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

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* Any odd number without pattern. */
#define RT_HASH_BASIS UINT64_C(0xd6e8feb86659fd93)

static void stmt_withdraw(struct xf_rt *, struct rt_stmt *);

/* ---- Life cycle. ---- */

static void
add_special(struct xf_trie *trie, const char *const *addrs,
            const uint8_t *lens, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct in6_addr addr;

        ovs_assert(inet_pton(AF_INET6, addrs[i], &addr) == 1);
        xf_trie_insert(trie, xf_key_from_addr(&addr), lens[i])->final = true;
    }
}

/* The prefixes that are always punted are in the tries from the beginning, so
 * that 'n_bits' accounts for them.  (::ffff:0:0/96 as an IPv6 destination
 * can't be told from IPv4 here, but its neighbours in the address space must
 * not share a megaflow with it.) */
static void
add_specials(struct xf_rt *rt)
{
    static const char *const v4_addrs[] = {
        "::ffff:0.0.0.0", "::ffff:127.0.0.0", "::ffff:224.0.0.0",
        "::ffff:255.255.255.255",
    };
    static const uint8_t v4_lens[] = { 32, 8, 4, 32 };
    static const char *const v6_addrs[] = { "::", "::1", "fe80::", "ff00::" };
    static const uint8_t v6_lens[] = { 128, 128, 10, 8 };

    add_special(&rt->v4, v4_addrs, v4_lens, ARRAY_SIZE(v4_addrs));
    add_special(&rt->v6, v6_addrs, v6_lens, ARRAY_SIZE(v6_addrs));
    xf_trie_insert(&rt->v6,
                   (struct xf_key) { 0, UINT64_C(0xffff) << 32 },
                   96)->final = true;
}

/* Returns an empty table that is bounded by 'limits' (copied).  What readers
 * may still hold is handed to 'retire' with 'retire_aux' when it is
 * removed. */
struct xf_rt *
xf_rt_create(const struct xf_rt_limits *limits, xf_retire_fn *retire,
             void *retire_aux)
{
    struct xf_rt *rt = xzalloc(sizeof *rt);

    rt->limits = *limits;
    rt->retire = retire;
    rt->retire_aux = retire_aux;
    rt->n_bytes = rt_heap_size(sizeof *rt);
    rt->secret = rt_mix(RT_HASH_BASIS, (uintptr_t) rt);
    xf_trie_init(&rt->v4, 32, retire, retire_aux);
    xf_trie_init(&rt->v6, 128, retire, retire_aux);
    cmap_init(&rt->vlans);
    cmap_init(&rt->neighs);
    cmap_init(&rt->addrs);
    cmap_init(&rt->gws);
    hmap_init(&rt->sources);
    hmap_init(&rt->ifaces);
    hmap_init(&rt->links);
    hmap_init(&rt->nhs);
    hmap_init(&rt->inlines);
    ovs_list_init(&rt->wanted);
    atomic_init(&rt->version, 1);
    xf_numbers_init(&rt->nh_numbers);
    for (int i = 0; i < XF_RT_N_COUNTED; i++) {
        xf_counted_init(&rt->counted[i]);
    }
    add_specials(rt);
    return rt;
}

static void
rt_free(void *rt_)
{
    struct xf_rt *rt = rt_;

    cmap_destroy(&rt->vlans);
    cmap_destroy(&rt->neighs);
    cmap_destroy(&rt->addrs);
    cmap_destroy(&rt->gws);
    hmap_destroy(&rt->sources);
    hmap_destroy(&rt->ifaces);
    hmap_destroy(&rt->links);
    hmap_destroy(&rt->nhs);
    hmap_destroy(&rt->inlines);
    xf_numbers_uninit(&rt->nh_numbers);
    for (int i = 0; i < XF_RT_N_COUNTED; i++) {
        xf_counted_uninit(&rt->counted[i]);
    }
    free(ovsrcu_get_protected(struct rt_nh_table *, &rt->nh_table));
    free(rt);
}

static void
source_remove(struct xf_rt *rt, struct rt_source *source)
{
    struct ovs_list *lists[] = { &source->stale, &source->fresh };

    rt_follow_source(rt, source);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        while (!ovs_list_is_empty(lists[i])) {
            stmt_withdraw(rt, CONTAINER_OF(ovs_list_front(lists[i]),
                                           struct rt_stmt, node));
        }
    }
    ovs_assert(!source->n_statements && !source->n_routes);
    hmap_remove(&rt->sources, &source->id_node);
    free(source->name);
    free(source);
    rt->n_bytes -= rt_heap_size(sizeof *source);
}

/* Removes everything from 'rt' and retires 'rt' itself; readers may go on
 * using it until their read-side section ends. */
void
xf_rt_destroy(struct xf_rt *rt)
{
    struct rt_source *source;
    struct rt_iface *iface;

    if (!rt) {
        return;
    }
    xf_rt_fib_disable(rt);
    HMAP_FOR_EACH_SAFE (source, id_node, &rt->sources) {
        source_remove(rt, source);
    }
    HMAP_FOR_EACH_SAFE (iface, name_node, &rt->ifaces) {
        rt_iface_remove(rt, iface);
    }
    ovs_assert(hmap_is_empty(&rt->links) && hmap_is_empty(&rt->nhs)
               && hmap_is_empty(&rt->inlines) && cmap_is_empty(&rt->gws));
    xf_trie_uninit(&rt->v4);
    xf_trie_uninit(&rt->v6);
    ovs_assert(!rt->n_hops && rt->n_bytes == rt_heap_size(sizeof *rt));
    rt_retire(rt, rt_free, rt, sizeof *rt);
}

/* Checks that 'n' of 'what' fit in 'max', the value given for 'setting'. */
static int
check_limit(size_t n, uint32_t max, const char *what, const char *setting,
            char **errorp)
{
    if (n > max) {
        return rt_error(errorp, ENOSPC, "%s can't be %"PRIu32": the router "
                        "has %"PRIuSIZE" %s; give at least that, or remove "
                        "some first", setting, max, n, what);
    }
    return 0;
}

int
xf_rt_set_limits(struct xf_rt *rt, const struct xf_rt_limits *limits,
                 char **errorp)
{
    size_t n_hops = rt->n_hops - MIN(rt->n_hops, RT_EXTRA_HOPS);
    int error = check_limit(rt->n_routes, limits->max_routes, "routes",
                            "max-routes", errorp);
    if (!error) {
        error = check_limit(n_hops, limits->max_routes, "next hops of routes",
                            "max-routes", errorp);
    }
    if (!error) {
        error = check_limit(hmap_count(&rt->nhs), limits->max_nexthops,
                            "next-hop objects", "max-nexthops", errorp);
    }
    if (!error) {
        error = check_limit(cmap_count(&rt->neighs), limits->max_neighbors,
                            "neighbors", "max-neighbors", errorp);
    }
    if (!error) {
        error = check_limit(hmap_count(&rt->ifaces), limits->max_ifaces,
                            "ports", "max-ports", errorp);
    }
    if (!error) {
        error = check_limit(cmap_count(&rt->addrs), limits->max_addresses,
                            "addresses", "max-addresses", errorp);
    }
    if (!error) {
        rt->limits = *limits;
    }
    return error;
}

/* Returns the maxima of 'rt'. */
const struct xf_rt_limits *
xf_rt_limits(const struct xf_rt *rt)
{
    return &rt->limits;
}

/* ---- Sources. ---- */

/* Returns the source 'id' or NULL. */
struct rt_source *
rt_source_find(const struct xf_rt *rt, uint32_t id)
{
    struct rt_source *source;

    HMAP_FOR_EACH_WITH_HASH (source, id_node, hash_int(id, 0),
                             &rt->sources) {
        if (source->id == id) {
            return source;
        }
    }
    return NULL;
}

/* Stores the source 'id' in '*source' and returns 0, or ENOENT. */
int
rt_source_get(const struct xf_rt *rt, uint32_t id, struct rt_source **source,
              char **errorp)
{
    struct rt_source *found = rt_source_find(rt, id);

    if (!found) {
        return rt_error(errorp, ENOENT, "there is no source with id %"PRIu32
                        "; add the source first", id);
    }
    *source = found;
    return 0;
}

int
xf_rt_source_add(struct xf_rt *rt, uint32_t id, const char *name,
                 int preference, char **errorp)
{
    struct rt_source *source = rt_source_find(rt, id);

    if (source) {
        return rt_error(errorp, EEXIST, "source id %"PRIu32" is taken by "
                        "\"%s\"; choose another id", id, source->name);
    }
    if (hmap_count(&rt->sources) >= RT_MAX_SOURCES) {
        return rt_error(errorp, ENOSPC, "source \"%s\" is beyond the maximum "
                        "of %d sources; remove one that is not used", name,
                        RT_MAX_SOURCES);
    }
    source = rt_alloc(rt, sizeof *source);
    source->id = id;
    source->preference = preference;
    source->name = xstrdup(name);
    ovs_list_init(&source->fresh);
    ovs_list_init(&source->stale);
    hmap_insert(&rt->sources, &source->id_node, hash_int(id, 0));
    rt_follow_source(rt, source);
    return 0;
}

int
xf_rt_source_del(struct xf_rt *rt, uint32_t id, char **errorp)
{
    struct rt_source *source = NULL;
    int error = rt_source_get(rt, id, &source, errorp);

    if (!error) {
        source_remove(rt, source);
    }
    return error;
}

int
xf_rt_source_mark(struct xf_rt *rt, uint32_t id, char **errorp)
{
    struct rt_source *source = NULL;
    int error = rt_source_get(rt, id, &source, errorp);

    if (!error) {
        rt_follow_mark(source);
        ovs_list_push_back_all(&source->stale, &source->fresh);
        source->n_stale = source->n_statements;
        source->epoch++;
    }
    return error;
}

size_t
xf_rt_source_sweep(struct xf_rt *rt, uint32_t id, size_t max)
{
    struct rt_source *source = rt_source_find(rt, id);
    size_t n = 0;

    while (source && n < max && !ovs_list_is_empty(&source->stale)) {
        stmt_withdraw(rt, CONTAINER_OF(ovs_list_front(&source->stale),
                                       struct rt_stmt, node));
        n++;
    }
    return n;
}

/* Returns how many routes the source 'id' states, 0 if there is no such. */
size_t
xf_rt_source_n_routes(const struct xf_rt *rt, uint32_t id)
{
    const struct rt_source *source = rt_source_find(rt, id);

    return source ? source->n_routes : 0;
}

/* Returns how many statements of the source 'id' (of every kind) wait to be
 * swept, 0 if there is no such source. */
size_t
xf_rt_source_n_stale(const struct xf_rt *rt, uint32_t id)
{
    const struct rt_source *source = rt_source_find(rt, id);

    return source ? source->n_stale : 0;
}

/* ---- Statements. ---- */

/* Makes 'stmt' a fresh statement of 'source'. */
void
rt_stmt_init(struct rt_stmt *stmt, struct rt_source *source,
             enum rt_kind kind)
{
    stmt->source = source;
    stmt->epoch = source->epoch;
    stmt->kind = kind;
    if (kind == RT_DERIVED) {
        ovs_list_init(&stmt->node);
        return;
    }
    ovs_list_push_back(&source->fresh, &stmt->node);
    source->n_statements++;
    source->n_routes += kind == RT_ROUTE;
}

/* Its source stated 'stmt' again. */
void
rt_stmt_touch(struct rt_stmt *stmt)
{
    if (rt_stmt_is_stale(stmt)) {
        stmt->epoch = stmt->source->epoch;
        if (stmt->kind != RT_DERIVED) {
            rt_follow_leave(stmt);
            ovs_list_remove(&stmt->node);
            ovs_list_push_back(&stmt->source->fresh, &stmt->node);
            stmt->source->n_stale--;
        }
    }
}

/* Its source stated 'stmt' again, with another content. */
void
rt_stmt_renew(struct rt_stmt *stmt)
{
    if (rt_stmt_is_stale(stmt)) {
        rt_stmt_touch(stmt);
    } else if (stmt->source->cursor) {
        rt_follow_leave(stmt);
        ovs_list_remove(&stmt->node);
        ovs_list_push_back(&stmt->source->fresh, &stmt->node);
    }
}

/* 'source' stated what another source (or it itself) had stated before. */
void
rt_stmt_move(struct rt_stmt *stmt, struct rt_source *source)
{
    enum rt_kind kind = stmt->kind;

    rt_stmt_uninit(stmt);
    rt_stmt_init(stmt, source, kind);
}

/* 'stmt' is stated no longer. */
void
rt_stmt_uninit(struct rt_stmt *stmt)
{
    if (stmt->kind != RT_DERIVED) {
        struct rt_source *source = stmt->source;

        rt_follow_leave(stmt);
        ovs_list_remove(&stmt->node);
        source->n_statements--;
        source->n_routes -= stmt->kind == RT_ROUTE;
        source->n_stale -= rt_stmt_is_stale(stmt);
    }
}

static void
stmt_withdraw(struct xf_rt *rt, struct rt_stmt *stmt)
{
    switch ((enum rt_kind) stmt->kind) {
    case RT_ROUTE:
        rt_route_remove(rt, CONTAINER_OF(stmt, struct rt_route, stmt));
        break;
    case RT_NEXTHOP:
        rt_nh_withdraw(rt, CONTAINER_OF(stmt, struct rt_nh, stmt));
        break;
    case RT_NEIGH:
        rt_neigh_remove(rt, CONTAINER_OF(stmt, struct rt_neigh, stmt));
        break;
    case RT_ADDR:
        rt_addr_remove(rt, CONTAINER_OF(stmt, struct rt_addr, stmt));
        break;
    case RT_DERIVED:
    default:
        OVS_NOT_REACHED();
    }
}

/* ---- Helpers of all rule-table*.c. ---- */

/* Returns 'error', with the sentence in '*errorp' if that is wanted. */
int
rt_error(char **errorp, int error, const char *format, ...)
{
    if (errorp) {
        va_list args;

        va_start(args, format);
        *errorp = xvasprintf(format, args);
        va_end(args);
    }
    return error;
}

/* Returns 'size' bytes of zeros, counted. */
void *
rt_alloc(struct xf_rt *rt, size_t size)
{
    rt->n_bytes += rt_heap_size(size);
    return xzalloc(size);
}

/* Returns the counters 'old', or new ones if that is NULL, for one more object
 * to keep. */
struct xf_stat *
rt_stat_create(struct xf_rt *rt, const struct xf_stat *old)
{
    struct xf_stat *stat = old ? xf_stat_ref(old) : xf_stat_create();

    stat->n_owners++;
    rt->n_bytes += rt_heap_size(sizeof *old);
    return stat;
}

/* An object with the counters 'stat' is being retired; they go with it. */
void
rt_stat_forget(struct xf_rt *rt, enum xf_rt_counted kind,
               struct xf_stat *stat)
{
    rt->n_bytes -= rt_heap_size(sizeof *stat);
    if (!--stat->n_owners && stat->number) {
        xf_counted_remove(&rt->counted[kind], stat);
    }
}

/* Hands 'obj' of 'size' bytes to 'destroy' after the readers. */
void
rt_retire(struct xf_rt *rt, void (*destroy)(void *), void *obj, size_t size)
{
    rt->n_bytes -= rt_heap_size(size);
    rt->retire(destroy, obj, rt->retire_aux);
}

/* The trie of a family. */
struct xf_trie *
rt_trie(const struct xf_rt *rt, bool is_v4)
{
    return CONST_CAST(struct xf_trie *, is_v4 ? &rt->v4 : &rt->v6);
}
