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
#include "engine/copy-private.h"

#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xf_copy);

/* Which routers come and go, by the rows; rows of Table_State. */

/* Between two looks at how much was copied. */
#define COUNT_MS 1000

const char *
xf_copy_state_name(enum xf_copy_state state)
{
    switch (state) {
    case XF_COPY_CONNECTING: return "connecting";
    case XF_COPY_COPYING: return "copying";
    case XF_COPY_IN_STEP: return "in-step";
    case XF_COPY_KEPT: return "kept";
    default: OVS_NOT_REACHED();
    }
}

struct xf_copies *
xf_copies_create(struct xf_engine *engine, struct xf_db *db)
{
    struct xf_copies *copies = xzalloc(sizeof *copies);

    copies->engine = engine;
    copies->db = db;
    copies->tls = db->tls;
    copies->look_again = true;
    hmap_init(&copies->copies);
    ovs_list_init(&copies->servings);
    return copies;
}

void
xf_copies_destroy(struct xf_copies *copies)
{
    struct xf_serving *serving;
    struct xf_copy *copy;

    if (!copies) {
        return;
    }
    LIST_FOR_EACH_SAFE (serving, node, &copies->servings) {
        xf_serving_destroy(copies, serving);
    }
    HMAP_FOR_EACH_SAFE (copy, node, &copies->copies) {
        xf_copy_destroy(copy);
    }
    xf_doors_set(copies, NULL, 0);
    hmap_destroy(&copies->copies);
    free(copies);
}

void
xf_copies_router_gone(struct xf_copies *copies, struct xf_router *router)
{
    struct xf_copy *copy;

    if (!copies) {
        return;
    }
    HMAP_FOR_EACH_SAFE (copy, node, &copies->copies) {
        if (copy->router == router) {
            xf_copy_destroy(copy);
        }
    }
    xf_servings_router_gone(copies, router);
    copies->look_again = true;
}

void
xf_copies_iface_added(struct xf_copies *copies, struct xf_router *router)
{
    struct xf_copy *copy;

    if (!copies || !router->coming) {
        return;
    }
    HMAP_FOR_EACH (copy, node, &copies->copies) {
        if (copy->router == router && copy->listener) {
            xf_listener_iface_added(copy->listener);
        }
    }
}

void
xf_copies_look_again(struct xf_copies *copies)
{
    if (copies) {
        copies->look_again = true;
    }
}

/* ---- Rows. ---- */

static struct xf_copy *
copy_find(const struct xf_copies *copies, const struct uuid *uuid)
{
    struct xf_copy *copy;

    HMAP_FOR_EACH_WITH_HASH (copy, node, uuid_hash(uuid), &copies->copies) {
        if (uuid_equals(&copy->uuid, uuid)) {
            return copy;
        }
    }
    return NULL;
}

static bool
is_here(const struct xf_copies *copies, const struct xfrec_host *host)
{
    return host && !strcmp(host->name, copies->db->host);
}

/* Notes where the router of 'copy' comes from. */
static void
note_source(struct xf_copy *copy, const struct xfrec_host *source)
{
    size_t n = MIN(source->n_addresses, XF_COPY_ADDRESSES_MAX);

    if (!copy->source || strcmp(copy->source, source->name)) {
        free(copy->source);
        copy->source = xstrdup(source->name);
    }
    svec_clear(&copy->addresses);
    for (size_t i = 0; i < n; i++) {
        svec_add(&copy->addresses, source->addresses[i]);
    }
}

/* What the row of 'router' says of where it is and goes.  One that was here
 * doesn't come while the tables of its old ways are still needed. */
static void
read_router(struct xf_copies *copies, const struct xfrec_router *row,
            struct xf_router *router, long long int now_ms)
{
    bool here = is_here(copies, row->host);
    bool comes = is_here(copies, row->destination) && !here && row->host;
    struct xf_copy *copy = copy_find(copies, &row->header_.uuid);

    if (here) {
        router->was_here = true;
    } else if (!comes) {
        router->was_here = false;
    }
    if (router->listener) {
        xf_listener_hold(router->listener,
                         here ? row->destination != NULL : comes, now_ms);
    }
    if (comes && !router->was_here) {
        if (!copy) {
            copy = xf_copy_create(copies, &row->header_.uuid, router);
        }
        note_source(copy, row->host);
        copy->wanted = true;
    } else if (copy && here && row->destination) {
        copy->wanted = true;
        xf_copy_keep(copy);
    }
    if (here) {
        router->coming = false;
    }
}

/* Looks at all rows. */
static void
read_rows(struct xf_copies *copies, long long int now_ms)
{
    const struct xfrec_router *row;
    const struct xfrec_host *host;
    struct xf_copy *copy;

    XFREC_HOST_FOR_EACH (host, copies->db->idl) {
        if (is_here(copies, host)) {
            xf_doors_set(copies, host->addresses,
                         MIN(host->n_addresses, XF_COPY_ADDRESSES_MAX));
        }
    }
    HMAP_FOR_EACH (copy, node, &copies->copies) {
        copy->wanted = false;
    }
    XFREC_ROUTER_FOR_EACH (row, copies->db->idl) {
        struct xf_router *router = xf_engine_router(copies->engine,
                                                    row->name);

        if (router) {
            read_router(copies, row, router, now_ms);
        }
    }
    HMAP_FOR_EACH_SAFE (copy, node, &copies->copies) {
        if (!copy->wanted) {
            xf_copy_destroy(copy);
        }
    }
    xf_servings_check(copies);
    copies->dirty = true;
}

/* A router whose own speaker has spoken to the end has no copy any more. */
static void
settle(struct xf_engine *engine)
{
    struct xf_router *router;

    LIST_FOR_EACH (router, node, &engine->routers) {
        if (router->has_copy && !router->coming && router->listener
            && xf_listener_is_settled(router->listener)) {
            router->has_copy = false;
        }
    }
}

/* Looks how much was copied. */
static void
count(struct xf_copies *copies)
{
    struct xf_copy *copy;

    HMAP_FOR_EACH (copy, node, &copies->copies) {
        struct xf_rt_usage usage;
        size_t n_routes = xf_rt_source_n_routes(copy->router->rt,
                                                copy->router->listener_source);

        xf_rt_get_usage(copy->router->rt, &usage);
        if (copy->n_routes != n_routes
            || copy->n_neighbors != usage.n_neighbors) {
            copy->n_routes = n_routes;
            copy->n_neighbors = usage.n_neighbors;
            copies->dirty = true;
        }
    }
}

void
xf_copies_run(struct xf_copies *copies, long long int now_ms)
{
    struct xf_copy *copy;

    if (!copies) {
        return;
    }

    const struct xf_db *db = copies->db;
    unsigned int seqno = ovsdb_idl_get_seqno(db->idl);
    if (db->in_step && db->swept && !xf_db_is_busy(db)
        && (copies->look_again || seqno != copies->seqno)) {
        copies->look_again = false;
        copies->seqno = seqno;
        read_rows(copies, now_ms);
    }
    HMAP_FOR_EACH (copy, node, &copies->copies) {
        xf_copy_run(copy, now_ms);
    }
    if (now_ms >= copies->counted_ms + COUNT_MS) {
        copies->counted_ms = now_ms;
        settle(copies->engine);
        count(copies);
    }
    xf_servings_run(copies, now_ms);
}

void
xf_copies_wait(struct xf_copies *copies)
{
    const struct xf_copy *copy;

    if (!copies) {
        return;
    }
    HMAP_FOR_EACH (copy, node, &copies->copies) {
        xf_copy_wait(copy);
    }
    if (!hmap_is_empty(&copies->copies)) {
        poll_timer_wait_until(copies->counted_ms + COUNT_MS);
    }
    xf_servings_wait(copies);
}

/* ---- Table_State. ---- */

/* Whether 'row' doesn't say what is true of 'copy'. */
static bool
is_old(const struct xfrec_table_state *row, const struct xf_copy *copy)
{
    return (strcmp(row->state, xf_copy_state_name(copy->state))
            || row->routes != (int64_t) copy->n_routes
            || row->neighbors != (int64_t) copy->n_neighbors
            || strcmp(row->error, copy->error ? copy->error : ""));
}

static void
put_row(const struct xfrec_table_state *row, const struct xf_copy *copy)
{
    xfrec_table_state_set_state(row, xf_copy_state_name(copy->state));
    xfrec_table_state_set_routes(row, copy->n_routes);
    xfrec_table_state_set_neighbors(row, copy->n_neighbors);
    xfrec_table_state_set_error(row, copy->error ? copy->error : "");
}

/* Compares our rows with what is; if 'txn' isn't null, makes them so.  Returns
 * true if there was a difference. */
static bool
compare_rows(struct xf_copies *copies, struct ovsdb_idl_txn *txn)
{
    const struct xfrec_table_state *row;
    struct xf_copy *copy;
    bool differs = false;

    HMAP_FOR_EACH (copy, node, &copies->copies) {
        copy->has_row = false;
    }
    XFREC_TABLE_STATE_FOR_EACH_SAFE (row, copies->db->idl) {
        if (strcmp(row->host, copies->db->host)) {
            continue;
        }
        copy = copy_find(copies, &row->router);
        if (copy) {
            copy->has_row = true;
        }
        if (!copy || is_old(row, copy)) {
            differs = true;
            if (txn && copy) {
                put_row(row, copy);
            } else if (txn) {
                xfrec_table_state_delete(row);
            }
        }
    }
    HMAP_FOR_EACH (copy, node, &copies->copies) {
        if (!copy->has_row) {
            differs = true;
            if (txn) {
                row = xfrec_table_state_insert(txn);
                xfrec_table_state_set_host(row, copies->db->host);
                xfrec_table_state_set_router(row, copy->uuid);
                put_row(row, copy);
            }
        }
    }
    return differs;
}

bool
xf_copies_have_news(struct xf_copies *copies)
{
    if (copies && copies->dirty && !compare_rows(copies, NULL)) {
        copies->dirty = false;
    }
    return copies && copies->dirty;
}

void
xf_copies_write(struct xf_copies *copies, struct ovsdb_idl_txn *txn)
{
    if (copies) {
        compare_rows(copies, txn);
    }
}

void
xf_copies_written(struct xf_copies *copies, bool success)
{
    if (copies && !success) {
        copies->dirty = true;
    }
}
