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

#ifndef XENFLOW_TYPES_H
#define XENFLOW_TYPES_H 1

/* Value types shared by every room of XenFlow.
 *
 * Addresses are 'struct in6_addr' everywhere; an IPv4 address a.b.c.d is held
 * as the IPv4-mapped ::ffff:a.b.c.d (network byte order, RFC 4291 2.5.5.2), so
 * that one type serves both families.  Prefix lengths count bits of the family
 * itself: 0..32 for IPv4, 0..128 for IPv6; the family follows from the
 * address. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/types.h"
#include "ovs-atomic.h"

#define XF_NAME_MAX 64          /* Router and interface names, with NUL. */

/* What a lookup asks the switch to do with a packet. */
enum xf_verdict {
    XF_FORWARD,                 /* Rewrite and send to the next hop. */
    XF_PUNT,                    /* Hand to the VM, unmodified. */
    XF_DROP,                    /* Blackhole: drop silently, counted. */
};

/* Why a packet is handed to the virtual machine.  The order is that of the
 * counters in "xenflow/stats-show". */
#define XF_PUNT_REASONS                                                   \
    XF_PUNT_REASON(LOCAL, "local")               /* Own address. */       \
    XF_PUNT_REASON(SPECIAL, "special")           /* Multicast, 127/8... */\
    XF_PUNT_REASON(NON_IP, "non-ip")             /* ARP, MPLS, ... */     \
    XF_PUNT_REASON(NO_ROUTE, "no-route")                                  \
    XF_PUNT_REASON(UNREACHABLE, "unreachable")   /* Route says so. */     \
    XF_PUNT_REASON(PROHIBIT, "prohibit")         /* Route says so. */     \
    XF_PUNT_REASON(NO_NEXTHOP, "no-nexthop")     /* Unknown group id. */  \
    XF_PUNT_REASON(LINK_DOWN, "link-down")       /* No usable next hop. */\
    XF_PUNT_REASON(NO_NEIGHBOR, "no-neighbor")   /* No MAC yet. */        \
    XF_PUNT_REASON(TTL, "ttl")                   /* TTL/hop limit <= 1. */\
    XF_PUNT_REASON(OPTIONS, "options")           /* IPv4 IHL > 5. */      \
    XF_PUNT_REASON(HOP_BY_HOP, "hop-by-hop")     /* IPv6 next header 0 */ \
    XF_PUNT_REASON(TOO_BIG, "too-big")           /* Egress MTU. */        \
    XF_PUNT_REASON(MARTIAN, "martian")           /* Source not routable */\
    XF_PUNT_REASON(MALFORMED, "malformed")       /* Bad IP header. */     \
    XF_PUNT_REASON(RULE, "rule")                 /* A flow says so. */

enum xf_punt_reason {
#define XF_PUNT_REASON(ENUM, NAME) XF_PUNT_##ENUM,
    XF_PUNT_REASONS
#undef XF_PUNT_REASON
    XF_N_PUNT_REASONS
};

/* Returns the name of 'reason' as shown to users, e.g. "no-route". */
const char *xf_punt_reason_name(enum xf_punt_reason reason);

/* Finds the reason called 'name'; returns false if there is none. */
bool xf_punt_reason_from_name(const char *name, enum xf_punt_reason *reason);

/* A counter block that outlives the object it belongs to for as long as a
 * cached translation refers to it.  Updated with relaxed atomics from any
 * thread. */
struct xf_stat {
    struct ovs_refcount refcount;
    uint32_t number;            /* Of xf_counted_add(), 0: none. */
    uint32_t n_owners;          /* Objects of a rule table that it counts. */
    atomic_uint64_t n_packets;
    atomic_uint64_t n_bytes;
    atomic_llong used_ms;       /* Monotonic ms of last packet; 0: never. */
};

struct xf_stat *xf_stat_create(void);
struct xf_stat *xf_stat_ref(const struct xf_stat *);
void xf_stat_unref(struct xf_stat *);
void xf_stat_add(struct xf_stat *, uint64_t n_packets, uint64_t n_bytes,
                 long long int used_ms);

/* The hash of a flow that chooses among equal next hops: the same in every
 * build and on every host.  Ports are 0 where there are none. */
uint32_t xf_flow_hash(uint32_t seed, const struct in6_addr *src,
                      const struct in6_addr *dst, uint8_t proto,
                      ovs_be16 sport, ovs_be16 dport);

/* A prefix: 'addr' has zeros beyond 'len' bits. */
struct xf_prefix {
    struct in6_addr addr;
    uint8_t len;
};

/* Bits of 'struct in6_addr' that stand before an IPv4 address. */
#define XF_V4_OFS 96

static inline bool
xf_addr_is_v4(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

/* Formats 'addr' into 'buf' and returns that.  (OVS's ipv6_string_mapped()
 * doesn't take 0.0.0.0 for IPv4, but default routes have it.) */
const char *xf_addr_string(char buf[INET6_ADDRSTRLEN],
                           const struct in6_addr *addr);

static inline uint8_t
xf_addr_bits(const struct in6_addr *a)
{
    return xf_addr_is_v4(a) ? 32 : 128;
}

#endif /* xenflow/types.h */
