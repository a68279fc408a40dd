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

#ifndef XF_CORE_RULE_TABLE_H
#define XF_CORE_RULE_TABLE_H 1

/* Rule table of one virtual router.
 * ================================
 *
 * What
 * ----
 * Routes (IPv4, IPv6, from several sources), next-hop objects (ECMP, weights),
 * neighbours, interfaces with their addresses and link state.  It answers one
 * question: what is done with a packet for this destination, and how many bits
 * of the destination decided that.
 *
 * Why this structure
 * ------------------
 * A path-compressed binary trie per family.  It is not the fastest longest
 * prefix match (the datapath's fib is), but the walk tells exactly how many
 * leading bits were looked at, which is what a megaflow must match (design:
 * "exactly the bits that decided").  One entry per prefix holds the routes of
 * all sources, best first.
 *
 * Shape
 * -----
 * Bounded by 'struct xf_rt_limits'; addresses are in network byte order, IPv4
 * as v4-mapped (xenflow/types.h).  Lookup O(address bits), updates O(address
 * bits + sources).
 *
 * Invariants
 * ----------
 * - A lookup sees, for each prefix, either the state before an update or the
 *   state after it, never nothing in between (replace is atomic).
 * - Best route of a prefix: lowest 'preference' of its source, then lowest
 *   'metric', then lowest source id.
 * - 'n_bits' of a result covers every bit on which the result depends: any
 *   destination that shares them gets the same verdict (for an equal
 *   flow hash).
 *
 * Threads
 * -------
 * One writer.  Functions under "Readers" may be called from any thread inside
 * an RCU read-side section; what they return lives until that section ends
 * (take a reference on 'struct xf_stat' to keep it longer).  All others are the
 * writer's alone.  Retired memory is handed to the 'retire' callback.
 *
 * Source: RFC 1812 5.2.4 (route selection); Linux fib semantics (local table
 * first, ip-route(8) types); VPP's FIB sources (idea of ranked sources). */

#include "openvswitch/compiler.h"
#include "openvswitch/types.h"
#include "xenflow/types.h"

struct xf_rt;

/* Hands 'obj' to be released by 'destroy(obj)' once no reader can hold it. */
typedef void xf_retire_fn(void (*destroy)(void *obj), void *obj, void *aux);

/* Maxima.  0 is not "unlimited": it refuses everything. */
struct xf_rt_limits {
    uint32_t max_routes;        /* Route statements over all sources. */
    uint32_t max_nexthops;      /* Next-hop objects with an id. */
    uint32_t max_neighbors;
    uint32_t max_ifaces;
    uint32_t max_addresses;
};
#define XF_RT_LIMITS_DEFAULT { 2000000, 65536, 65536, 256, 1024 }
#define XF_NH_MAX 256           /* Next hops in one group. */

/* Who states something.  'preference': lower wins.  Ids are chosen by the
 * caller, unique in the table. */
enum xf_source_preference {
    XF_PREF_LOCAL = 0,          /* Derived from addresses. */
    XF_PREF_OPERATOR = 5,       /* Commands and, later, the database. */
    XF_PREF_SPEAKER = 20,       /* A routing daemon or guest daemon. */
    XF_PREF_LEARNED = 30,       /* Overheard: others' word goes before it. */
};

/* The values of struct rtmsg.rtm_type that are supported. */
enum xf_route_type {
    XF_ROUTE_UNICAST,
    XF_ROUTE_LOCAL,             /* Own address: punted, never limited. */
    XF_ROUTE_BLACKHOLE,         /* Dropped. */
    XF_ROUTE_UNREACHABLE,       /* Punted: the VM answers. */
    XF_ROUTE_PROHIBIT,          /* Punted: the VM answers. */
};
const char *xf_route_type_name(enum xf_route_type);

/* One next hop.  'ifindex' is the guest's.  An unspecified gateway (in6_addr
 * all zeros) means that the destination itself is on the link.  An IPv4 route
 * may have an IPv6 gateway (RFC 8950). */
struct xf_nexthop {
    struct in6_addr gateway;
    uint32_t ifindex;
    uint16_t weight;            /* 1..256. */
};

/* A route as stated by one source.  Either 'nhid' != 0 names a next-hop object
 * or 'n_nexthops' > 0 gives them inline (copied), or the type needs none. */
struct xf_route_spec {
    struct xf_prefix prefix;
    enum xf_route_type type;
    uint8_t protocol;           /* RTPROT_*, for display. */
    uint32_t metric;            /* RTA_PRIORITY. */
    uint32_t nhid;
    size_t n_nexthops;
    const struct xf_nexthop *nexthops;
};

/* An interface of the router. */
struct xf_iface {
    char name[XF_NAME_MAX];     /* Unique in the router. */
    char vif[XF_NAME_MAX];      /* Switch port of the VM's back-end; or "". */
    uint32_t ifindex;           /* The guest's; 0: not known yet. */
    uint16_t vlan;              /* Segment in the bridge, 0: untagged. */
    struct eth_addr mac;
    uint16_t mtu;               /* Bytes of IP packet. */
    bool up;                    /* Operational state. */
};

enum xf_neighbor_state {
    XF_NEIGH_REACHABLE,         /* Confirmed within the reachable time. */
    XF_NEIGH_PROBE,             /* In use, being asked again; still used. */
    XF_NEIGH_PERMANENT,         /* Stated by operator or speaker. */
};
const char *xf_neighbor_state_name(enum xf_neighbor_state);

/* ---- Life cycle (writer). ---- */
void xf_rt_destroy(struct xf_rt *);
struct xf_rt *xf_rt_create(const struct xf_rt_limits *, xf_retire_fn *,
                           void *retire_aux);
const struct xf_rt_limits *xf_rt_limits(const struct xf_rt *);
/* Changes the maxima.  ENOSPC if the table holds more than one of them. */
int xf_rt_set_limits(struct xf_rt *, const struct xf_rt_limits *,
                     char **errorp);

/* ---- Updates (writer). ----
 *
 * Each returns 0 or a positive errno, and on an error stores a sentence that
 * names the object and what to do into '*errorp' if 'errorp' is nonnull (the
 * caller frees it).  On an error the table is as it was.
 *
 *   ENOSPC  the table's maximum is reached (the sentence names the setting)
 *   ENOENT  no such object
 *   EEXIST  the object is there already
 *   EINVAL  the statement makes no sense (bits beyond the prefix length,
 *           gateway of the wrong family, no next hops, weight 0, ...)
 */

/* Adds a source.  EEXIST if 'id' is taken. */
int xf_rt_source_add(struct xf_rt *, uint32_t id, const char *name,
                     int preference, char **errorp);
/* Removes a source with all that it stated. */
int xf_rt_source_del(struct xf_rt *, uint32_t id, char **errorp);
/* Begins a new epoch: all that the source stated is stale until stated anew. */
int xf_rt_source_mark(struct xf_rt *, uint32_t id, char **errorp);
/* Removes up to 'max' stale statements (routes, next-hop objects, neighbours
 * and addresses) of the source and returns how many; call until it returns
 * less than 'max'. */
size_t xf_rt_source_sweep(struct xf_rt *, uint32_t id, size_t max);
size_t xf_rt_source_n_routes(const struct xf_rt *, uint32_t id);
size_t xf_rt_source_n_stale(const struct xf_rt *, uint32_t id);

/* States a route; one with the same (source, prefix, metric) is replaced.
 * If 'replace_prefix', all other routes of the same (source, prefix) go in the
 * same step (netlink NLM_F_REPLACE without a metric of its own).
 * An unknown 'nhid' is accepted: packets punt until it is stated. */
int xf_rt_route_add(struct xf_rt *, uint32_t source,
                    const struct xf_route_spec *, bool replace_prefix,
                    char **errorp);
/* Withdraws the route of (source, prefix, metric); 'metric' UINT32_MAX means
 * any: of several, the one with the lowest metric, as in the kernel.  ENOENT
 * if there is none. */
int xf_rt_route_del(struct xf_rt *, uint32_t source,
                    const struct xf_prefix *, uint32_t metric,
                    char **errorp);

/* Next-hop objects ('id' != 0), as of RTM_NEWNEXTHOP: single, or group of
 * others with weights.  Replacing one changes every route that uses it in
 * O(1).  Ids are each source's own.  Members of a group are single next hops
 * (or blackholes), stated before or after it; one that nobody states is left
 * out. */
struct xf_nexthop_ref {
    uint32_t id;
    uint16_t weight;            /* 1..256. */
};
int xf_rt_nexthop_set(struct xf_rt *, uint32_t source, uint32_t id,
                      const struct xf_nexthop *nexthops, size_t n,
                      char **errorp);
int xf_rt_nexthop_set_group(struct xf_rt *, uint32_t source, uint32_t id,
                            const struct xf_nexthop_ref *members, size_t n,
                            char **errorp);
/* A next hop that drops. */
int xf_rt_nexthop_set_blackhole(struct xf_rt *, uint32_t source, uint32_t id,
                                char **errorp);
/* True if 'source' has stated next hop 'id', or named it. */
bool xf_rt_nexthop_is_known(const struct xf_rt *, uint32_t source,
                            uint32_t id);
int xf_rt_nexthop_del(struct xf_rt *, uint32_t source, uint32_t id,
                      char **errorp);

/* Interfaces.  'add' refuses a name, nonzero ifindex, or (vlan, mac) that is
 * in use (EEXIST).  'update' replaces the interface of the same name in one
 * step. */
int xf_rt_iface_add(struct xf_rt *, const struct xf_iface *, char **errorp);
int xf_rt_iface_update(struct xf_rt *, const struct xf_iface *,
                       char **errorp);
int xf_rt_iface_del(struct xf_rt *, const char *name, char **errorp);

/* Addresses: one with a prefix (10.0.1.1/24) makes the address local, its
 * IPv4 broadcast address (prefix <= 30) or IPv6 subnet-router anycast address
 * (prefix <= 126) local too, and the prefix connected through that interface
 * (as a route of preference XF_PREF_LOCAL; while the interface is down every
 * other route of that prefix is better, and without one packets are punted as
 * "link-down").  They refer to the interface by name and go with it. */
int xf_rt_addr_add(struct xf_rt *, uint32_t source, const char *iface,
                   const struct in6_addr *, uint8_t prefix_len,
                   char **errorp);
int xf_rt_addr_del(struct xf_rt *, uint32_t source, const char *iface,
                   const struct in6_addr *, uint8_t prefix_len,
                   char **errorp);
/* Whether anybody states address 'ip' of 'iface', one of the table.  Any
 * thread. */
bool xf_rt_has_addr(const struct xf_rt *, const struct xf_iface *iface,
                    const struct in6_addr *ip);

/* Neighbours, keyed by (interface name, address).  'set' adds or changes. */
int xf_rt_neigh_set(struct xf_rt *, uint32_t source, const char *iface,
                    const struct in6_addr *, struct eth_addr,
                    enum xf_neighbor_state, long long int now_ms,
                    char **errorp);
int xf_rt_neigh_del(struct xf_rt *, const char *iface,
                    const struct in6_addr *, char **errorp);
/* Removes one neighbour to make room for another, so that whoever fills the
 * table (an ARP scan, a flood) keeps nobody out.  Only those of sources of
 * XF_PREF_LEARNED go, and no gateways; of the interface that has most of them;
 * of some there, the first that has carried nothing since 'used_ms', else the
 * first.  Returns false if it found none.  Costs O(interfaces). */
bool xf_rt_neigh_evict(struct xf_rt *, long long int used_ms);

/* ---- Readers (any thread, RCU). ---- */

/* What to do with a packet. */
struct xf_rt_result {
    enum xf_verdict verdict;
    enum xf_punt_reason reason; /* If XF_PUNT. */
    uint8_t n_bits;             /* Leading destination bits that decided,
                                 * 0..32 or 0..128. */
    bool used_hash;             /* 'flow_hash' took part (ECMP). */
    bool has_route;             /* The three below are valid. */
    struct xf_prefix prefix;    /* The prefix that matched. */
    uint8_t protocol;
    struct xf_stat *route_stat; /* Counters of the route; or NULL. */
    const struct xf_iface *out; /* Egress; NULL if none was chosen. */
    struct in6_addr nexthop;    /* Gateway or the destination; if 'out'. */
    struct eth_addr dmac;       /* If XF_FORWARD. */
    struct xf_stat *neigh_stat; /* Counters of the neighbour, if XF_FORWARD. */
};

/* Looks up 'dst' (v4-mapped for IPv4).  'flow_hash' picks among equal next
 * hops.  Never fails: what can't be answered is a punt.
 *
 * Always punts XF_PUNT_SPECIAL: IPv4 0.0.0.0, 127/8, 224/4 and
 * 255.255.255.255; IPv6 ::, ::1, ::ffff:0:0/96, fe80::/10, ff00::/8. */
void xf_rt_lookup(const struct xf_rt *, const struct in6_addr *dst,
                  uint32_t flow_hash, struct xf_rt_result *);

/* Interface by segment and MAC, or NULL. */
const struct xf_iface *xf_rt_iface_by_segment(const struct xf_rt *,
                                              uint16_t vlan, struct eth_addr);

/* The next interface after 'prev' (NULL: the first) in segment 'vlan', or
 * NULL. */
const struct xf_iface *xf_rt_iface_by_vlan(const struct xf_rt *,
                                           uint16_t vlan,
                                           const struct xf_iface *prev);

/* Something was heard about 'ip' from 'mac' on interface 'iface'. */
enum xf_neigh_news {
    XF_NEIGH_KNOWN,             /* Same MAC is in the table: it was confirmed
                                 * by this call at 'now_ms'. */
    XF_NEIGH_NEW,               /* To be learned: absent or another MAC, on
                                 * link or wanted as a gateway. */
    XF_NEIGH_OWN,               /* 'mac' is the interface's own MAC and 'ip'
                                 * not local yet: an address of the router. */
    XF_NEIGH_MOVED,             /* 'ip' is an address of the router that was
                                 * only learned, and 'mac' isn't its own. */
    XF_NEIGH_IGNORE,            /* Not on this link; own address; permanent. */
};
enum xf_neigh_news xf_rt_neigh_hear(const struct xf_rt *,
                                    const struct xf_iface *,
                                    const struct in6_addr *ip,
                                    struct eth_addr mac,
                                    long long int now_ms);

/* ---- Listing (writer). ---- */

struct xf_route_info {
    struct xf_route_spec spec;  /* 'nexthops': resolved ones, borrowed. */
    uint32_t source;
    const char *source_name;
    bool best;                  /* The one in use for its prefix. */
    bool stale;
    const struct xf_stat *stat; /* Borrowed. */
};
/* Calls 'cb' for each route, in order of (family, address, length), best first,
 * until it returns false. */
void xf_rt_for_each_route(const struct xf_rt *,
                          bool (*cb)(const struct xf_route_info *, void *aux),
                          void *aux);

struct xf_neigh_info {
    const struct xf_iface *iface;
    struct in6_addr ip;
    struct eth_addr mac;
    enum xf_neighbor_state state;
    uint32_t source;
    bool gateway;               /* A route in use names it. */
    long long int confirmed_ms; /* Last heard of. */
    const struct xf_stat *stat; /* Borrowed: packets sent to it. */
};
void xf_rt_for_each_neigh(const struct xf_rt *,
                          bool (*cb)(const struct xf_neigh_info *, void *aux),
                          void *aux);
void xf_rt_for_each_iface(const struct xf_rt *,
                          bool (*cb)(const struct xf_iface *, void *aux),
                          void *aux);
const struct xf_iface *xf_rt_iface_by_name(const struct xf_rt *,
                                           const char *name);
const struct xf_iface *xf_rt_iface_by_ifindex(const struct xf_rt *,
                                              uint32_t ifindex);

struct xf_addr_info {
    const char *iface;
    struct in6_addr addr;
    uint8_t prefix_len;
    uint32_t source;
    long long int heard_ms;     /* Of xf_rt_neigh_hear(); 0: never. */
};
void xf_rt_for_each_addr(const struct xf_rt *,
                         bool (*cb)(const struct xf_addr_info *, void *aux),
                         void *aux);

/* Gateways that usable routes name and that have no neighbour entry, up to
 * 'max': what a switch may ask for before the first packet needs it.
 * Returns the number stored in 'out'. */
struct xf_neigh_want {
    const struct xf_iface *iface;
    struct in6_addr ip;
};
size_t xf_rt_wanted_neighbors(const struct xf_rt *,
                              struct xf_neigh_want *out, size_t max);

struct xf_rt_usage {
    size_t n_routes;            /* Stated, without those of addresses. */
    size_t n_prefixes, n_nexthops, n_neighbors, n_ifaces, n_addresses;
    size_t n_trie_nodes;
    size_t n_bytes;             /* Heap bytes held, retired ones not counted. */
};
void xf_rt_get_usage(const struct xf_rt *, struct xf_rt_usage *);

/* Aborts with a message if a structural invariant is broken (for tests). */
void xf_rt_check(const struct xf_rt *);

#endif /* core/rule-table.h */
