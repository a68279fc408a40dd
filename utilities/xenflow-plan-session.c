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

/* What is up, and what is taken: see xenflow-plan.h. */

#include <config.h>

#include "xenflow-plan-private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define MISSED_PERIODS 3        /* A host silent for so many is down. */

/* ---- Hosts and ports. ---- */

struct plan_host *
plan_host_find(const struct xf_plan_session *s, const struct xfrec_host *row)
{
    return shash_find_data(&s->hosts_by_name, row->name);
}

struct plan_port *
plan_port_get(struct xf_plan_session *s, const struct xfrec_host *host,
              const char *name)
{
    char *key = xasprintf("%s:%s", host->name, name);
    struct plan_port *port = shash_find_data(&s->ports, key);

    if (!port) {
        port = xzalloc(sizeof *port);
        port->cable = PLAN_NO_CABLE;
        shash_add(&s->ports, key, port);
    }
    free(key);
    return port;
}

size_t
plan_cable_at(const struct xf_plan_session *s, const struct xfrec_host *host,
              const char *name)
{
    char *key = xasprintf("%s:%s", host->name, name);
    const struct plan_port *port = shash_find_data(&s->ports, key);

    free(key);
    return port ? port->cable : PLAN_NO_CABLE;
}

const char *
plan_cable_port(const struct xf_plan_session *s, size_t cable,
                const struct xfrec_host *host)
{
    const struct xfrec_physical_link *row = s->cables[cable];

    return row->host1 == host ? row->port1 : row->port2;
}

/* What is said of hosts and cables, by "HOST" and "HOST:UUID of the cable". */
struct said {
    struct shash hosts;         /* struct xfrec_host_state. */
    struct shash cables;        /* struct xfrec_physical_link_state. */
    long long int now_ms;
};

static void
said_init(struct said *said, struct ovsdb_idl *idl, long long int now_ms)
{
    const struct xfrec_physical_link_state *cable;
    const struct xfrec_host_state *host;

    shash_init(&said->hosts);
    shash_init(&said->cables);
    said->now_ms = now_ms;
    XFREC_HOST_STATE_FOR_EACH (host, idl) {
        shash_replace(&said->hosts, host->host, host);
    }
    XFREC_PHYSICAL_LINK_STATE_FOR_EACH (cable, idl) {
        char *key = xasprintf("%s:"UUID_FMT, cable->host,
                              UUID_ARGS(&cable->link));

        shash_replace(&said->cables, key, cable);
        free(key);
    }
}

static bool
is_openflow(const struct xfrec_host *host)
{
    return strcmp(host->kind, "xenflow") != 0;
}

static enum xf_path_state
host_state(const struct said *said, const struct xfrec_host *host,
           const char **trouble)
{
    const struct xfrec_host_state *state;

    *trouble = NULL;
    if (!host->enabled) {
        *trouble = "is disabled: enable it with host-set enabled=true";
        return XF_PATH_OFF;
    } else if (strcmp(host->power, "on")) {
        *trouble = "is switched off: wake it with host-set power=on";
        return XF_PATH_OFF;
    } else if (is_openflow(host)) {
        return XF_PATH_UP;
    }
    state = shash_find_data(&said->hosts, host->name);
    if (!state || !state->alive_ms) {
        *trouble = "was never heard of: start xenflow-hostd there";
        return XF_PATH_DOWN;
    } else if (state->period_ms && said->now_ms - state->alive_ms
               > MISSED_PERIODS * state->period_ms) {
        *trouble = "is down: see xfctl show";
        return XF_PATH_DOWN;
    }
    return XF_PATH_UP;
}

/* What 'host' says of 'row', or NULL. */
static const struct xfrec_physical_link_state *
said_of_cable(const struct said *said, const struct xfrec_host *host,
              const struct xfrec_physical_link *row)
{
    char *key = xasprintf("%s:"UUID_FMT, host->name,
                          UUID_ARGS(&row->header_.uuid));
    const struct xfrec_physical_link_state *state
        = shash_find_data(&said->cables, key);

    free(key);
    return state;
}

/* What OSPF says of 'row': false if both its hosts asked their ospfd, and it
 * doesn't have the cable.  Stores the larger metric, or XF_PATH_METRIC_MAX if
 * not both know one. */
static bool
has_ospf(const struct said *said, const struct xfrec_physical_link *row,
         uint64_t *metric)
{
    const struct xfrec_host *const hosts[] = { row->host1, row->host2 };
    bool has = true;
    int n_said = 0;

    *metric = 0;
    for (int i = 0; i < 2; i++) {
        const struct xfrec_physical_link_state *state
            = said_of_cable(said, hosts[i], row);

        if (state && state->n_metric) {
            n_said++;
            has = has && *state->metric;
            *metric = MAX(*metric, *state->metric);
        }
    }
    if (n_said < 2 || !has) {
        *metric = XF_PATH_METRIC_MAX;
    }
    return n_said < 2 || has;
}

/* What the two ends of 'row' say of it, into '*cable'; its latency is the longer
 * one, or XF_PATH_LATENCY_MAX if nobody knows, its MTU the smaller one, or 0. */
static enum xf_path_state
cable_state(const struct said *said, const struct xfrec_physical_link *row,
            struct xf_path_cable *cable)
{
    const struct xfrec_host *const hosts[] = { row->host1, row->host2 };
    bool answers = !is_openflow(row->host1) && !is_openflow(row->host2);
    enum xf_path_state result = XF_PATH_UP;
    int n_known = 0;

    for (int i = 0; i < 2; i++) {
        const struct xfrec_physical_link_state *state
            = said_of_cable(said, hosts[i], row);

        if (state && state->mtu && (!cable->mtu || state->mtu < cable->mtu)) {
            cable->mtu = MIN(state->mtu, INT_MAX);
        }
        if (state && state->up) {
            cable->latency_us = MAX(cable->latency_us, state->latency_us);
            n_known++;
        } else if (answers || (state && is_openflow(hosts[i]))) {
            cable->trouble = (state ? "is down: see xfctl show"
                              : "hasn't been measured by both its hosts yet: "
                                "see xfctl show");
            result = XF_PATH_DOWN;
        }
    }
    if (!n_known) {
        cable->latency_us = XF_PATH_LATENCY_MAX;
    }
    return result;
}

static void
add_hosts(struct xf_plan_session *s, const struct said *said)
{
    const struct xfrec_host *row;
    size_t allocated = 0;

    XFREC_HOST_FOR_EACH (row, s->idl) {
        struct plan_host *host = xzalloc(sizeof *host);
        const char *trouble;
        enum xf_path_state state = host_state(said, row, &trouble);

        host->row = row;
        if (xf_path_add_host(s->graph, row->name, state, trouble,
                             &host->number)) {
            free(host);         /* More than any network has. */
            break;
        }
        if (s->n_hosts >= allocated) {
            s->hosts = x2nrealloc(s->hosts, &allocated, sizeof *s->hosts);
        }
        s->hosts[s->n_hosts++] = host;
        shash_replace(&s->hosts_by_name, row->name, host);
    }
}

static void
add_cables(struct xf_plan_session *s, const struct said *said)
{
    const struct xfrec_physical_link *row;
    size_t allocated = 0;

    XFREC_PHYSICAL_LINK_FOR_EACH (row, s->idl) {
        struct plan_host *host1 = plan_host_find(s, row->host1);
        struct plan_host *host2 = plan_host_find(s, row->host2);
        struct xf_path_cable cable = { .name = row->name };
        size_t number;

        if (!host1 || !host2) {
            continue;
        }
        cable.hosts[0] = host1->number;
        cable.hosts[1] = host2->number;
        cable.state = cable_state(said, row, &cable);
        if (!has_ospf(said, row, &cable.metric)
            && cable.state == XF_PATH_UP) {
            cable.state = XF_PATH_DOWN;
            cable.trouble = "isn't in OSPF's database, though both its hosts "
                "ask ospfd: see show ip ospf neighbor there";
        }
        cable.bandwidth_bps = row->bandwidth;
        if (xf_path_add_cable(s->graph, &cable, &number)) {
            break;
        }
        if (s->n_cables >= allocated) {
            s->cables = x2nrealloc(s->cables, &allocated, sizeof *s->cables);
        }
        s->cables[s->n_cables++] = row;
        shash_replace(&s->cables_by_name, row->name,
                      (void *) (uintptr_t) number);
        plan_port_get(s, row->host1, row->port1)->cable = number;
        plan_port_get(s, row->host2, row->port2)->cable = number;
    }
}

/* ---- VLANs. ---- */

/* Takes 'vlan' at 'port' of 'host'. */
static void
take_vlan(struct xf_plan_session *s, const struct xfrec_host *row,
          const char *name, int64_t vlan)
{
    struct plan_port *port = plan_port_get(s, row, name);
    struct plan_host *host = plan_host_find(s, row);

    bitmap_set1(port->taken, vlan);
    if (host) {
        bitmap_set1(host->any, vlan);
        if (port->cable == PLAN_NO_CABLE) {
            bitmap_set1(host->ends, vlan);
        }
    }
}

uint16_t
plan_vlan_of_end(struct xf_plan_session *s, const struct xfrec_host *row)
{
    struct plan_host *host = plan_host_find(s, row);

    for (uint16_t vlan = PLAN_VLAN_MAX; host && vlan >= PLAN_VLAN_MIN;
         vlan--) {
        if (!bitmap_is_set(s->segments, vlan)
            && !bitmap_is_set(host->any, vlan)) {
            bitmap_set1(host->any, vlan);
            bitmap_set1(host->ends, vlan);
            return vlan;
        }
    }
    return 0;
}

uint16_t
plan_vlan_of_cable(struct xf_plan_session *s, size_t cable)
{
    const struct xfrec_physical_link *row = s->cables[cable];
    struct plan_host *host1 = plan_host_find(s, row->host1);
    struct plan_host *host2 = plan_host_find(s, row->host2);
    struct plan_port *port1 = plan_port_get(s, row->host1, row->port1);
    struct plan_port *port2 = plan_port_get(s, row->host2, row->port2);

    for (uint16_t vlan = PLAN_VLAN_MAX; vlan >= PLAN_VLAN_MIN; vlan--) {
        if (!bitmap_is_set(s->segments, vlan)
            && !bitmap_is_set(port1->taken, vlan)
            && !bitmap_is_set(port2->taken, vlan)
            && !bitmap_is_set(host1->ends, vlan)
            && !bitmap_is_set(host2->ends, vlan)) {
            take_vlan(s, row->host1, row->port1, vlan);
            take_vlan(s, row->host2, row->port2, vlan);
            return vlan;
        }
    }
    return 0;
}

/* ---- Bandwidth. ---- */

static struct plan_own *
own_get(struct xf_plan_session *s, const struct xfrec_link *link)
{
    struct plan_own *own = shash_find_data(&s->owns, link->name);

    if (!own) {
        own = xzalloc(sizeof *own);
        own->bps = link->bandwidth;
        shash_add(&s->owns, link->name, own);
    }
    return own;
}

/* Sets bandwidth of 'own' on 'cable' aside, once. */
static void
own_add(struct xf_plan_session *s, struct plan_own *own, size_t cable)
{
    for (size_t i = 0; i < own->n; i++) {
        if (own->cables[i] == cable) {
            return;
        }
    }
    if (own->n >= own->allocated) {
        own->cables = x2nrealloc(own->cables, &own->allocated,
                                 sizeof *own->cables);
    }
    own->cables[own->n++] = cable;
    xf_path_reserve(s->graph, cable, own->bps);
}

void
plan_own_begin(struct xf_plan_session *s, const struct xfrec_link *link)
{
    struct plan_own *own = own_get(s, link);

    for (size_t i = 0; i < own->n; i++) {
        xf_path_release(s->graph, own->cables[i], own->bps);
    }
}

void
plan_own_end(struct xf_plan_session *s, const struct xfrec_link *link,
             const struct xf_path *path)
{
    struct plan_own *own = own_get(s, link);

    for (size_t i = 0; i < own->n; i++) {
        xf_path_reserve(s->graph, own->cables[i], own->bps);
    }
    for (size_t i = 0; path && i < path->n; i++) {
        own_add(s, own, path->cables[i]);
    }
}

/* ---- Sessions. ---- */

static void
take_hops(struct xf_plan_session *s)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, s->idl) {
        take_vlan(s, hop->host, hop->port1, hop->vlan1);
        take_vlan(s, hop->host, hop->port2, hop->vlan2);
        if (hop->link && hop->link->bandwidth
            && hop->position < XF_PLAN_TRANSFER) {
            size_t cable = plan_port_get(s, hop->host, hop->port2)->cable;

            if (cable != PLAN_NO_CABLE) {
                own_add(s, own_get(s, hop->link), cable);
            }
        }
    }
}

struct xf_plan_session *
xf_plan_session_create(struct ovsdb_idl *idl, long long int now_ms)
{
    struct xf_plan_session *s = xzalloc(sizeof *s);
    const struct xfrec_segment *segment;
    const struct xfrec_edge_port *edge;
    struct said said;

    s->idl = idl;
    s->graph = xf_path_graph_create();
    shash_init(&s->hosts_by_name);
    shash_init(&s->cables_by_name);
    shash_init(&s->ports);
    shash_init(&s->owns);
    said_init(&said, idl, now_ms);
    add_hosts(s, &said);
    add_cables(s, &said);
    shash_destroy(&said.hosts);
    shash_destroy(&said.cables);
    XFREC_SEGMENT_FOR_EACH (segment, idl) {
        bitmap_set1(s->segments, segment->vlan);
    }
    XFREC_EDGE_PORT_FOR_EACH (edge, idl) {
        take_vlan(s, edge->host, edge->port, edge->vlan);
    }
    take_hops(s);
    return s;
}

void
xf_plan_session_destroy(struct xf_plan_session *s)
{
    struct shash_node *node;

    if (!s) {
        return;
    }
    SHASH_FOR_EACH (node, &s->owns) {
        struct plan_own *own = node->data;

        free(own->cables);
    }
    for (size_t i = 0; i < s->n_hosts; i++) {
        free(s->hosts[i]);
    }
    shash_destroy(&s->hosts_by_name);
    shash_destroy(&s->cables_by_name);
    shash_destroy_free_data(&s->ports);
    shash_destroy_free_data(&s->owns);
    free(s->hosts);
    free(s->cables);
    xf_path_graph_destroy(s->graph);
    free(s);
}

void
xf_plan_session_set_wired(struct xf_plan_session *s, bool wired)
{
    s->wired = wired;
}
