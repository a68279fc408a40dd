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
#include "seam/xf-packet.h"

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
    /* The caller's, of no meaning here. */
    uint32_t send;
    uint8_t group;
};

struct xf_fwd *xf_fwd_create(void (*release)(struct dp_netdev_flow *));
void xf_fwd_destroy(struct xf_fwd *);

/* What becomes of a burst. */
struct xf_fwd_result {
    size_t n;                   /* Forwarded by 'adj': rewritten but VLAN. */
    const struct xf_packet *packets[NETDEV_MAX_BURST];
    size_t n_punts;             /* As they came. */
    const struct xf_packet *punts[NETDEV_MAX_BURST];
};

/* Packets of one family of a burst. */
struct xf_fwd_family {
    size_t n;
    struct xf_packet *packets[NETDEV_MAX_BURST];
    uint32_t dsts[NETDEV_MAX_BURST]; /* IPv4. */
};

/* What stays the same for the packets of one group of a burst. */
struct xf_fwd_job {
    struct xf_fwd *fwd;
    struct xf_fwd_router *router; /* What the thread knows of it; NULL: there
                                   * is no such router. */
    struct xf_dp_router *dp;
    const struct xf_rt *rt;
    uint32_t version;
    uint32_t seed;              /* Of xf_flow_hash(). */
    const struct xf_fib *fibs[2]; /* IPv6, IPv4. */
    const atomic_uint64_t *start; /* xf_fib_start() of IPv4. */
    struct xf_fwd_result *result;
    uint64_t n_forwarded;
    uint64_t n_bytes;           /* Of those. */
    uint64_t n_dropped;
};

/* Packets on their way: xf_fwd_begin(), xf_fwd_group() and xf_fwd_add() as often
 * as needed, xf_fwd_finish(). */
struct xf_fwd_burst {
    struct xf_fwd *fwd;
    size_t n_jobs;
    struct xf_fwd_job jobs[NETDEV_MAX_BURST]; /* By group. */
    size_t n_packets;
    struct xf_packet packets[NETDEV_MAX_BURST];
    struct xf_fwd_family families[2]; /* IPv6, IPv4: by the type of the frames, as
                                       * upstream extracts flows. */
    struct xf_fwd_result result;
};

void xf_fwd_begin(struct xf_fwd_burst *, struct xf_fwd *);
/* Another group, for packets that the router with 'id' forwards: 0, then 1 and
 * so on. */
void xf_fwd_group(struct xf_fwd_burst *, uint32_t id);
/* Takes over a packet that isn't to be looked up. */
void xf_fwd_refuse(struct xf_fwd_burst *, const struct xf_packet *);
/* Forwards all; 'result' of the burst says what became of them. */
void xf_fwd_finish(struct xf_fwd_burst *);

/* Where the next packet of 'burst', one of at most NETDEV_MAX_BURST, is read to
 * before xf_fwd_add(). */
static inline struct xf_packet *
xf_fwd_next(struct xf_fwd_burst *burst)
{
    return &burst->packets[burst->n_packets];
}

/* Takes over the packet in xf_fwd_next(). */
static inline void
xf_fwd_add(struct xf_fwd_burst *burst, uint8_t group)
{
    struct xf_packet *p = &burst->packets[burst->n_packets++];
    const struct xf_fwd_job *job = &burst->jobs[group];

    p->group = group;
    if (OVS_UNLIKELY(!p->family || !job->router)) {
        xf_fwd_refuse(burst, p);
        return;
    }

    struct xf_fwd_family *family = &burst->families[p->family == 4];
    if (p->family == 4) {
        const struct ip_header *ip
            = ALIGNED_CAST(const struct ip_header *, p->l3);
        uint32_t dst = ntohl(get_16aligned_be32(&ip->ip_dst));

        xf_fib_prefetch_v4(job->start, dst);
        family->dsts[family->n] = dst;
    }
    family->packets[family->n++] = p;
}

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
