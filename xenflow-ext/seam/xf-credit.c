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

#include <config.h>

#include "seam/xf-credit.h"

#include "core/rule-table.h"
#include "dpif.h"
#include "engine/engine.h"
#include "netdev.h"
#include "netdev-vport.h"
#include "seam/xf-odp.h"
#include "seam/xf-switch.h"
#include "util.h"

struct xf_credit {
    /* Traffic. */
    struct xf_stat *route;
    struct xf_stat *neighbor;

    /* Neighbour heard of, if 'router_id' is nonzero. */
    uint32_t router_id;
    uint16_t vlan;              /* Key of the interface, which may have */
    struct eth_addr iface_mac;  /* changed or vanished since. */
    struct in6_addr ip;
    struct eth_addr mac;
    bool from_vm;
};

struct xf_credit *
xf_credit_traffic(struct xf_stat *route, struct xf_stat *neighbor)
{
    struct xf_credit *c = xzalloc(sizeof *c);

    c->route = route ? xf_stat_ref(route) : NULL;
    c->neighbor = neighbor ? xf_stat_ref(neighbor) : NULL;
    return c;
}

struct xf_credit *
xf_credit_neighbor(const struct xf_router *router,
                   const struct xf_iface *iface, const struct in6_addr *ip,
                   struct eth_addr mac, bool from_vm)
{
    struct xf_credit *c = xzalloc(sizeof *c);

    c->router_id = xf_router_id(router);
    c->vlan = iface->vlan;
    c->iface_mac = iface->mac;
    c->ip = *ip;
    c->mac = mac;
    c->from_vm = from_vm;
    return c;
}

static void
push_neighbor(const struct xf_credit *c, long long int used_ms)
{
    struct xf_engine *engine = xf_switch_engine();
    struct xf_router *router
        = engine ? xf_engine_router_by_id(engine, c->router_id) : NULL;

    if (!router) {
        return;
    }

    const struct xf_rt *rt = xf_router_rt(router);
    const struct xf_iface *iface
        = xf_rt_iface_by_segment(rt, c->vlan, c->iface_mac);
    if (!iface) {
        return;
    }

    switch (xf_rt_neigh_hear(rt, iface, &c->ip, c->mac, used_ms)) {
    case XF_NEIGH_NEW:
    case XF_NEIGH_MOVED:
        xf_engine_neigh_news(engine, c->router_id, iface, &c->ip, c->mac,
                             false);
        break;
    case XF_NEIGH_OWN:
        if (c->from_vm) {
            xf_engine_neigh_news(engine, c->router_id, iface, &c->ip, c->mac,
                                 true);
        }
        break;
    case XF_NEIGH_KNOWN:
    case XF_NEIGH_IGNORE:
        break;
    }
}

void
xf_credit_push(const struct xf_credit *c, const struct dpif_flow_stats *stats)
{
    if (!stats->n_packets) {
        return;
    }
    if (c->router_id) {
        push_neighbor(c, stats->used);
        return;
    }
    if (c->route) {
        xf_stat_add(c->route, stats->n_packets, stats->n_bytes, stats->used);
    }
    if (c->neighbor) {
        xf_stat_add(c->neighbor, stats->n_packets, stats->n_bytes,
                    stats->used);
    }
}

void
xf_credit_destroy(struct xf_credit *c)
{
    if (c) {
        xf_stat_unref(c->route);
        xf_stat_unref(c->neighbor);
        free(c);
    }
}

void
xf_credit_port(uint32_t id, const char *name)
{
    struct dpif_flow_stats stats = { .n_packets = 0 };

    if (!xf_odp_router_take(id, &stats.n_packets, &stats.n_bytes)) {
        return;
    }

    struct netdev *netdev;
    if (!netdev_open(name, "xenflow", &netdev)) {
        netdev_vport_inc_tx(netdev, &stats);
        netdev_vport_inc_rx(netdev, &stats);
        netdev_close(netdev);
    }
}
