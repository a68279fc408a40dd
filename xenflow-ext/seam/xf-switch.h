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

#ifndef XF_SWITCH_H
#define XF_SWITCH_H 1

/* The switch as the engine sees it (struct xf_switch over ofproto-dpif), and
 * the engine as ovs-vswitchd's main loop sees it.
 *
 * Threads
 * -------
 * init/run/wait/exit belong to the main thread.  What the engine's thread asks
 * for (revalidations, frames to send) is posted to the main thread, which alone
 * may walk the bridges.  Translations read a table of ports that the main thread
 * publishes by RCU whenever ports change. */

#include "openvswitch/types.h"

struct ofproto_dpif;
struct smap;
struct xf_engine;

/* 'remote' is the switch's database. */
void xf_switch_init(const char *remote);
void xf_switch_run(void);
void xf_switch_wait(void);
void xf_switch_exit(void);

/* 'external_ids' of the switch's row of Open_vSwitch: in each turn. */
void xf_switch_configure(const struct smap *external_ids);

/* Held by bridge.c while it changes the TLS keys; false: not now. */
bool xf_switch_keys_trylock(void);
void xf_switch_keys_unlock(void);

/* The engine of this process; NULL before init and after exit.  Any thread. */
struct xf_engine *xf_switch_engine(void);

/* The OpenFlow port called 'name' of the bridge 'ofproto', or OFPP_NONE; only
 * bridges that have a port of type xenflow are known.  Any thread, RCU. */
ofp_port_t xf_switch_port(const struct ofproto_dpif *ofproto,
                          const char *name);

/* Calls 'cb' for each MAC that 'bridge' knows in 'vlan', as of for_each_mac() in
 * xenflow/switch.h.  Any thread, RCU. */
void xf_xlate_for_each_mac(const char *bridge, uint16_t vlan,
                           bool (*cb)(struct eth_addr, const char *port,
                                      int age_s, void *aux),
                           void *aux);

#endif /* seam/xf-switch.h */
