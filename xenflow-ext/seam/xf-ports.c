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

#include "seam/xf-ports.h"

#include <string.h>

#include "dpif.h"
#include "hash.h"
#include "netdev.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto/ofproto-provider.h"
#include "openvswitch/shash.h"
#include "sset.h"
#include "util.h"

/* See seam/xf-ports.h. */
const struct xf_port *
xf_ports_find(const struct xf_ports *table, const struct ofproto_dpif *ofproto,
          const char *name)
{
    const struct xf_port *p;

    if (table) {
        HMAP_FOR_EACH_WITH_HASH (p, node, hash_string(name, 0),
                                 &table->ports) {
            if ((!ofproto || p->ofproto == ofproto)
                && !strcmp(p->name, name)) {
                return p;
            }
        }
    }
    return NULL;
}

/* See seam/xf-ports.h. */
const struct xf_port *
xf_ports_find_router(const struct xf_ports *table, const char *router)
{
    const struct xf_port *p = xf_ports_find(table, NULL, router);

    return p && p->is_router ? p : NULL;
}

/* Accepts NULL. */
void
xf_ports_destroy(struct xf_ports *table)
{
    if (table) {
        struct xf_port *p;

        HMAP_FOR_EACH_POP (p, node, &table->ports) {
            free(p->name);
            free(p->bridge);
            free(p);
        }
        hmap_destroy(&table->ports);
        free(table->dpif_name);
        free(table->dpif_type);
        free(table);
    }
}

static bool
is_router_ofport(const struct ofport *ofport)
{
    return !strcmp(netdev_get_type(ofport->netdev), "xenflow");
}

static void
add_bridge(struct xf_ports *table, const struct ofproto_dpif *ofproto)
{
    const struct ofport *ofport;

    HMAP_FOR_EACH (ofport, hmap_node, &ofproto->up.ports) {
        struct xf_port *p = xmalloc(sizeof *p);

        p->ofproto = ofproto;
        p->ofp_port = ofport->ofp_port;
        p->is_router = is_router_ofport(ofport);
        p->has_fib = ofproto->backer->rt_support.xenflow;
        p->name = xstrdup(netdev_get_name(ofport->netdev));
        p->bridge = xstrdup(ofproto->up.name);
        hmap_insert(&table->ports, &p->node, hash_string(p->name, 0));
    }
    if (!table->dpif_name) {
        table->dpif_name = xstrdup(dpif_base_name(ofproto->backer->dpif));
        table->dpif_type = xstrdup(dpif_type(ofproto->backer->dpif));
    }
}

/* Whether the bridge has a port of a router or a port of 'hops'. */
static bool
bridge_counts(const struct ofproto_dpif *ofproto, const struct sset *hops)
{
    const struct ofport *ofport;

    HMAP_FOR_EACH (ofport, hmap_node, &ofproto->up.ports) {
        if (is_router_ofport(ofport)
            || sset_contains(hops, netdev_get_name(ofport->netdev))) {
            return true;
        }
    }
    return false;
}

/* See seam/xf-ports.h. */
struct xf_ports *
xf_ports_create(const struct sset *hops)
{
    struct xf_ports *table = xzalloc(sizeof *table);
    const struct shash_node *node;

    hmap_init(&table->ports);
    SHASH_FOR_EACH (node, &all_dpif_backers) {
        struct sset names = SSET_INITIALIZER(&names);
        const char *name;

        ofproto_enumerate_names(node->name, &names);
        SSET_FOR_EACH (name, &names) {
            const struct ofproto_dpif *ofproto
                = ofproto_dpif_lookup_by_name(name);

            if (ofproto && bridge_counts(ofproto, hops)) {
                add_bridge(table, ofproto);
            }
        }
        sset_destroy(&names);
    }
    return table;
}

/* See seam/xf-ports.h. */
bool
xf_ports_equals(const struct xf_ports *a, const struct xf_ports *b)
{
    const struct xf_port *p;

    if (!a || hmap_count(&a->ports) != hmap_count(&b->ports)) {
        return false;
    }
    HMAP_FOR_EACH (p, node, &a->ports) {
        const struct xf_port *q = xf_ports_find(b, p->ofproto, p->name);

        if (!q || q->ofp_port != p->ofp_port
            || q->is_router != p->is_router
            || q->has_fib != p->has_fib) {
            return false;
        }
    }
    return true;
}

/* See seam/xf-ports.h. */
size_t
xf_ports_count_fib(void)
{
    const struct shash_node *node;
    size_t n = 0;

    SHASH_FOR_EACH (node, &all_dpif_backers) {
        const struct dpif_backer *backer = node->data;

        n += backer->rt_support.xenflow;
    }
    return n;
}
