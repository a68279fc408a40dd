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

#ifndef XENFLOW_PLAN_PRIVATE_H
#define XENFLOW_PLAN_PRIVATE_H 1

/* What the files of xenflow-plan.h share: the session. */

#include "bitmap.h"
#include "core/path.h"
#include "openvswitch/hmap.h"
#include "openvswitch/shash.h"
#include "xenflow-plan.h"

#define PLAN_N_VLANS 4096
#define PLAN_VLAN_MIN 2         /* 1 is that of untagged frames elsewhere. */
#define PLAN_VLAN_MAX 4094
#define PLAN_NO_CABLE SIZE_MAX

typedef unsigned long plan_vlans[BITMAP_N_LONGS(PLAN_N_VLANS)];

/* A host. */
struct plan_host {
    const struct xfrec_host *row;
    size_t number;              /* In the graph. */
    plan_vlans any;             /* In use, wherever. */
    plan_vlans ends;            /* Those of routers and edge ports. */
};

/* A port that has VLANs of ours. */
struct plan_port {
    plan_vlans taken;
    size_t cable;               /* That ends here, or PLAN_NO_CABLE. */
};

/* Bandwidth that a link has, on whichever of its ways. */
struct plan_own {
    uint64_t bps;
    size_t *cables;
    size_t n, allocated;
};

struct xf_plan_session {
    struct ovsdb_idl *idl;
    bool wired;
    struct xf_path_graph *graph;
    struct plan_host **hosts;   /* By number. */
    size_t n_hosts;
    struct shash hosts_by_name; /* struct plan_host. */
    const struct xfrec_physical_link **cables; /* By number. */
    size_t n_cables;
    struct shash cables_by_name; /* Numbers. */
    struct shash ports;         /* struct plan_port, by "HOST:PORT". */
    struct shash owns;          /* struct plan_own, by name of the link. */
    plan_vlans segments;
};

/* ---- xenflow-plan-session.c ---- */

struct plan_host *plan_host_find(const struct xf_plan_session *,
                                 const struct xfrec_host *);
struct plan_port *plan_port_get(struct xf_plan_session *,
                                const struct xfrec_host *, const char *port);
/* The cable at 'port' of 'host', or PLAN_NO_CABLE. */
size_t plan_cable_at(const struct xf_plan_session *,
                     const struct xfrec_host *, const char *port);
/* The port of the cable at 'host'. */
const char *plan_cable_port(const struct xf_plan_session *, size_t cable,
                            const struct xfrec_host *host);

/* A VLAN that is free, and from now on taken; 0: there is none. */
uint16_t plan_vlan_of_end(struct xf_plan_session *, const struct xfrec_host *);
uint16_t plan_vlan_of_cable(struct xf_plan_session *, size_t cable);

/* Makes room for another way of 'link', then takes that of 'path' (NULL: none)
 * into account, too. */
void plan_own_begin(struct xf_plan_session *, const struct xfrec_link *);
void plan_own_end(struct xf_plan_session *, const struct xfrec_link *,
                  const struct xf_path *path);

/* ---- xenflow-plan-row.c ---- */

/* Hops of 'link' that aren't transfers, by position; to be freed. */
const struct xfrec_hop **plan_hops(struct ovsdb_idl *,
                                   const struct xfrec_link *,
                                   int64_t generation, size_t *n);

#endif /* xenflow-plan-private.h */
