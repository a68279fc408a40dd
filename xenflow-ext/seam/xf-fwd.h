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

#ifndef XF_FWD_H
#define XF_FWD_H 1

/* Forwarding of packet bursts by routers' compiled tables.
 * ========================================================
 *
 * What
 * ----
 * For each packet of a burst: longest-prefix match, next hop (one of several by
 * the hash of the flow), neighbour, checks of the header against all that a
 * flow key can't tell, new MACs and TTL.  What comes out is packets with the
 * adjacency each is to leave by, and packets for the virtual machine.
 *
 * Why this structure
 * ------------------
 * A datapath thread keeps its own copy of what it needs of next hops and
 * neighbours, valid as long as the table's version is the same, and counts in
 * arrays of its own: forwarding touches no memory that another thread writes,
 * but the table's nodes.
 *
 * An adjacency is the rewrite towards one neighbour.  How packets get from there
 * out of the switch isn't known here: the caller keeps what it found out in
 * 'egress', which is released when the rewrite changes.
 *
 * Threads
 * -------
 * A 'struct xf_fwd' belongs to one thread at a time; counters are read by
 * any. */

#include "core/rule-table-fib.h"
#include "dp-packet.h"
#include "seam/xf-counters.h"

struct dp_netdev_flow;

/* How packets of one family get from an adjacency out of the switch. */
struct xf_egress {
    struct dp_netdev_flow *flow; /* Referenced; NULL: by recirculation. */
    uint32_t n_tries;           /* Batches without one. */
};

/* The way to one neighbour. */
struct xf_adj {
    struct eth_addr dmac, smac;
    uint16_t vlan;              /* Segment, 0: untagged. */
    uint16_t mtu;               /* Bytes of IP packet. */
    uint32_t version;           /* Of the table when this was looked up. */
    struct xf_counter *counter; /* The neighbour's. */
    struct xf_egress egress[2]; /* IPv6, IPv4. */
    uint8_t hint;               /* The caller's, of no meaning here. */
};

struct xf_fwd *xf_fwd_create(void (*release)(struct dp_netdev_flow *));
void xf_fwd_destroy(struct xf_fwd *);

/* What becomes of a burst. */
struct xf_fwd_result {
    size_t n;                   /* Forwarded: rewritten but VLAN, */
    struct dp_packet *packets[NETDEV_MAX_BURST];
    struct xf_adj *adjs[NETDEV_MAX_BURST]; /* by which way, */
    uint8_t groups[NETDEV_MAX_BURST]; /* of which group. */
    size_t n_punts;             /* As they came. */
    struct dp_packet *punts[NETDEV_MAX_BURST];
    uint8_t punt_groups[NETDEV_MAX_BURST];
};

/* Forwards the 'n' (at most NETDEV_MAX_BURST) 'packets', which it takes over.
 * Each is of one of 'n_ids' (at most as many) groups, which router 'ids' of
 * the group forwards. */
void xf_fwd_burst(struct xf_fwd *, const uint32_t ids[], size_t n_ids,
                  struct dp_packet *const packets[], const uint8_t groups[],
                  size_t n, struct xf_fwd_result *);

/* A router was removed from the datapath: frees what was kept for it, in
 * threads of their own when they forward next.  Any thread. */
void xf_fwd_forget(void);

/* Reads what all threads, those that are no more too, have counted for a
 * router.  Any thread; good for one RCU read-side section. */
#define XF_FWD_MAX_THREADS 256
struct xf_fwd_reader {
    size_t n;
    const struct xf_counters *counters[XF_FWD_MAX_THREADS];
};
void xf_fwd_reader_init(struct xf_fwd_reader *, uint32_t id,
                        enum xf_rt_counted);
/* struct xf_counted_reader 'get', with a struct xf_fwd_reader. */
void xf_fwd_read(uint32_t number, struct xf_count *, void *reader);

#endif /* seam/xf-fwd.h */
