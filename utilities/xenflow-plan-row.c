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

/* Rows of Hop: see xenflow-plan.h. */

#include <config.h>

#include "xenflow-plan-private.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-idl.h"
#include "util.h"

void
xf_plan_monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &xfrec_host_col_name, &xfrec_host_col_kind, &xfrec_host_col_enabled,
        &xfrec_host_col_power,
        &xfrec_host_state_col_host, &xfrec_host_state_col_alive_ms,
        &xfrec_host_state_col_period_ms,
        &xfrec_physical_link_col_name, &xfrec_physical_link_col_host1,
        &xfrec_physical_link_col_port1, &xfrec_physical_link_col_host2,
        &xfrec_physical_link_col_port2, &xfrec_physical_link_col_bandwidth,
        &xfrec_physical_link_state_col_host,
        &xfrec_physical_link_state_col_link,
        &xfrec_physical_link_state_col_up,
        &xfrec_physical_link_state_col_latency_us,
        &xfrec_physical_link_state_col_mtu,
        &xfrec_physical_link_state_col_metric,
        &xfrec_segment_col_vlan,
        &xfrec_edge_port_col_host, &xfrec_edge_port_col_port,
        &xfrec_edge_port_col_vlan, &xfrec_edge_port_col_segment,
        &xfrec_router_col_name, &xfrec_router_col_host,
        &xfrec_router_col_migration,
        &xfrec_interface_col_name, &xfrec_interface_col_mtu,
        &xfrec_interface_col_router,
        &xfrec_link_col_name, &xfrec_link_col_interface1,
        &xfrec_link_col_interface2, &xfrec_link_col_edge,
        &xfrec_link_col_bandwidth, &xfrec_link_col_policy,
        &xfrec_link_col_path, &xfrec_link_col_generation,
        &xfrec_hop_col_link, &xfrec_hop_col_generation,
        &xfrec_hop_col_position, &xfrec_hop_col_host, &xfrec_hop_col_port1,
        &xfrec_hop_col_vlan1, &xfrec_hop_col_port2, &xfrec_hop_col_vlan2,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

/* ---- Hops that there are. ---- */

static int
compare_hops(const void *a_, const void *b_)
{
    const struct xfrec_hop *const *a = a_, *const *b = b_;

    return ((*a)->position != (*b)->position
            ? ((*a)->position < (*b)->position ? -1 : 1)
            : (*a)->generation < (*b)->generation ? -1
            : (*a)->generation > (*b)->generation);
}

/* Hops of 'link' up to position 'end' - 1; of all generations if 'generation'
 * is -1. */
static const struct xfrec_hop **
collect_hops(struct ovsdb_idl *idl, const struct xfrec_link *link,
             int64_t generation, int end, size_t *n)
{
    const struct xfrec_hop **hops = NULL;
    const struct xfrec_hop *hop;
    size_t allocated = 0;

    *n = 0;
    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && hop->position < end
            && (generation < 0 || hop->generation == generation)) {
            if (*n >= allocated) {
                hops = x2nrealloc(hops, &allocated, sizeof *hops);
            }
            hops[(*n)++] = hop;
        }
    }
    if (*n) {
        qsort(hops, *n, sizeof *hops, compare_hops);
    }
    return hops;
}

const struct xfrec_hop **
plan_hops(struct ovsdb_idl *idl, const struct xfrec_link *link,
          int64_t generation, size_t *n)
{
    return collect_hops(idl, link, generation, XF_PLAN_TRANSFER, n);
}

const struct xfrec_hop **
xf_plan_hops(struct ovsdb_idl *idl, const struct xfrec_link *link,
             int64_t generation, size_t *n)
{
    return collect_hops(idl, link, generation, XF_PLAN_END, n);
}

/* Whether a cable leads from the second side of 'a' to the first of 'b'. */
static bool
is_joined(struct ovsdb_idl *idl, const struct xfrec_hop *a,
          const struct xfrec_hop *b)
{
    const struct xfrec_physical_link *cable;

    XFREC_PHYSICAL_LINK_FOR_EACH (cable, idl) {
        if (cable->host1 == a->host && cable->host2 == b->host
            ? !strcmp(cable->port1, a->port2)
              && !strcmp(cable->port2, b->port1)
            : cable->host1 == b->host && cable->host2 == a->host
              && !strcmp(cable->port1, b->port1)
              && !strcmp(cable->port2, a->port2)) {
            return a->vlan2 == b->vlan1;
        }
    }
    return false;
}

/* Whether side 'port' and 'vlan' of 'hop' is where 'iface', or else 'edge', is. */
static bool
is_end(const struct xfrec_interface *iface, const struct xfrec_edge_port *edge,
       const struct xfrec_hop *hop, const char *port, int64_t vlan)
{
    return (iface ? iface->router->host == hop->host
                    && !strcmp(port, iface->router->name)
            : edge && edge->host == hop->host && !strcmp(port, edge->port)
              && vlan == edge->vlan);
}

bool
xf_plan_is_whole(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    size_t n;
    const struct xfrec_hop **hops = plan_hops(idl, link, link->generation,
                                              &n);
    bool whole = n && is_end(link->interface1, NULL, hops[0], hops[0]->port1,
                             hops[0]->vlan1)
                 && is_end(link->interface2, link->edge, hops[n - 1],
                           hops[n - 1]->port2, hops[n - 1]->vlan2);

    for (size_t i = 1; i < n && whole; i++) {
        whole = is_joined(idl, hops[i - 1], hops[i]);
    }
    free(hops);
    return whole;
}

static bool
hop_differs(const struct xfrec_hop *row, const struct xf_plan_hop *hop,
            bool is_first, bool is_last)
{
    return (row->position != hop->position || row->host != hop->host
            || strcmp(row->port1, hop->port1)
            || strcmp(row->port2, hop->port2)
            || (is_first && row->vlan1 != hop->vlan1)
            || (is_last && row->vlan2 != hop->vlan2));
}

bool
xf_plan_differs(struct ovsdb_idl *idl, const struct xfrec_link *link,
                int64_t generation, const struct xf_plan *plan)
{
    size_t n;
    const struct xfrec_hop **rows = plan_hops(idl, link, generation, &n);
    bool differs = n != plan->n;

    for (size_t i = 0; i < n && !differs; i++) {
        differs = hop_differs(rows[i], &plan->hops[i], !i, i + 1 == n);
    }
    free(rows);
    return differs;
}

int64_t
xf_plan_next_generation(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    int64_t max = link->generation;
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link) {
            max = MAX(max, hop->generation);
        }
    }
    return max + 1;
}

const struct xfrec_host **
xf_plan_hosts(struct ovsdb_idl *idl, const struct xfrec_link *link,
              int64_t generation, size_t *n)
{
    size_t n_hops;
    const struct xfrec_hop **hops = collect_hops(idl, link, generation,
                                                 XF_PLAN_END, &n_hops);
    const struct xfrec_host **hosts = xmalloc((n_hops + 1) * sizeof *hosts);

    *n = 0;
    for (size_t i = 0; i < n_hops; i++) {
        size_t j = 0;

        while (j < *n && hosts[j] != hops[i]->host) {
            j++;
        }
        hosts[j] = hops[i]->host;
        *n = MAX(*n, j + 1);
    }
    free(hops);
    return hosts;
}

/* ---- Writing. ---- */

void
xf_plan_insert(struct ovsdb_idl_txn *txn, const struct xfrec_link *link,
               int64_t generation, const struct xf_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct xf_plan_hop *hop = &plan->hops[i];
        struct xfrec_hop *row = xfrec_hop_insert(txn);

        xfrec_hop_set_link(row, link);
        xfrec_hop_set_generation(row, generation);
        xfrec_hop_set_position(row, hop->position);
        xfrec_hop_set_host(row, hop->host);
        xfrec_hop_set_port1(row, hop->port1);
        xfrec_hop_set_vlan1(row, hop->vlan1);
        xfrec_hop_set_port2(row, hop->port2);
        xfrec_hop_set_vlan2(row, hop->vlan2);
    }
}

void
xf_plan_remove(struct ovsdb_idl *idl, const struct xfrec_link *link,
               enum xf_plan_which which)
{
    const struct xfrec_hop *hop, *next;

    XFREC_HOP_FOR_EACH_SAFE (hop, next, idl) {
        if (hop->link == link
            && (which == XF_PLAN_ALL
                || (which == XF_PLAN_UNUSED
                    && hop->generation != link->generation)
                || (which == XF_PLAN_TRANSFERS
                    && hop->position >= XF_PLAN_TRANSFER))) {
            xfrec_hop_delete(hop);
        }
    }
}

/* ---- Links. ---- */

static bool
is_of(const struct xfrec_interface *iface, const struct xfrec_router *router)
{
    return iface && iface->router == router;
}

static int
compare_links(const void *a_, const void *b_)
{
    const struct xfrec_link *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

const struct xfrec_link **
xf_plan_links(struct ovsdb_idl *idl, const struct xfrec_router *router,
              size_t *n)
{
    const struct xfrec_link **links = NULL;
    const struct xfrec_link *link;
    size_t allocated = 0;

    *n = 0;
    XFREC_LINK_FOR_EACH (link, idl) {
        if (is_of(link->interface1, router)
            || is_of(link->interface2, router)) {
            if (*n >= allocated) {
                links = x2nrealloc(links, &allocated, sizeof *links);
            }
            links[(*n)++] = link;
        }
    }
    if (*n) {
        qsort(links, *n, sizeof *links, compare_links);
    }
    return links;
}

const struct xfrec_router *
xf_plan_moving(const struct xfrec_link *link)
{
    return (link->interface1 && link->interface1->router->migration
            ? link->interface1->router
            : link->interface2 && link->interface2->router->migration
            ? link->interface2->router : NULL);
}
