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

#ifndef XF_PORTS_H
#define XF_PORTS_H 1

/* Ports of the bridges that have to do with us, by name.
 *
 * Translations and the engine's thread find ports here: a table is immutable,
 * made by the main thread whenever ports change, and replaced by RCU. */

#include <stdbool.h>

#include "openvswitch/hmap.h"
#include "openvswitch/types.h"

struct ofproto_dpif;
struct sset;

struct xf_port {
    struct hmap_node node;      /* In xf_ports's 'ports'. */
    const struct ofproto_dpif *ofproto; /* For comparison only. */
    ofp_port_t ofp_port;
    bool is_router;             /* Of type xenflow. */
    bool has_fib;               /* Its datapath executes fib actions. */
    char *name;
    char *bridge;
};

/* Ports of all bridges that have a port of type xenflow or of a hop;
 * immutable. */
struct xf_ports {
    struct hmap ports;          /* Of struct xf_port, by name. */
    char *dpif_name;            /* Datapath of those bridges, or NULL. */
    char *dpif_type;
};

/* The port called 'name' of the bridge 'ofproto' (NULL: of any), or NULL. */
const struct xf_port *xf_ports_find(const struct xf_ports *,
                                    const struct ofproto_dpif *,
                                    const char *name);

/* The router's own port, in whatever bridge. */
const struct xf_port *xf_ports_find_router(const struct xf_ports *,
                                           const char *router);

/* Main thread. */
void xf_ports_destroy(struct xf_ports *);
/* A table of the bridges that have a port of a router, or one of 'hops'. */
struct xf_ports *xf_ports_create(const struct sset *hops);
bool xf_ports_equals(const struct xf_ports *, const struct xf_ports *);
/* How many datapaths execute fib actions: dpif/set-dp-features can change
 * that. */
size_t xf_ports_count_fib(void);

#endif /* seam/xf-ports.h */
