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

#ifndef XF_CORE_RULE_TABLE_PRIVATE_H
#define XF_CORE_RULE_TABLE_PRIVATE_H 1

/* Inside of the rule table, shared by the rule-table*.c files.
 *
 * How a reader gets from a destination to a MAC:
 *
 *   trie node -> best route -> next hop (rt_nh) -> its hops now (rt_nhset)
 *     -> link (rt_link) -> interface as it is now (rt_pub) -> neighbour
 *
 * Each arrow that can change is one published pointer, so a change of a next
 * hop, of an interface or of a neighbour is O(1) whatever number of routes is
 * behind it.  What readers reach is never written in place, except the
 * pointers themselves and the atomics of 'struct rt_neigh'.
 *
 * Cost: a route takes 72 bytes, its counters 32, its trie node 40 (IPv4) or 48
 * (IPv6) and its share of glue nodes; inline next hops are shared by content.
 * The counters are created with the route: a reader then never allocates and
 * 'n_bytes' is exact; the price is 48 bytes of heap per route. */

#include <string.h>

#include "cmap.h"
#include "core/prefix-trie.h"
#include "core/rule-table-fib.h"
#include "core/rule-table.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "util.h"

/* Bounds that no setting changes: they keep one statement's work small. */
#define RT_MAX_PER_PREFIX 256   /* Routes of one prefix, all sources. */
#define RT_MAX_SOURCES 1024
#define RT_MAX_WEIGHT 256
#define RT_EXTRA_HOPS (16 * XF_NH_MAX) /* See rt_check_room_for_hops(). */

struct rt_source {
    struct hmap_node id_node;   /* In struct xf_rt 'sources'. */
    uint32_t id;
    int preference;
    char *name;
    uint32_t epoch;
    struct ovs_list fresh;      /* Statements of this epoch, */
    struct ovs_list stale;      /* and of earlier ones. */
    size_t n_routes;
    size_t n_stale;
    size_t n_statements;
    struct rt_cursor *cursor;   /* Of a follower, or NULL. */
};

/* A place among the statements of a source. */
struct rt_place {
    struct ovs_list *last;      /* The statement before it, or the head. */
    bool in_fresh;              /* The list is 'fresh', not 'stale'. */
};

/* How far a follower has told what a source states, and what that has carried
 * (core/rule-table-follow.h). */
struct rt_cursor {
    struct rt_source *source;   /* NULL: there is none now. */
    struct rt_place told;
    struct rt_place counted;
};

enum rt_kind { RT_ROUTE, RT_NEXTHOP, RT_NEIGH, RT_ADDR, RT_DERIVED };

/* What one source states; first member of each such object. */
struct rt_stmt {
    struct ovs_list node;       /* In the source's 'fresh' or 'stale'. */
    struct rt_source *source;
    uint32_t epoch;             /* The source's when last stated. */
    uint8_t kind;               /* enum rt_kind. */
};

/* The route of one (source, prefix, metric).  Readers use 'type', 'protocol',
 * 'nh' and 'stat'; these never change. */
struct rt_route {
    struct rt_stmt stmt;        /* RT_DERIVED: from an address, not listed. */
    struct rt_route *next;      /* Same prefix, next best. */
    struct xf_trie_node *node;
    struct rt_nh *nh;           /* NULL if the type needs none. */
    struct xf_stat *stat;
    uint32_t metric;
    uint8_t type;               /* enum xf_route_type. */
    uint8_t protocol;
    bool is_v4;                 /* Family of 'node'. */
    bool down;                  /* RT_DERIVED: its interface is down. */
};

/* An ifindex, whether or not an interface has it; or an interface, whether or
 * not it has an ifindex ('ifindex' 0). */
struct rt_link {
    struct hmap_node node;      /* In struct xf_rt 'links' if ifindex. */
    uint32_t ifindex;
    uint32_t n_refs;            /* Hops, and the interface. */
    OVSRCU_TYPE(struct rt_pub *) pub; /* Its interface, or NULL. */
    struct ovs_list gws;        /* struct rt_gw. */
};

/* An interface as readers see it: replaced as a whole. */
struct rt_pub {
    struct xf_iface iface;
    struct rt_iface *owner;
    struct cmap_node vlan_node; /* In struct xf_rt 'vlans'. */
};

struct rt_iface {
    struct hmap_node name_node; /* In struct xf_rt 'ifaces'. */
    struct rt_pub *pub;
    struct rt_link *self;       /* Never NULL, follows every change. */
    struct rt_link *link;       /* Of its ifindex; NULL if that is 0. */
    struct ovs_list addrs;      /* struct rt_addr. */
    struct ovs_list neighs;     /* struct rt_neigh, */
    size_t n_neighs;            /* so many. */
};

struct rt_hop {
    struct in6_addr gateway;    /* Zeros: the destination is on the link. */
    struct rt_link *link;
    uint16_t weight;
};

struct rt_member {
    struct rt_nh *nh;
    uint16_t weight;
};

enum rt_nhset_kind { RT_NHS_HOPS, RT_NHS_GROUP, RT_NHS_BLACKHOLE };

/* What a next hop means at some time.  Never changes. */
struct rt_nhset {
    uint8_t kind;               /* enum rt_nhset_kind. */
    uint16_t n;                 /* Of 'hops' or 'members'. */
    union {
        struct rt_hop hops[0];
        struct rt_member members[0];
    };
};

/* A next hop that routes point to: with an id, stated or only named so far
 * ('set' NULL); or inline ('id' 0), shared by all routes of equal content. */
struct rt_nh {
    struct rt_stmt stmt;        /* Listed while stated with an id. */
    struct hmap_node node;      /* In struct xf_rt 'nhs' or 'inlines'. */
    uint32_t id;
    uint32_t index;             /* In 'nh_table'; 0: not there yet. */
    uint32_t n_routes;
    uint32_t n_groups;          /* Memberships, */
    uint32_t n_used_groups;     /* those in groups with routes. */
    OVSRCU_TYPE(struct rt_nhset *) set;
};

/* A gateway that routes name. */
struct rt_gw {
    struct cmap_node node;      /* In struct xf_rt 'gws'. */
    struct in6_addr ip;
    uint32_t ifindex;
    uint32_t n_refs;            /* Hops in use. */
    struct rt_link *link;
    struct ovs_list link_node;  /* In 'link'. */
    struct ovs_list want_node;  /* In struct xf_rt 'wanted', or empty. */
};

struct rt_neigh {
    struct rt_stmt stmt;
    struct cmap_node node;      /* In struct xf_rt 'neighs'. */
    struct ovs_list iface_node;
    struct rt_iface *iface;
    struct in6_addr ip;
    struct eth_addr mac;
    atomic_int state;           /* enum xf_neighbor_state. */
    atomic_llong confirmed_ms;
    struct xf_stat *stat;
};

/* Routes derived from an address. */
enum rt_derived { RT_D_LOCAL, RT_D_EDGE, RT_D_CONNECTED, RT_N_DERIVED };

struct rt_addr {
    struct rt_stmt stmt;
    struct cmap_node node;      /* In struct xf_rt 'addrs'. */
    struct ovs_list iface_node;
    struct rt_iface *iface;
    struct in6_addr addr;
    uint8_t prefix_len;
    atomic_llong heard_ms;      /* The router itself used it last. */
    struct rt_route *derived[RT_N_DERIVED]; /* NULL where there is none. */
};

struct xf_rt {
    struct xf_rt_limits limits;
    uint64_t secret;            /* Of rt_hash(). */
    xf_retire_fn *retire;
    void *retire_aux;

    struct xf_trie v4, v6;      /* Data: best struct rt_route. */
    struct cmap vlans;          /* struct rt_pub by VLAN. */
    struct cmap neighs;         /* struct rt_neigh by (interface, IP). */
    struct cmap addrs;          /* struct rt_addr by (interface, IP). */
    struct cmap gws;            /* struct rt_gw by (ifindex, IP). */

    /* The compiled form (core/rule-table-fib.h). */
    OVSRCU_TYPE(struct xf_fib *) fib4; /* NULL: not enabled. */
    OVSRCU_TYPE(struct xf_fib *) fib6;
    OVSRCU_TYPE(struct rt_nh_table *) nh_table;
    atomic_uint32_t version;

    /* The writer's alone. */
    struct hmap sources;        /* struct rt_source by id. */
    struct hmap ifaces;         /* struct rt_iface by name. */
    struct hmap links;          /* struct rt_link by ifindex. */
    struct hmap nhs;            /* struct rt_nh by (source, id). */
    struct hmap inlines;        /* struct rt_nh by content. */
    struct ovs_list wanted;     /* struct rt_gw. */
    size_t n_routes;            /* Stated ones. */
    size_t n_nexthops;          /* Stated ones. */
    size_t n_prefixes;
    size_t n_hops;              /* In all 'struct rt_nhset'. */
    struct xf_numbers nh_numbers; /* Indexes in 'nh_table'. */
    struct xf_counted counted[XF_RT_N_COUNTED];
    struct xf_rt_follower *follower; /* Or NULL. */
    size_t n_bytes;             /* Without tries, maps. */
};

static inline uint64_t
rt_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Hash of a number and, if nonnull, an address.  Guests choose both, and one
 * thread serves all routers: so that nobody can make chains long, the hash
 * isn't linear (as hash_bytes() is with CRC instructions) and depends on the
 * table's address, which guests can't know. */
static inline uint32_t
rt_hash(const struct xf_rt *rt, uint64_t number, const struct in6_addr *ip)
{
    uint64_t hash = rt_mix(rt->secret, number);

    if (ip) {
        uint64_t half[2];

        memcpy(half, ip, sizeof half);
        hash = rt_mix(rt_mix(hash, half[0]), half[1]);
    }
    return rt_mix(hash, rt->secret);
}

static inline uint32_t
rt_hash_at(const struct xf_rt *rt, const struct rt_iface *iface,
           const struct in6_addr *ip)
{
    return rt_hash(rt, (uintptr_t) iface, ip);
}

/* What 'size' bytes take on the heap of glibc. */
static inline size_t
rt_heap_size(size_t size)
{
    return MAX(32, ROUND_UP(size + sizeof(size_t), 16));
}

/* rule-table.c */
struct xf_trie *rt_trie(const struct xf_rt *, bool is_v4);
int rt_error(char **errorp, int error, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);
void *rt_alloc(struct xf_rt *, size_t size);
struct xf_stat *rt_stat_create(struct xf_rt *, const struct xf_stat *old);
void rt_stat_forget(struct xf_rt *, enum xf_rt_counted, struct xf_stat *);
void rt_retire(struct xf_rt *, void (*destroy)(void *), void *obj,
               size_t size);
struct rt_source *rt_source_find(const struct xf_rt *, uint32_t id);
int rt_source_get(const struct xf_rt *, uint32_t id, struct rt_source **,
                  char **errorp);
void rt_stmt_init(struct rt_stmt *, struct rt_source *, enum rt_kind);
void rt_stmt_touch(struct rt_stmt *);
void rt_stmt_move(struct rt_stmt *, struct rt_source *);
void rt_stmt_uninit(struct rt_stmt *);
static inline bool
rt_stmt_is_stale(const struct rt_stmt *stmt)
{
    return stmt->epoch != stmt->source->epoch;
}

void rt_stmt_renew(struct rt_stmt *);

/* rule-table-follow.c */

/* 'source' was added, or is being removed. */
void rt_follow_source(struct xf_rt *, struct rt_source *);
/* All of 'source' is about to become stale. */
void rt_follow_mark(struct rt_source *);
/* 'stmt' is being withdrawn, not replaced. */
void rt_follow_gone__(struct xf_rt *, const struct rt_stmt *);
static inline void
rt_follow_gone(struct xf_rt *rt, const struct rt_stmt *stmt)
{
    if (OVS_UNLIKELY(stmt->source->cursor) && stmt->kind != RT_DERIVED) {
        rt_follow_gone__(rt, stmt);
    }
}
/* 'stmt' is about to leave its list. */
static inline void
rt_follow_leave(const struct rt_stmt *stmt)
{
    struct rt_cursor *cursor = stmt->source->cursor;

    if (OVS_UNLIKELY(cursor)) {
        if (cursor->told.last == &stmt->node) {
            cursor->told.last = stmt->node.prev;
        }
        if (cursor->counted.last == &stmt->node) {
            cursor->counted.last = stmt->node.prev;
        }
    }
}

/* rule-table-route.c */
struct rt_route *rt_route_find(const struct xf_rt *, const struct rt_source *,
                               const struct xf_prefix *, uint32_t metric);
char *rt_prefix_check(const struct xf_prefix *);
char *rt_prefix_to_string(const struct xf_prefix *);
struct xf_prefix rt_node_prefix(const struct xf_trie_node *, bool is_v4);
void rt_route_remove(struct xf_rt *, struct rt_route *);
struct rt_route *rt_route_derive(struct xf_rt *, struct rt_source *,
                                 const struct xf_prefix *,
                                 enum xf_route_type, struct rt_nh *);
void rt_route_set_down(struct xf_rt *, struct rt_route *, bool down);
bool rt_route_before(const struct rt_route *, const struct rt_route *);
static inline struct rt_route *
rt_node_routes(const struct xf_trie_node *node)
{
    return (struct rt_route *) ovsrcu_get_protected(void *, &node->data);
}

/* rule-table-nexthop.c */
struct rt_link *rt_link_get(struct xf_rt *, uint32_t ifindex);
struct rt_link *rt_link_create(struct xf_rt *, uint32_t ifindex);
void rt_link_put(struct xf_rt *, struct rt_link *);
void rt_link_publish(struct xf_rt *, struct rt_link *, struct rt_pub *);
struct rt_gw *rt_gw_find(const struct xf_rt *, uint32_t ifindex,
                         const struct in6_addr *);
void rt_gw_update(struct xf_rt *, struct rt_gw *);
char *rt_nexthop_check(const struct xf_nexthop *, size_t n);
int rt_check_room_for_hops(const struct xf_rt *, const struct rt_source *,
                           size_t n, char **errorp);
struct rt_nh *rt_nh_inline_find(const struct xf_rt *,
                                const struct xf_nexthop *, size_t n);
struct rt_nh *rt_nh_inline(struct xf_rt *, const struct xf_nexthop *,
                           size_t n);
struct rt_nh *rt_nh_onlink(struct xf_rt *, struct rt_link *);
struct rt_nh *rt_nh_find(const struct xf_rt *, const struct rt_source *,
                         uint32_t id);
struct rt_nh *rt_nh_get(struct xf_rt *, struct rt_source *, uint32_t id);
void rt_nh_ref_route(struct xf_rt *, struct rt_nh *);
void rt_nh_unref_route(struct xf_rt *, struct rt_nh *);
int rt_nh_check_room(const struct xf_rt *, const struct rt_source *,
                     uint32_t id, char **errorp);
void rt_nh_withdraw(struct xf_rt *, struct rt_nh *);
size_t rt_nhset_size(const struct rt_nhset *);
static inline bool
rt_nh_is_used(const struct rt_nh *nh)
{
    return nh->n_routes || nh->n_used_groups;
}

/* rule-table-iface.c */
struct rt_iface *rt_iface_find(const struct xf_rt *, const char *name);
void rt_iface_remove(struct xf_rt *, struct rt_iface *);
void rt_addr_remove(struct xf_rt *, struct rt_addr *);
bool rt_addr_is_own(const struct xf_rt *, const struct rt_iface *,
                    const struct in6_addr *);
bool rt_addr_hear(const struct xf_rt *, const struct rt_iface *,
                  const struct in6_addr *, bool is_own_mac,
                  long long int now_ms);
const struct rt_pub *rt_pub_by_segment(const struct xf_rt *, uint16_t vlan,
                                       struct eth_addr);

/* rule-table-neigh.c */
struct rt_neigh *rt_neigh_find(const struct xf_rt *, const struct rt_iface *,
                               const struct in6_addr *);
void rt_neigh_remove(struct xf_rt *, struct rt_neigh *);
void rt_neigh_purge_own(struct xf_rt *, uint16_t vlan);
bool rt_ip_is_linklocal(const struct in6_addr *);
bool rt_ip_is_special(const struct in6_addr *);

/* rule-table-fib.c */

/* Next hops by index, for readers that have a value of the compiled form. */
struct rt_nh_table {
    size_t n;                   /* Elements. */
    struct rt_nh *nhs[];
};
void rt_fib_update(struct xf_rt *, bool is_v4, struct xf_key, uint8_t len);
bool rt_fib_same_value(struct xf_rt *, const struct rt_route *,
                       const struct rt_route *);

/* What next hops mean has changed: threads ask anew. */
static inline void
rt_raise_version(struct xf_rt *rt)
{
    uint32_t orig;

    atomic_add_explicit(&rt->version, 1, &orig, memory_order_release);
}

/* rule-table-lookup.c */
const struct rt_route *rt_best_route(const struct xf_rt *,
                                     const struct in6_addr *, bool *special);

#endif /* core/rule-table-private.h */
