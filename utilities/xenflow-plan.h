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

#ifndef XENFLOW_PLAN_H
#define XENFLOW_PLAN_H 1

/* Ways of virtual links.
 * ======================
 *
 * What
 * ----
 * Computes the hops of a link from the database XenFlow, and writes rows of
 * Hop.  Shared by xfctl, which wires links that are added or whose routers
 * change hosts while they stand still, and by xenflow-manager, which migrates.
 * The contract is Documentation/topics/migration.rst; shortest paths are
 * core/path.
 *
 * Shape
 * -----
 * A session is made of the rows as they are now, and knows which VLANs of which
 * ports are taken and how much bandwidth is set aside.  Each plan is entered in
 * it at once, so plans of one transaction see each other; nothing is ever given
 * back, except that a link's own bandwidth isn't in its own way.  It reads rows
 * and writes none: a dry run is a session whose plans aren't inserted.
 *
 *     struct xf_plan_session *s = xf_plan_session_create(idl, now_ms);
 *     struct xf_plan way, transfer;
 *     char *error = xf_plan_link(s, link, router, to, &way);
 *     if (!error) {
 *         error = xf_plan_transfer(s, link, iface, from, to, &way, &transfer);
 *         ...
 *         xf_plan_insert(txn, link, xf_plan_next_generation(idl, link), &way);
 *
 * What is used
 * ------------
 * Hosts that are enabled, switched on and up (Host_State), and cables whose
 * ends both say that they are up (Physical_Link_State).  Of switches of kind
 * "openflow" nobody says that they are up: they are used while enabled.  They
 * don't answer probes either: of their cables only a row with their own name
 * counts.
 *
 * Rules of VLANs
 * --------------
 * - In a router's port: no segment's, and in no other hop of that host.
 * - In a cable: no segment's, in no other hop's (port, VLAN) at both its ends,
 *   whatever the generation, and not that of a router or edge port of these
 *   hosts.
 * - An end that stays on its host keeps its VLAN: it is the common one of both
 *   generations.  That of an edge port is its own.
 * New ones are taken from 4094 downwards, which is where operators don't have
 * their segments.
 *
 * Cost: a session O(rows); a plan O(cables * log(hosts)).
 *
 * A session and its plans are valid until the database next runs.  Errors are
 * sentences that the caller frees, and leave outputs as they were; what a plan
 * had taken before it failed stays taken in the session.  One thread.
 *
 *   xenflow-plan.c           ways and transfers
 *   xenflow-plan-session.c   what is up, and what is taken
 *   xenflow-plan-row.c       rows of Hop */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "xenflow/hops.h"
#include "xenflow-ext/xenflow-idl.h"

struct ovsdb_idl;
struct ovsdb_idl_txn;
struct xf_plan_session;

/* A row of Hop that is to be. */
struct xf_plan_hop {
    int position;
    const struct xfrec_host *host;
    char *port1;
    uint16_t vlan1;
    char *port2;
    uint16_t vlan2;
};

struct xf_plan {
    struct xf_plan_hop *hops;
    size_t n;
};

void xf_plan_destroy(struct xf_plan *);

/* Tables and columns that plans need; xfctl monitors all anyway. */
void xf_plan_monitor(struct ovsdb_idl *);

/* 'now_ms': of the epoch, for which hosts are up. */
struct xf_plan_session *xf_plan_session_create(struct ovsdb_idl *,
                                               long long int now_ms);
void xf_plan_session_destroy(struct xf_plan_session *);

/* If 'wired', plans from now on take what isn't known to be up for up: any host
 * that is enabled, any cable.  For links that are wired before hosts join. */
void xf_plan_session_set_wired(struct xf_plan_session *, bool wired);

/* Plans the way of 'link', with router 'moving' (or NULL) on host 'at' instead
 * of where it is, into '*planp'. */
char *xf_plan_link(struct xf_plan_session *, const struct xfrec_link *,
                   const struct xfrec_router *moving,
                   const struct xfrec_host *at, struct xf_plan *planp)
    OVS_WARN_UNUSED_RESULT;

/* Plans the transfer way of 'iface', an end of 'link', from host 'from', where
 * hops in use end at it, to host 'to', where 'way' does (which xf_plan_link()
 * made), into '*planp'. */
char *xf_plan_transfer(struct xf_plan_session *, const struct xfrec_link *,
                       const struct xfrec_interface *iface,
                       const struct xfrec_host *from,
                       const struct xfrec_host *to,
                       const struct xf_plan *way, struct xf_plan *planp)
    OVS_WARN_UNUSED_RESULT;

/* Whether the path of 'link', if it is pinned, leads from one end to the other:
 * NULL, or a sentence.  A link that has a way already keeps a path that its
 * routers have left, and takes fewest hops as long as it doesn't fit. */
char *xf_plan_check_path(struct xf_plan_session *, const struct xfrec_link *)
    OVS_WARN_UNUSED_RESULT;

/* Whether the way in use of 'link' is over nothing but what is up. */
bool xf_plan_is_up(const struct xf_plan_session *, const struct xfrec_link *);

/* Whether 'plan' takes another way than the hops of generation 'generation' of
 * 'link' do: other hosts or ports, or other VLANs at its ends. */
bool xf_plan_differs(struct ovsdb_idl *, const struct xfrec_link *,
                     int64_t generation, const struct xf_plan *);

/* Whether the hops in use of 'link' lead from where its one end is to where the
 * other is, by cables that there are, up or not. */
bool xf_plan_is_whole(struct ovsdb_idl *, const struct xfrec_link *);

/* Hops of 'link' of generation 'generation', by position; to be freed by the
 * caller.  With 'generation' -1: of all generations. */
const struct xfrec_hop **xf_plan_hops(struct ovsdb_idl *,
                                      const struct xfrec_link *,
                                      int64_t generation, size_t *n);

/* One more than any that 'link' has had. */
int64_t xf_plan_next_generation(struct ovsdb_idl *,
                                const struct xfrec_link *);

/* Writes the hops; Link:generation stays. */
void xf_plan_insert(struct ovsdb_idl_txn *, const struct xfrec_link *,
                    int64_t generation, const struct xf_plan *);

/* Which hops xf_plan_remove() removes.  At the end of a migration the second
 * and the third; to undo one, the second. */
enum xf_plan_which {
    XF_PLAN_ALL,
    XF_PLAN_UNUSED,             /* Other generations than Link:generation. */
    XF_PLAN_TRANSFERS,          /* Transfer ways, of whatever generation. */
};
void xf_plan_remove(struct ovsdb_idl *, const struct xfrec_link *,
                    enum xf_plan_which);

/* The hosts that have hops of generation 'generation' of 'link', in the order
 * of positions, each once: for who waits for their acknowledgement.  To be
 * freed by the caller.  With 'generation' -1: of all generations. */
const struct xfrec_host **xf_plan_hosts(struct ovsdb_idl *,
                                        const struct xfrec_link *,
                                        int64_t generation, size_t *n);

/* The links of 'router', by name; to be freed by the caller. */
const struct xfrec_link **xf_plan_links(struct ovsdb_idl *,
                                        const struct xfrec_router *,
                                        size_t *n);

/* The first router of 'link' that a migration holds, or NULL. */
const struct xfrec_router *xf_plan_moving(const struct xfrec_link *);

#endif /* xenflow-plan.h */
