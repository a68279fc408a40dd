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

#ifndef XF_CREDIT_H
#define XF_CREDIT_H 1

/* Side effects of a cached translation through a router.
 *
 * A megaflow's later packets never come back to translation; revalidators push
 * their counts through the translation cache.  A credit is the entry that
 * brings them to a route's and a neighbour's counters, or confirms a neighbour
 * whose ARP or ND messages keep hitting a megaflow.
 *
 * Threads: created by any translation, pushed and destroyed by revalidators. */

#include "openvswitch/types.h"
#include "xenflow/types.h"

struct dpif_flow_stats;
struct xf_credit;
struct xf_iface;
struct xf_router;

/* Counts packets on the two counters, either of which may be NULL.  Takes a
 * reference on each. */
struct xf_credit *xf_credit_traffic(struct xf_stat *route,
                                    struct xf_stat *neighbor);

/* Says that 'ip' is heard of at 'mac' on 'iface' of 'router'.  'from_vm': the
 * message comes from the router's own VM, the only one that is believed about
 * the router's own addresses. */
struct xf_credit *xf_credit_neighbor(const struct xf_router *router,
                                     const struct xf_iface *iface,
                                     const struct in6_addr *ip,
                                     struct eth_addr mac, bool from_vm);

/* Adds what fib actions forwarded for router 'id' since the last call to the
 * statistics of its port 'name', which exists, as the translation cache does for others.
 * Engine's thread. */
void xf_credit_port(uint32_t id, const char *name);

void xf_credit_push(const struct xf_credit *, const struct dpif_flow_stats *);
void xf_credit_destroy(struct xf_credit *);

#endif /* seam/xf-credit.h */
