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

#ifndef XF_CORE_LINK_TABLE_H
#define XF_CORE_LINK_TABLE_H 1

/* Ways of virtual links through one switch.
 * =========================================
 *
 * What
 * ----
 * A hop is a pair of (port, VLAN): what comes in by one of them leaves by the
 * other.  This table says, for (port, VLAN), which hop takes a frame and by
 * which side it came.
 *
 * Why this structure ------------------ The table is immutable and is replaced
 * as a whole.  So a reader sees all of a change or nothing of it, also where
 * one change concerns many links (a router that moves), and needs no lock.
 * Changes are rare, lookups are made by translations only.
 *
 * Shape ----- One array of the sides ("ways in") sorted by VLAN, port, and
 * then the one that is to be taken first: no transfer, generation in use,
 * newest.  The common end of two generations of a link is there twice: both
 * ways lead out of the links to it, the first of them leads in.
 *
 * Cost: lookup O(log n), creation O(n log n); 250 bytes per hop.
 *
 * Invariants: no (port, VLAN) belongs to two links; of one link and generation
 * it is a side of at most one hop of its way, and of one of a transfer way.
 *
 * Threads: a table is made by one thread and read by any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "xenflow/hops.h"
#include "xenflow/types.h"

/* Most hops of one switch. */
#define XF_HOPS_MAX 4096

#define XF_LINK_ID_SIZE 16

/* What identifies a link everywhere: its UUID in network byte order. */
struct xf_link_id {
    uint8_t bytes[XF_LINK_ID_SIZE];
};

/* One side of a hop. */
struct xf_hop_side {
    char port[XF_NAME_MAX];     /* Of the switch. */
    uint16_t vlan;              /* 0: untagged. */
    bool edge;                  /* It is an edge port, where the link ends. */
};

struct xf_hop {
    char link[XF_NAME_MAX];     /* Name of the link. */
    struct xf_link_id id;
    uint64_t generation;
    uint8_t position;
    uint64_t use;               /* Generation of the link that is in use. */
    bool promised;              /* The link has a bandwidth. */
    struct xf_hop_side sides[2];
    struct xf_stat *stats[2];   /* Frames that came in by each side. */
};

/* A side of a hop as the way into it. */
struct xf_way {
    const struct xf_hop *hop;
    uint8_t in;                 /* Index of the side. */
};

/* For link-table.c alone. */
struct xf_link_table {
    struct xf_hop *hops;
    size_t n_hops;
    struct xf_way *ways;        /* Sorted by compare_ways(). */
    size_t n_ways;
};

/* Makes a table of the 'n' hops at 'hops', which are copied; it keeps
 * references to their counters.  Where hops contradict each other the first
 * one counts, and 'errors[i]' becomes a sentence, owned by the caller, for
 * each hop 'i' that is left out, NULL for others. */
void xf_link_table_destroy(struct xf_link_table *);
struct xf_link_table *xf_link_table_create(const struct xf_hop *hops,
                                           size_t n, char *errors[])
    OVS_WARN_UNUSED_RESULT;

/* Readers.  All accept a table that is NULL. */
size_t xf_link_table_count(const struct xf_link_table *);

/* Calls 'cb' for the port of each side, one port perhaps more than once. */
void xf_link_table_get_ports(const struct xf_link_table *,
                             void (*cb)(const char *port, void *aux),
                             void *aux);

/* The way of a frame that comes by ('port', 'vlan'), or NULL.  At the common
 * end of two generations it is that in use.  No transfer way, unless it
 * merely passes here. */
const struct xf_way *xf_link_table_lookup(const struct xf_link_table *,
                                          const char *port, uint16_t vlan);

/* The queue of what is sent by side ('port', 'vlan') of a hop; 0: none. */
uint32_t xf_link_table_queue(const struct xf_link_table *, const char *port,
                             uint16_t vlan);

/* The transfer way that begins at ('port', 'vlan'), or NULL. */
const struct xf_way *xf_link_table_transfer(const struct xf_link_table *,
                                            const char *port, uint16_t vlan);

/* The next way after 'prev' (NULL: the first) whose side has 'vlan', whatever
 * the port; or NULL. */
const struct xf_way *xf_link_table_next(const struct xf_link_table *,
                                        uint16_t vlan,
                                        const struct xf_way *prev);

/* Whether 'hop' is part of a transfer way. */
static inline bool
xf_hop_is_transfer(const struct xf_hop *hop)
{
    return hop->position >= XF_PLAN_TRANSFER;
}

/* The side by which a frame leaves that took 'way'. */
static inline const struct xf_hop_side *
xf_way_out(const struct xf_way *way)
{
    return &way->hop->sides[!way->in];
}

/* The OpenFlow queue by which 'hop' sends at 'side' into a cable; 0: none, as
 * its link has no bandwidth, or it ends there at an edge port.  Of a router's
 * port, where nothing is sent, it means nothing. */
static inline uint32_t
xf_hop_queue(const struct xf_hop *hop, int side)
{
    return (hop->promised && !hop->sides[side].edge
            ? XF_LINK_QUEUE + hop->sides[side].vlan : 0);
}

#endif /* core/link-table.h */
