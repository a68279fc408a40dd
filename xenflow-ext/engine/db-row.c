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

#include "engine/db.h"

#include <inttypes.h>
#include <string.h>

#include "engine/engine-private.h"
#include "smap.h"
#include "svec.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

/* Rows of the database as arguments of commands.  What a command has as
 * default isn't written: texts are kept for each row. */

#define MTU_DEFAULT 1500
#define PROTOCOL_DEFAULT 4      /* RTPROT_STATIC. */
/* First of the numbers that kernels, which count from 1, don't get to. */
#define IFINDEX_OWN (1 << 30)

#define ROW(TYPE, ROW_) ((const struct xfrec_##TYPE *) (ROW_))

/* Whether 'words' got the name of 'router', which must be there. */
static bool
put_router(const struct xfrec_router *router, struct svec *words)
{
    if (router) {
        svec_add(words, router->name);
    }
    return router;
}

static bool
router_words(const struct xf_db *db OVS_UNUSED,
             const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_router *row = ROW(router, row_);
    const struct smap_node **settings = smap_sort(&row->settings);

    svec_add(words, row->name);
    if (strcmp(row->role, "router")) {
        svec_add_nocopy(words, xasprintf("role=%s", row->role));
    }
    if (!row->separated) {
        svec_add(words, "separated=false");
    }
    if (strcmp(row->translation, "auto")) {
        svec_add_nocopy(words, xasprintf("translation=%s", row->translation));
    }
    for (size_t i = 0; i < smap_count(&row->settings); i++) {
        svec_add_nocopy(words, xasprintf("%s=%s", settings[i]->key,
                                         settings[i]->value));
    }
    free(settings);
    return true;
}

/* An interface that is nowhere yet states nothing.  One without a segment may
 * be the end of a link.  That of a router that isn't to run is down. */
static bool
interface_words(const struct xf_db *db,
                const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_interface *row = ROW(interface, row_);

    uint16_t vlan;

    if (!put_router(row->router, words)) {
        return false;
    } else if (row->segment) {
        vlan = row->segment->vlan;
    } else if (!xf_db_link_vlan(db, row, &vlan)) {
        return false;
    }
    svec_add(words, row->name);
    svec_add_nocopy(words, xasprintf("vlan=%"PRIu16, vlan));
    svec_add_nocopy(words, xasprintf("mac=%s", row->mac));
    if (row->vif[0]) {
        svec_add_nocopy(words, xasprintf("vif=%s", row->vif));
    }
    if (row->ifindex) {
        svec_add_nocopy(words, xasprintf("ifindex=%"PRId64, row->ifindex));
    }
    if (row->mtu != MTU_DEFAULT) {
        svec_add_nocopy(words, xasprintf("mtu=%"PRId64, row->mtu));
    }
    if (!row->up || strcmp(row->router->state, "running")) {
        svec_add(words, "up=false");
    }
    if (row->n_addresses) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        for (size_t i = 0; i < row->n_addresses; i++) {
            ds_put_format(&ds, "%s%s", i ? "," : "address=",
                          row->addresses[i]);
        }
        svec_add_nocopy(words, ds_steal_cstr(&ds));
    }
    return true;
}

static bool
has_option(const struct svec *words, const char *option)
{
    size_t n = strcspn(option, "=");

    for (size_t i = 0; i < words->n; i++) {
        if (!strncmp(words->names[i], option, n)
            && words->names[i][n] == '=') {
            return true;
        }
    }
    return false;
}

/* Where a speaker is heard, unless the operator says that. */
static void
complete_router(const struct ovsdb_idl_row *row, const struct svec *said,
                struct svec *words)
{
    if (!smap_get(&ROW(router, row)->settings, "listen")) {
        svec_append(words, said);
    }
}

/* A switch hands nothing to its machine, and only routes name interfaces by
 * their number there.  Without a machine of ours any number will do until a
 * speaker says another. */
static void
complete_interface(const struct ovsdb_idl_row *row_, const struct svec *said,
                   struct svec *words)
{
    const struct xfrec_interface *row = ROW(interface, row_);
    bool routes = !strcmp(row->router->role, "router");

    for (size_t i = 0; i < said->n; i++) {
        bool taken = routes || (!strncmp(said->names[i], "vif=", 4)
                                && strcmp(row->router->role, "switch"));

        if (taken && !has_option(words, said->names[i])) {
            svec_add(words, said->names[i]);
        }
    }
    if (routes && !strcmp(row->router->backend, "none")
        && !has_option(words, "ifindex")) {
        uint32_t n = row->header_.uuid.parts[0] & (IFINDEX_OWN - 1);

        svec_add_nocopy(words, xasprintf("ifindex=%"PRIu32, IFINDEX_OWN | n));
    }
}

static bool
neighbor_words(const struct xf_db *db OVS_UNUSED,
               const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_neighbor *row = ROW(neighbor, row_);

    if (!row->interface || !put_router(row->router, words)) {
        return false;
    }
    svec_add(words, row->interface->name);
    svec_add(words, row->address);
    svec_add(words, row->mac);
    return true;
}

static bool
route_words(const struct xf_db *db OVS_UNUSED,
            const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_static_route *row = ROW(static_route, row_);

    if (!put_router(row->router, words)) {
        return false;
    }
    svec_add(words, row->prefix);
    if (strcmp(row->action, "forward")) {
        svec_add(words, row->action);
    } else {
        for (size_t i = 0; i < row->n_nexthops; i++) {
            struct svec hop = SVEC_EMPTY_INITIALIZER;

            if (i) {
                svec_add(words, "nexthop");
            }
            svec_parse_words(&hop, row->nexthops[i]);
            svec_append(words, &hop);
            svec_destroy(&hop);
        }
    }
    if (row->metric) {
        svec_add(words, "metric");
        svec_add_nocopy(words, xasprintf("%"PRId64, row->metric));
    }
    if (row->protocol != PROTOCOL_DEFAULT) {
        svec_add(words, "proto");
        svec_add_nocopy(words, xasprintf("%"PRId64, row->protocol));
    }
    return true;
}

static void
put_priority(int64_t priority, struct svec *words)
{
    svec_add_nocopy(words, xasprintf("priority=%"PRId64, priority));
}

static bool
filter_words(const struct xf_db *db OVS_UNUSED,
             const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_filter *row = ROW(filter, row_);

    if (!put_router(row->router, words)) {
        return false;
    }
    svec_add(words, row->match);
    svec_add(words, row->action);
    put_priority(row->priority, words);
    return true;
}

static bool
flow_words(const struct xf_db *db OVS_UNUSED,
           const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_flow *row = ROW(flow, row_);

    if (!put_router(row->router, words)) {
        return false;
    }
    svec_add(words, row->match);
    svec_add_nocopy(words, xasprintf("actions=%s", row->actions));
    put_priority(row->priority, words);
    return true;
}

static bool
selection_words(const struct xf_db *db OVS_UNUSED,
                const struct ovsdb_idl_row *row_, struct svec *words)
{
    const struct xfrec_selection *row = ROW(selection, row_);

    if (!row->via || !put_router(row->router, words)) {
        return false;
    }
    svec_add(words, row->match);
    svec_add_nocopy(words, xasprintf("via=%s", row->via->name));
    svec_add_nocopy(words, xasprintf("direction=%s", row->direction));
    put_priority(row->priority, words);
    return true;
}

static const char *
router_name(const struct ovsdb_idl_row *row)
{
    return ROW(router, row)->name;
}

#define CHILD_NAME(TYPE)                                                \
    static const char *                                                 \
    TYPE##_router_name(const struct ovsdb_idl_row *row_)                \
    {                                                                   \
        const struct xfrec_##TYPE *row = ROW(TYPE, row_);               \
                                                                        \
        return row->router ? row->router->name : NULL;                  \
    }
CHILD_NAME(interface)
CHILD_NAME(neighbor)
CHILD_NAME(static_route)
CHILD_NAME(filter)
CHILD_NAME(flow)
CHILD_NAME(selection)

#define CHILD(NAME, TYPE, KIND, LOOKS_FURTHER, WORDS, COMPLETE)         \
    { NAME, &xfrec_table_##TYPE, &xf_config_kinds[KIND], LOOKS_FURTHER, \
      WORDS, COMPLETE, TYPE##_router_name, xfrec_##TYPE##_add_clause_router }

/* In the order of their kinds. */
const struct xf_db_table xf_db_tables[XF_N_DB_TABLES] = {
    { "Router", &xfrec_table_router, &xf_config_kinds[0], false,
      router_words, complete_router, router_name, NULL },
    CHILD("Interface", interface, 1, true, interface_words,
          complete_interface),
    CHILD("Neighbor", neighbor, 2, true, neighbor_words, NULL),
    CHILD("Static_Route", static_route, 3, false, route_words, NULL),
    CHILD("Filter", filter, 4, false, filter_words, NULL),
    CHILD("Flow", flow, 5, false, flow_words, NULL),
    CHILD("Selection", selection, 6, true, selection_words, NULL),
};
