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

#ifndef XF_ROLE_H
#define XF_ROLE_H 1

/* Roles of virtual elements: what readers see of them.
 * ====================================================
 *
 * What
 * ----
 * Every virtual element is a 'struct xf_router' whatever its role: a router
 * routes between its interfaces, a switch joins the segments (VLANs) of its
 * interfaces, a middlebox gets chosen frames of its segment at one interface and
 * gives them back at another.  A segment is an interface of such an element,
 * with counters.
 *
 * Shape
 * -----
 * The segments of an element are one immutable array that is replaced as a
 * whole, so that a reader sees all of a change or nothing of it.  An index by
 * VLAN finds the elements: O(1) where a VLAN has none.
 *
 * Invariants
 * ----------
 * - Counters belong to the name of a segment: they outlive its changes.
 * - A VLAN of a bridge is joined by one switch, the one with the lowest id;
 *   commands refuse a second one as far as they can know (ports come and go
 *   without them).
 *
 * Threads: written by the engine's thread; read anywhere under RCU. */

#include "core/rule-set.h"
#include "engine/engine.h"

enum xf_role {
    XF_ROLE_ROUTER,
    XF_ROLE_SWITCH,
    XF_ROLE_MIDDLEBOX,
    XF_N_ROLES
};
const char *xf_role_name(enum xf_role);

/* What is counted of a segment. */
enum xf_segment_stat {
    XF_SEGMENT_RX,              /* Switch: frames that entered by it.
                                 * Middlebox: frames that came back. */
    XF_SEGMENT_TX,              /* Switch: frames that were sent into it.
                                 * Middlebox: frames that were sent there. */
    XF_SEGMENT_FLOODED,         /* Switch: of those that entered, sent to all
                                 * segments. */
    XF_SEGMENT_BYPASSED,        /* Middlebox: not sent, as it failed open. */
    XF_SEGMENT_REFUSED,         /* Middlebox: dropped, as it failed closed. */
    XF_N_SEGMENT_STATS
};

struct xf_segment {
    char name[XF_NAME_MAX];     /* The interface's. */
    char vif[XF_NAME_MAX];      /* Middlebox: switch port of the VM. */
    uint16_t vlan;
    bool up;
    struct xf_stat *stats[XF_N_SEGMENT_STATS];
};

/* The segments of one element, immutable. */
struct xf_segments {
    bool fails_open;            /* Middlebox whose port is missing or down:
                                 * frames pass it by, else they are dropped. */
    size_t n;
    struct xf_segment segments[];
};

/* Payload of the rules by which a middlebox selects packets. */
struct xf_via {
    char port[XF_NAME_MAX];     /* Where they go to the VM, */
    bool other;                 /* or by the other port, if there is one: the
                                 * answers of a rule of both directions. */
};

/* Most middleboxes in one VLAN, most elements of one role in all VLANs that a
 * reader looks at together, and most VLANs that one switch joins. */
#define XF_MIDDLEBOXES_MAX 16
#define XF_ELEMENTS_MAX 64
#define XF_JOINED_MAX 64

/* ---- Readers (any thread, RCU). ---- */

enum xf_role xf_router_role(const struct xf_router *);

/* The segments of an element that isn't a router; NULL if it is one. */
const struct xf_segments *xf_router_segments(const struct xf_router *);

/* What a middlebox selects (payload 'struct xf_via') of the traffic on its way
 * forward, which meets the middleboxes of a segment in the order in which they
 * were added, or of the return traffic ('reverse'), which meets them in the
 * opposite order.  NULL for other roles. */
const struct xf_rule_set *xf_router_selections(const struct xf_router *,
                                               bool reverse);

/* Stores the elements of 'role' that have a segment in 'vlan' and for which
 * 'match' returns true, by ascending id, beginning with 'n' that are stored
 * already; returns how many are stored then, the lowest ids if there are more
 * than XF_ELEMENTS_MAX. */
size_t xf_engine_elements(const struct xf_engine *, uint16_t vlan,
                          enum xf_role role,
                          bool (*match)(const struct xf_router *,
                                        const void *aux),
                          const void *aux,
                          struct xf_router *elements[XF_ELEMENTS_MAX],
                          size_t n);

#endif /* engine/role.h */
