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

#include <stdlib.h>
#include <string.h>

#include "engine/engine-private.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xf_db_link);

/* Virtual links of the database: rows of Hop and Link become the hops of this
 * switch (engine/link.h), and what is true of them rows of Link_State.
 *
 * Of Hop we ask for our rows; of Link and Edge_Port, which conditions can't
 * select by reference, for all.  All of our hops are one object: they are
 * looked at together whenever one of them, or a link, has changed, and
 * published together, so that what one transaction says takes effect at once.
 * */

/* ---- What is monitored. ---- */

#define FOLLOW(TYPE, NAME) \
    ovsdb_idl_track_add_column(idl, &xfrec_##TYPE##_col_##NAME)

void
xf_db_links_monitor(struct ovsdb_idl *idl)
{
    FOLLOW(link, name);
    FOLLOW(link, interface1);
    FOLLOW(link, interface2);
    FOLLOW(link, edge);
    FOLLOW(link, generation);

    FOLLOW(hop, link);
    FOLLOW(hop, generation);
    FOLLOW(hop, position);
    FOLLOW(hop, host);
    FOLLOW(hop, port1);
    FOLLOW(hop, vlan1);
    FOLLOW(hop, port2);
    FOLLOW(hop, vlan2);

    FOLLOW(edge_port, host);
    FOLLOW(edge_port, port);
    FOLLOW(edge_port, vlan);

    FOLLOW(link_state, host);
    FOLLOW(link_state, link);
    FOLLOW(link_state, generation);
    FOLLOW(link_state, proven);
    FOLLOW(link_state, error);
}

static bool
table_changed(const struct xf_db *db,
              const struct ovsdb_idl_table_class *class)
{
    return ovsdb_idl_track_get_first(db->idl, class);
}

/* Notices what has changed, before that is forgotten. */
void
xf_db_links_look(struct xf_db *db)
{
    if (table_changed(db, &xfrec_table_hop)
        || table_changed(db, &xfrec_table_link)
        || table_changed(db, &xfrec_table_edge_port)) {
        db->links_changed = true;
    }
    if (table_changed(db, &xfrec_table_link_state)) {
        db->link_states_seq = UINT64_MAX;
    }
}

/* ---- From rows to hops. ---- */

static bool
is_ours(const struct xf_db *db, const struct xfrec_hop *row)
{
    return (row->link && row->host
            && uuid_equals(&row->host->header_.uuid, &db->host_uuid));
}

static void
id_of_uuid(const struct uuid *uuid, struct xf_link_id *id)
{
    for (int i = 0; i < 4; i++) {
        ovs_be32 be = htonl(uuid->parts[i]);

        memcpy(&id->bytes[i * sizeof be], &be, sizeof be);
    }
}

static void
uuid_of_id(const struct xf_link_id *id, struct uuid *uuid)
{
    for (int i = 0; i < 4; i++) {
        ovs_be32 be;

        memcpy(&be, &id->bytes[i * sizeof be], sizeof be);
        uuid->parts[i] = ntohl(be);
    }
}

static void
set_side(const struct xf_db *db, struct xf_hop_side *side, const char *port,
         int64_t vlan, const struct xfrec_edge_port *edge)
{
    ovs_strlcpy(side->port, port, sizeof side->port);
    side->vlan = vlan;
    side->edge = (edge && edge->host && edge->vlan == vlan
                  && !strcmp(edge->port, port)
                  && uuid_equals(&edge->host->header_.uuid,
                                 &db->host_uuid));
}

static void
hop_of_row(const struct xf_db *db, const struct xfrec_hop *row,
           struct xf_hop *hop)
{
    const struct xfrec_link *link = row->link;
    char *error;

    memset(hop, 0, sizeof *hop);
    error = xf_args_parse_name(link->name, "link", hop->link);
    if (error) {
        /* It is a name in lists and in the file only. */
        snprintf(hop->link, sizeof hop->link, UUID_FMT,
                 UUID_ARGS(&link->header_.uuid));
        free(error);
    }
    id_of_uuid(&link->header_.uuid, &hop->id);
    hop->generation = row->generation;
    hop->position = row->position;
    hop->use = link->generation;
    set_side(db, &hop->sides[0], row->port1, row->vlan1, link->edge);
    set_side(db, &hop->sides[1], row->port2, row->vlan2, link->edge);
}

/* Looks again at interfaces that get their VLAN from a hop. */
static void
look_at_interfaces(struct xf_db *db)
{
    const struct xfrec_interface *iface;

    XFREC_INTERFACE_FOR_EACH (iface, db->idl) {
        if (!iface->segment) {
            xf_db_row(db, &xf_db_tables[1], &iface->header_, false);
        }
    }
}

/* Takes the hops as they are, once all are known. */
void
xf_db_links_run(struct xf_db *db)
{
    const struct xfrec_hop *row;
    struct xf_hop *hops;
    size_t n = 0, n_rows = 0;

    if (!db->links_changed || !db->in_step) {
        return;
    }
    db->links_changed = false;
    hops = xcalloc(XF_HOPS_MAX, sizeof *hops);
    XFREC_HOP_FOR_EACH (row, db->idl) {
        if (is_ours(db, row)) {
            if (n < XF_HOPS_MAX) {
                hop_of_row(db, row, &hops[n++]);
            }
            n_rows++;
        }
    }
    if (n < n_rows) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        VLOG_ERR_RL(&rl, "database XenFlow: %"PRIuSIZE" hops of links for "
                    "this host, of which the first %d are taken: have some "
                    "links go by other hosts", n_rows, XF_HOPS_MAX);
    }
    xf_links_set(db->engine, hops, n);
    free(hops);
    look_at_interfaces(db);
}

/* ---- The VLAN of an interface. ---- */

/* Stores the VLAN of the side of 'hop' at 'iface'; false if it isn't there. */
static bool
hop_vlan(const struct xfrec_hop *hop, const struct xfrec_interface *iface,
         uint16_t *vlan)
{
    const char *router = iface->router->name;
    bool is1 = !strcmp(hop->port1, router);
    bool is2 = !strcmp(hop->port2, router);

    if (is1 && is2) {
        is1 = hop->link->interface1 == iface;
    }
    *vlan = is1 ? hop->vlan1 : hop->vlan2;
    return is1 || is2;
}

/* Whether 'a' says more of where the interface is than 'b': on the router's
 * host the generation in use, else the newest. */
static bool
is_better(const struct xfrec_hop *a, const struct xfrec_hop *b, bool at_host)
{
    bool a_used = at_host && a->generation == a->link->generation;
    bool b_used = at_host && b->generation == b->link->generation;

    return a_used != b_used ? a_used : a->generation > b->generation;
}

/* Stores the VLAN on this host of 'iface', which is in a link; false if the
 * link has no hop here (yet). */
bool
xf_db_link_vlan(const struct xf_db *db, const struct xfrec_interface *iface,
                uint16_t *vlanp)
{
    const struct xfrec_router *router = iface->router;
    const struct xfrec_hop *hop, *best = NULL;
    bool at_host = router->host && uuid_equals(&router->host->header_.uuid,
                                               &db->host_uuid);

    XFREC_HOP_FOR_EACH (hop, db->idl) {
        uint16_t vlan;

        if (is_ours(db, hop) && hop->position < XF_PLAN_TRANSFER
            && (hop->link->interface1 == iface
                || hop->link->interface2 == iface)
            && hop_vlan(hop, iface, &vlan)
            && (!best || is_better(hop, best, at_host))) {
            best = hop;
            *vlanp = vlan;
        }
    }
    return best;
}

/* ---- Link_State. ---- */

static int
compare_summaries(const void *a_, const void *b_)
{
    const struct xf_link_summary *a = a_;
    const struct xf_link_summary *b = b_;

    return memcmp(&a->hop->id, &b->hop->id, sizeof a->hop->id);
}

/* What is true of all links, sorted by id; to be freed by free_summaries(). */
static struct xf_link_summary *
summarize(const struct xf_engine *engine, size_t *np)
{
    const struct xf_links *links = &engine->links;
    struct xf_link_summary *all = xcalloc(MAX(links->n, 1), sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < links->n; ) {
        i = xf_link_summarize(engine, i, &all[n++]);
    }
    qsort(all, n, sizeof *all, compare_summaries);
    *np = n;
    return all;
}

static void
free_summaries(struct xf_link_summary *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(all[i].error);
    }
    free(all);
}

/* Makes 'row' say 's'.  Returns whether it didn't. */
static bool
put_link_state(const struct xfrec_link_state *row,
               const struct xf_link_summary *s)
{
    const char *error = s->error ? s->error : "";
    bool changed = false;

    if (row->generation != s->generation) {
        xfrec_link_state_set_generation(row, s->generation);
        changed = true;
    }
    if (row->proven != s->proven) {
        xfrec_link_state_set_proven(row, s->proven);
        changed = true;
    }
    if (strcmp(row->error, error)) {
        xfrec_link_state_set_error(row, error);
        changed = true;
    }
    return changed;
}

static void
insert_link_state(struct xf_db *db, const struct xf_link_summary *s)
{
    const struct xfrec_link_state *row
        = xfrec_link_state_insert(db->txn);
    struct uuid uuid;

    uuid_of_id(&s->hop->id, &uuid);
    xfrec_link_state_set_host(row, db->host);
    xfrec_link_state_set_link(row, uuid);
    put_link_state(row, s);
}

/* Whether rows of Link_State may be wrong. */
bool
xf_db_links_have_news(const struct xf_db *db)
{
    const struct xf_links *links = &db->engine->links;

    return db->link_states_seq != links->state_seq;
}

/* Adds to the transaction under way what is to be said of links, as much as
 * one transaction takes. */
void
xf_db_links_put(struct xf_db *db)
{
    struct xf_engine *engine = db->engine;
    const struct xfrec_link_state *row, *next;
    size_t n, n_changed = 0;
    struct xf_link_summary *all;
    bool *seen;

    if (!xf_db_links_have_news(db)) {
        return;
    }
    all = summarize(engine, &n);
    seen = xcalloc(MAX(n, 1), sizeof *seen);
    XFREC_LINK_STATE_FOR_EACH_SAFE (row, next, db->idl) {
        struct xf_hop hop;
        struct xf_link_summary key = { .hop = &hop };
        const struct xf_link_summary *s;

        id_of_uuid(&row->link, &hop.id);
        s = bsearch(&key, all, n, sizeof *all, compare_summaries);
        if (s) {
            seen[s - all] = true;
            n_changed += (n_changed < XF_DB_WRITE_ROWS
                          && put_link_state(row, s));
        } else if (engine->links.acked && n_changed < XF_DB_WRITE_ROWS) {
            /* All of it has gone from the datapath. */
            xfrec_link_state_delete(row);
            n_changed++;
        }
    }
    for (size_t i = 0; i < n && n_changed < XF_DB_WRITE_ROWS; i++) {
        if (!seen[i]) {
            insert_link_state(db, &all[i]);
            n_changed++;
        }
    }
    if (n_changed < XF_DB_WRITE_ROWS) {
        db->link_states_seq = engine->links.state_seq;
    }
    free(seen);
    free_summaries(all, n);
}
