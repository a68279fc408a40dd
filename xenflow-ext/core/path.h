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

#ifndef XF_CORE_PATH_H
#define XF_CORE_PATH_H 1

/* Ways through a network of hosts and cables.
 * ===========================================
 *
 * What
 * ----
 * Finds the shortest way between two hosts, by cables, latency or metric, over
 * what is up, takes the packets, and has enough bandwidth left; checks a way
 * that somebody pinned; keeps
 * account of the bandwidth that is set aside.  If there is no way, says why.
 *
 * Why this structure
 * ------------------
 * Networks of hosts are small and sparse: adjacency lists and a binary heap
 * (Dijkstra) from the far end, then a walk from the near end.  The walk takes, of
 * the cables that begin a shortest way, the one whose name is first.  So which
 * of several equal ways is taken depends on names alone, not on the order in
 * which rows happened to come: the same network has the same ways each time.
 *
 * Shape
 * -----
 * Hosts and cables are numbers, in the order in which they were added.  Several
 * cables may join the same two hosts.  Latency counts in both directions alike, as
 * it is measured by round trips; ways of equal latency are compared by cables.
 *
 * Cost: a way takes O(C log C) for C cables; a host 64 bytes, a cable 80.
 *
 * Invariants: 'used_bps' of a cable is what callers set aside, even if it is
 * more than there is (bandwidth that an operator took away later).
 *
 * Threads: whatever the caller does; no two at a time.
 *
 * Source: E. W. Dijkstra, "A note on two problems in connexion with graphs",
 * Numerische Mathematik 1, 1959. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"

#define XF_PATH_HOSTS_MAX 65536
#define XF_PATH_CABLES_MAX 1048576

/* Of a cable whose latency isn't known: more than any that is. */
#define XF_PATH_LATENCY_MAX 1000000000

/* Of a cable whose metric isn't known, likewise. */
#define XF_PATH_METRIC_MAX 65536

/* Why a host or cable can't be used. */
enum xf_path_state {
    XF_PATH_UP,                 /* It can. */
    XF_PATH_DOWN,               /* It doesn't answer, or never has. */
    XF_PATH_OFF,                /* An operator doesn't want it. */
};

struct xf_path_graph;

struct xf_path_graph *xf_path_graph_create(void);
void xf_path_graph_destroy(struct xf_path_graph *);

/* Adds a host; 'state' unless it is up with what sentences say of it, such as
 * "is disabled" (copied; NULL if it's up).  Returns 0 and '*hostp', or ENOSPC. */
int xf_path_add_host(struct xf_path_graph *, const char *name,
                     enum xf_path_state, const char *trouble, size_t *hostp)
    OVS_WARN_UNUSED_RESULT;

struct xf_path_cable {
    const char *name;           /* Copied; no two have the same. */
    size_t hosts[2];            /* Its ends. */
    enum xf_path_state state;
    const char *trouble;        /* As of a host. */
    uint64_t latency_us;        /* At most XF_PATH_LATENCY_MAX. */
    uint64_t metric;            /* At most XF_PATH_METRIC_MAX. */
    uint64_t bandwidth_bps;     /* 0: not known, and not divided. */
    int mtu;                    /* Size of packets it takes; 0: not known. */
};

/* Returns 0 and '*cablep', or ENOSPC. */
int xf_path_add_cable(struct xf_path_graph *, const struct xf_path_cable *,
                      size_t *cablep) OVS_WARN_UNUSED_RESULT;

/* Sets 'bps' of the bandwidth of 'cable' aside, or gives it back. */
void xf_path_reserve(struct xf_path_graph *, size_t cable, uint64_t bps);
void xf_path_release(struct xf_path_graph *, size_t cable, uint64_t bps);
uint64_t xf_path_reserved(const struct xf_path_graph *, size_t cable);

/* What a way is wanted for. */
struct xf_path_want {
    size_t from, to;            /* Hosts. */
    bool by_latency;            /* Else... */
    bool by_metric;             /* ...else by number of cables. */
    bool also_down;             /* XF_PATH_DOWN is as good as XF_PATH_UP. */
    uint64_t bandwidth_bps;     /* On each cable; 0: none. */
    int mtu;                    /* Size of packets; 0: any. */
};

/* A way. */
struct xf_path {
    size_t *hosts;              /* 'n' + 1, from 'from' to 'to'. */
    size_t *cables;             /* Between them. */
    size_t n;
};

void xf_path_destroy(struct xf_path *);

/* Finds the shortest way.  Returns NULL and '*path' (to be destroyed by the
 * caller), or a sentence that says why there is none, such as "trunk 't1' is
 * down". */
char *xf_path_find(const struct xf_path_graph *, const struct xf_path_want *,
                   struct xf_path *) OVS_WARN_UNUSED_RESULT;

/* The way by the 'n' cables 'pinned', in this order.  '*leads' becomes whether
 * they lead from one host to the other at all; if they do, the sentence is about
 * what can't be used. */
char *xf_path_pinned(const struct xf_path_graph *, const struct xf_path_want *,
                     const size_t *pinned, size_t n, bool *leads,
                     struct xf_path *) OVS_WARN_UNUSED_RESULT;

#endif /* core/path.h */
