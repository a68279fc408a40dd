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

#ifndef XF_ODP_H
#define XF_ODP_H 1

/* Datapath action "xenflow": what a flow key can't say about routing.
 * ====================================================================
 *
 * What
 * ----
 * One action per batch that checks each packet (header length, options,
 * hop-by-hop header, TTL, length against the egress MTU, source address) and
 * then either rewrites it and runs the 'forward' actions, or runs the 'punt'
 * actions on the packet as it came, counted by reason and limited in rate.
 * Because TTL and MACs are checked and rewritten here, the megaflow needs to
 * match neither.
 *
 * Shape
 * -----
 * OVS_ACTION_ATTR_XENFLOW, nested:
 *
 *     XF_ODP_ATTR_SPEC     struct xf_odp_spec, first
 *     XF_ODP_ATTR_FORWARD  nested actions (verdict XF_FORWARD only)
 *     XF_ODP_ATTR_PUNT     nested actions (verdicts XF_FORWARD and XF_PUNT)
 *
 * Verdict XF_ODP_FIB leaves the decision to the router's compiled table, for
 * each packet by itself (seam/xf-fwd.h):
 *
 *     XF_ODP_ATTR_RECIRC   uint32_t, recirculation id of the pipeline behind
 *                          the router
 *     XF_ODP_ATTR_PUNT     as above
 *
 * Verdict XF_ODP_HOLD lets frames for a router's machine wait (seam/xf-hold.h),
 * or, once they needn't, runs
 *
 *     XF_ODP_ATTR_PUNT     nested actions; none: the frames are dropped
 *
 * As text, e.g.
 *
 *     xenflow(router=1,fib,recirc(0x1),punt(4))
 *     xenflow(router=1,src=52:54:00:00:01:02,dst=52:54:00:00:02:02,mtu=1500,
 *             forward(3),punt(4))
 *     xenflow(router=1,reason=no-route,punt(4))
 *     xenflow(router=1,drop)
 *     xenflow(router=1,hold=10,punt(4))
 *
 * Invariants
 * ----------
 * A punted packet is bit-identical to the one received.  The IPv4 checksum is
 * updated incrementally (RFC 1624), so that a bad checksum stays bad.
 *
 * Threads: parse and format anywhere; execute in any datapath thread; the
 * router functions in one thread (the engine's), lookups under RCU.
 *
 * This file is part of libopenvswitch: lib/odp-util.c and lib/odp-execute.c
 * call it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "odp-execute.h"
#include "openvswitch/types.h"
#include "xenflow/types.h"

struct ds;
struct hmap;
struct nlattr;
struct ofpbuf;
struct parse_odp_context;

enum xf_odp_attr {
    XF_ODP_ATTR_UNSPEC,
    XF_ODP_ATTR_SPEC,
    XF_ODP_ATTR_FORWARD,
    XF_ODP_ATTR_PUNT,
    XF_ODP_ATTR_RECIRC,
};

#define XF_ODP_FIB (XF_DROP + 1)
#define XF_ODP_HOLD (XF_DROP + 2)

struct xf_odp_spec {
    uint32_t router;            /* Router id. */
    uint8_t verdict;            /* enum xf_verdict, or XF_ODP_*. */
    uint8_t reason;             /* enum xf_punt_reason, if XF_PUNT. */
    uint16_t mtu;               /* Bytes of IP packet, if XF_FORWARD.  The
                                 * VLAN of the segment, if XF_ODP_HOLD. */
    struct eth_addr src;        /* New source MAC, if XF_FORWARD. */
    struct eth_addr dst;        /* New destination MAC, if XF_FORWARD. */
};

/* Appends the text of action 'a' to 'ds'. */
void xf_odp_format(struct ds *ds, const struct nlattr *a,
                   const struct hmap *portno_names);

/* Parses nested actions at the start of a string up to the closing
 * parenthesis; returns the characters consumed or a negative errno. */
typedef int xf_odp_parse_list_fn(struct parse_odp_context *, const char *s,
                                 struct ofpbuf *actions);

/* If 's' starts with a "xenflow(...)" action, appends it to 'actions' and
 * returns the characters consumed; 0 if it is another action; -EINVAL if it is
 * malformed. */
int xf_odp_parse(const char *s, xf_odp_parse_list_fn *,
                 struct parse_odp_context *, struct ofpbuf *actions);

/* The list of actions that packets of action 'a' usually take, as a nested
 * attribute: for those that look through actions (sFlow, IPFIX). */
const struct nlattr *xf_odp_actions(const struct nlattr *a);

/* What a fib action says. */
struct xf_odp_fib {
    uint32_t router;
    uint32_t recirc_id;
    const struct nlattr *punt;  /* Nested actions; NULL: none. */
};
void xf_odp_fib_get(const struct nlattr *a, struct xf_odp_fib *);
bool xf_odp_is_fib(const struct nlattr *a);

/* Executes 'a' on 'batch', like odp_execute_actions().  The packets are taken
 * over if 'steal', else copied.  A fib action is 'cb's, which gets it as a
 * whole. */
void xf_odp_execute(void *dp, struct dp_packet_batch *batch, bool steal,
                    const struct nlattr *a, odp_execute_cb);

/* Registers router 'id' with a limit of 'punt_rate' punted packets per second
 * (0: none; own addresses are never limited), or changes its limit. */
void xf_odp_router_add(uint32_t id, uint32_t punt_rate);
void xf_odp_router_del(uint32_t id);

struct xf_dp_stats;
bool xf_odp_router_stats(uint32_t id, struct xf_dp_stats *);

/* Stores what fib actions forwarded for router 'id' since the last call.  False
 * if that is nothing.  Engine's thread. */
bool xf_odp_router_take(uint32_t id, uint64_t *n_packets, uint64_t *n_bytes);

/* Makes 'rt' (NULL: none) the table by which fib actions forward packets of
 * router 'id', with 'seed' for xf_flow_hash(). */
struct xf_rt;
void xf_odp_router_set_table(uint32_t id, const struct xf_rt *rt,
                             uint32_t seed);

/* For those that execute fib actions, inside RCU. */
struct xf_dp_router;
struct xf_dp_router *xf_odp_router_find(uint32_t id);
/* The table, or NULL, and its seed. */
const struct xf_rt *xf_odp_router_table(const struct xf_dp_router *,
                                        uint32_t *seed);
/* Counts a punt and returns true if it may pass. */
bool xf_odp_punt_admit(struct xf_dp_router *, enum xf_punt_reason);
void xf_odp_count(struct xf_dp_router *, uint64_t n_packets, uint64_t n_bytes,
                  uint64_t n_dropped);

#endif /* seam/xf-odp.h */
