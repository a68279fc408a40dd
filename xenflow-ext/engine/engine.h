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

#ifndef XF_ENGINE_H
#define XF_ENGINE_H 1

/* The engine: owns every virtual router of one switch.
 * ====================================================
 *
 * Threads
 * -------
 * - The engine's own thread is the one writer of all rule tables.  It owns the
 *   speakers' sockets, decoding, neighbour life, acknowledgements, and answers
 *   commands that walk a table.
 * - The main thread creates the engine and calls run/wait; commands arrive
 *   there, are posted to the engine's thread, and are answered from run().  It
 *   never walks a table and never blocks on the engine.
 * - Translation threads (handlers, revalidators, PMD threads, trace) use only
 *   the functions under "Readers", inside an RCU read-side section, lock-free.
 *
 * Acknowledgement
 * ---------------
 * An update is acknowledged (command reply, NLM_F_ACK) when no packet can
 * follow the state before it: publish; wait for an RCU grace period; ask the
 * switch to revalidate; wait until a revalidation that began after that is
 * complete.  Updates that arrive meanwhile share the next round. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rule-set.h"
#include "core/rule-table.h"
#include "xenflow/switch.h"

struct smap;
struct xf_engine;
struct xf_router;

/* ---- Main thread. ---- */

/* Creates the engine and starts its thread.  Registers the xenflow/ commands.
 * 'sw' must outlive the engine.  Destroy it before the unixctl server: pending
 * commands are answered then.  Readers may hold it until a grace period after
 * that. */
void xf_engine_destroy(struct xf_engine *);
struct xf_engine *xf_engine_create(const struct xf_switch *sw);

/* Keeps what commands configure in the switch's database at 'remote': see
 * engine/config.h.  Once, before any command. */
void xf_engine_keep(struct xf_engine *, const char *remote);

/* The switch has a port of a router: connects to that database.  Commands wait
 * until what it says is in effect. */
void xf_engine_load(struct xf_engine *);

/* Settings of the switch, 'external_ids' of its row of Open_vSwitch, may have
 * changed: where its database XenFlow is (engine/db.h).  Cheap if not. */
void xf_engine_configure(struct xf_engine *, const struct smap *external_ids);

/* Ports of routers, or what their datapaths can do, may have changed. */
void xf_engine_ports_changed(struct xf_engine *);

void xf_engine_run(struct xf_engine *);
void xf_engine_wait(struct xf_engine *);

/* ---- Readers (any thread, RCU). ---- */

/* The router whose switch port is called 'port' (the router's name), or NULL. */
struct xf_router *xf_engine_router(const struct xf_engine *, const char *port);

/* The router of 'id', or NULL. */
struct xf_router *xf_engine_router_by_id(const struct xf_engine *,
                                         uint32_t id);

/* The router that has an interface at (vlan, mac), is separated (its data plane
 * is in the switch) or has filters or flows, and for which 'match' returns
 * true; or NULL. */
struct xf_router *xf_engine_claim(const struct xf_engine *, uint16_t vlan,
                                  struct eth_addr mac,
                                  bool (*match)(const struct xf_router *,
                                                const void *aux),
                                  const void *aux);

const char *xf_router_name(const struct xf_router *);
uint32_t xf_router_id(const struct xf_router *);      /* Never 0, not reused. */
const struct xf_rt *xf_router_rt(const struct xf_router *);
bool xf_router_is_separated(const struct xf_router *);
/* True if the datapath looks each packet up in the compiled table. */
bool xf_router_is_fib(const struct xf_router *);
/* A translation asked the router's table, so that its routes' changes need a
 * revalidation, whatever its own translation is. */
void xf_router_note_translated(const struct xf_router *);
uint32_t xf_router_ecmp_seed(const struct xf_router *);

/* Filters (payload: struct xf_filter) and flows (struct xf_flow_actions) of a
 * router, of include/xenflow/actions.h. */
const struct xf_rule_set *xf_router_filters(const struct xf_router *);
const struct xf_rule_set *xf_router_flows(const struct xf_router *);
/* Whether there is anything to ask: filters, or denial by default; flows. */
bool xf_router_has_filters(const struct xf_router *);
bool xf_router_has_flows(const struct xf_router *);
/* What happens to IP packets that no filter matches. */
bool xf_router_denies_by_default(const struct xf_router *);
/* Counters of such packets, and of all that are denied. */
struct xf_stat *xf_router_default_stat(const struct xf_router *);
struct xf_stat *xf_router_denied_stat(const struct xf_router *);

/* The hash that chooses among equal next hops of 'router' for a packet, to be
 * given to xf_rt_lookup().  Ports are 0 where the packet has none (other
 * protocols, fragments).  The same on every host and in every build. */
uint32_t xf_router_flow_hash(const struct xf_router *,
                             const struct in6_addr *src,
                             const struct in6_addr *dst, uint8_t proto,
                             ovs_be16 sport, ovs_be16 dport);

/* All routers, for the seam's binding (main thread or any reader). */
void xf_engine_for_each_router(const struct xf_engine *,
                               void (*cb)(struct xf_router *, void *aux),
                               void *aux);

/* Tells the engine that 'ip' was heard of at 'mac' on an interface, when
 * xf_rt_neigh_hear() says XF_NEIGH_NEW or XF_NEIGH_OWN.  Lock-free; when the
 * bounded queue is full the news is dropped and counted (it will be told
 * again).  'iface' may vanish after the call. */
void xf_engine_neigh_news(struct xf_engine *, uint32_t router_id,
                          const struct xf_iface *iface,
                          const struct in6_addr *ip, struct eth_addr mac,
                          bool own);

/* Changes whenever routers, interfaces or separation change, so that the seam
 * binds names to ports anew. */
struct seq;
struct seq *xf_engine_config_seq(const struct xf_engine *);

/* Changes whenever the table of links does. */
struct seq *xf_engine_links_seq(const struct xf_engine *);

/* ---- Main thread: keys. ---- */

/* Must be held while the process's TLS keys are changed, so that the engine
 * makes no connection meanwhile; false: try again in the next turn. */
bool xf_tls_trylock(void);
void xf_tls_unlock(void);

#endif /* engine/engine.h */
