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

#include <limits.h>
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
    FOLLOW(link, bandwidth);

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
    hop->promised = link->bandwidth != 0;
    set_side(db, &hop->sides[0], row->port1, row->vlan1, link->edge);
    set_side(db, &hop->sides[1], row->port2, row->vlan2, link->edge);
}

/* ---- The VLAN of an interface. ---- */

/* An interface that is, or was, an end of hops of ours. */
struct link_end {
    struct hmap_node node;      /* In 'link_ends' of struct xf_db. */
    struct uuid uuid;           /* Of the interface's row. */
    const struct xfrec_hop *hop; /* While link_ends_refresh() runs. */
    bool is_there, was_there;
    uint16_t vlan, was_vlan;
    bool changed;               /* Since the interface was looked at. */
};

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

static struct link_end *
find_end(const struct xf_db *db, const struct uuid *uuid)
{
    struct link_end *end;

    HMAP_FOR_EACH_WITH_HASH (end, node, uuid_hash(uuid), &db->link_ends) {
        if (uuid_equals(&end->uuid, uuid)) {
            return end;
        }
    }
    return NULL;
}

/* 'hop' may say where 'iface', which may be NULL, is. */
static void
look_at_end(struct xf_db *db, const struct xfrec_hop *hop,
            const struct xfrec_interface *iface)
{
    uint16_t vlan;

    if (!iface || !iface->router || !hop_vlan(hop, iface, &vlan)) {
        return;
    }

    const struct uuid *uuid = &iface->header_.uuid;
    const struct xfrec_host *host = iface->router->host;
    struct link_end *end = find_end(db, uuid);
    if (!end) {
        end = xzalloc(sizeof *end);
        end->uuid = *uuid;
        hmap_insert(&db->link_ends, &end->node, uuid_hash(uuid));
    }
    if (!end->is_there
        || is_better(hop, end->hop,
                     host && uuid_equals(&host->header_.uuid,
                                         &db->host_uuid))) {
        end->is_there = true;
        end->hop = hop;
        end->vlan = vlan;
    }
}

/* Makes the ends those of the rows as they are. */
static void
link_ends_refresh(struct xf_db *db)
{
    unsigned int seqno = ovsdb_idl_get_seqno(db->idl);
    const struct xfrec_hop *hop;
    struct link_end *end;

    if (seqno == db->link_ends_seqno) {
        return;
    }
    db->link_ends_seqno = seqno;
    HMAP_FOR_EACH (end, node, &db->link_ends) {
        end->was_there = end->is_there;
        end->was_vlan = end->vlan;
        end->is_there = false;
    }
    XFREC_HOP_FOR_EACH (hop, db->idl) {
        if (is_ours(db, hop) && hop->position < XF_PLAN_TRANSFER) {
            look_at_end(db, hop, hop->link->interface1);
            look_at_end(db, hop, hop->link->interface2);
        }
    }
    HMAP_FOR_EACH (end, node, &db->link_ends) {
        end->changed = (end->changed || end->is_there != end->was_there
                        || (end->is_there && end->vlan != end->was_vlan));
    }
}

/* Looks again at interfaces that get another VLAN from a hop, or none. */
static void
look_at_interfaces(struct xf_db *db)
{
    const struct xfrec_interface *iface;
    struct link_end *end, *next;

    link_ends_refresh(db);
    HMAP_FOR_EACH_SAFE (end, next, node, &db->link_ends) {
        if (end->changed) {
            end->changed = false;
            iface = xfrec_interface_get_for_uuid(db->idl, &end->uuid);
            if (iface && !iface->segment) {
                xf_db_row(db, &xf_db_tables[1], &iface->header_, false);
            }
        }
        if (!end->is_there) {
            hmap_remove(&db->link_ends, &end->node);
            free(end);
        }
    }
}

/* Stores the VLAN on this host of 'iface', which is in a link; false if the
 * link has no hop here (yet). */
bool
xf_db_link_vlan(const struct xf_db *db, const struct xfrec_interface *iface,
                uint16_t *vlanp)
{
    const struct link_end *end;

    link_ends_refresh(CONST_CAST(struct xf_db *, db));
    end = find_end(db, &iface->header_.uuid);
    if (!end || !end->is_there) {
        return false;
    }
    *vlanp = end->vlan;
    return true;
}

/* ---- The hops. ---- */

/* A hop that may be taken. */
struct candidate {
    struct xf_hop hop;
    bool present;               /* It was taken already. */
};

/* What is to be taken first: what is in use, then what is there. */
static int
compare_candidates(const void *a_, const void *b_)
{
    const struct candidate *a = a_;
    const struct candidate *b = b_;
    bool a_used = a->hop.generation == a->hop.use;
    bool b_used = b->hop.generation == b->hop.use;
    int d = b_used - a_used;

    d = d ? d : b->present - a->present;
    d = d ? d : memcmp(&a->hop.id, &b->hop.id, sizeof a->hop.id);
    d = d ? d : (a->hop.generation < b->hop.generation ? -1
                 : a->hop.generation > b->hop.generation);
    return d ? d : (int) a->hop.position - b->hop.position;
}

static int
compare_ids(const void *a_, const void *b_)
{
    const struct xf_hop *a = a_;
    const struct xf_hop *b = b_;

    return memcmp(&a->id, &b->id, sizeof a->id);
}

/* Leaves out, of the '*n' hops at 'hops', what is beyond the most that a
 * switch has. */
static void
leave_out(struct xf_db *db, struct xf_hop *hops, size_t *n)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    struct xf_links *links = &db->engine->links;
    size_t n_all = *n;

    if (n_all > XF_HOPS_MAX || db->n_left_out) {
        links->state_seq++;
    }
    free(db->left_out);
    db->left_out = NULL;
    db->n_left_out = 0;
    if (n_all <= XF_HOPS_MAX) {
        return;
    }

    struct candidate *all = xcalloc(n_all, sizeof *all);
    for (size_t i = 0; i < n_all; i++) {
        all[i].hop = hops[i];
        all[i].present = xf_links_have(links, &hops[i]);
    }
    qsort(all, n_all, sizeof *all, compare_candidates);
    for (size_t i = 0; i < n_all; i++) {
        hops[i] = all[i].hop;
    }
    free(all);
    *n = XF_HOPS_MAX;
    db->n_left_out = n_all - XF_HOPS_MAX;
    db->left_out = xmemdup(&hops[XF_HOPS_MAX],
                           db->n_left_out * sizeof *hops);
    qsort(db->left_out, db->n_left_out, sizeof *db->left_out, compare_ids);
    VLOG_ERR_RL(&rl, "database XenFlow: %"PRIuSIZE" hops of links for this "
                "host, of which %d are taken: have some links go by other "
                "hosts", n_all, XF_HOPS_MAX);
}

/* Takes the hops as they are, once all are known. */
void
xf_db_links_run(struct xf_db *db)
{
    const struct xfrec_hop *row;
    struct xf_hop *hops;
    size_t n = 0, allocated = 64;

    if (!db->links_changed || !db->in_step) {
        return;
    }
    db->links_changed = false;
    hops = xcalloc(allocated, sizeof *hops);
    XFREC_HOP_FOR_EACH (row, db->idl) {
        if (is_ours(db, row)) {
            if (n >= allocated) {
                hops = x2nrealloc(hops, &allocated, sizeof *hops);
            }
            hop_of_row(db, row, &hops[n++]);
        }
    }
    leave_out(db, hops, &n);
    xf_links_set(db->engine, hops, n);
    free(hops);
    look_at_interfaces(db);
}

void
xf_db_links_init(struct xf_db *db)
{
    hmap_init(&db->link_ends);
    db->link_ends_seqno = UINT_MAX;
    db->link_states_seq = UINT64_MAX;
}

void
xf_db_links_destroy(struct xf_db *db)
{
    struct link_end *end;

    HMAP_FOR_EACH_POP (end, node, &db->link_ends) {
        free(end);
    }
    hmap_destroy(&db->link_ends);
    free(db->left_out);
}

/* ---- Link_State. ---- */

static int
compare_summaries(const void *a_, const void *b_)
{
    const struct xf_link_summary *a = a_;
    const struct xf_link_summary *b = b_;

    return memcmp(&a->hop->id, &b->hop->id, sizeof a->hop->id);
}

/* Adds to the '*np' summaries at 'all', which are sorted, what is to be said of
 * hops that were left out. */
static void
add_left_out(const struct xf_db *db, struct xf_link_summary *all, size_t *np)
{
    size_t n = *np;

    for (size_t i = 0; i < db->n_left_out; i++) {
        const struct xf_hop *hop = &db->left_out[i];
        const struct xf_link_summary key = { .hop = hop };
        struct xf_link_summary *s = bsearch(&key, all, n, sizeof *all,
                                            compare_summaries);

        if (!s && (!i || compare_ids(hop, hop - 1))) {
            s = &all[(*np)++];
            s->hop = hop;
        } else if (!s) {
            continue;
        } else if (s->generation == hop->generation) {
            s->generation = 0;
            s->in_datapath = s->proven = false;
        }
        free(s->error);
        s->error = xasprintf("this host has more than %d hops of links: "
                             "have some links go by other hosts",
                             XF_HOPS_MAX);
    }
    qsort(all, *np, sizeof *all, compare_summaries);
}

/* What is true of all links, sorted by id; to be freed by free_summaries(). */
static struct xf_link_summary *
summarize(const struct xf_db *db, size_t *np)
{
    const struct xf_engine *engine = db->engine;
    const struct xf_links *links = &engine->links;
    struct xf_link_summary *all = xcalloc(MAX(links->n + db->n_left_out, 1),
                                          sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < links->n; ) {
        i = xf_link_summarize(engine, i, &all[n++]);
    }
    qsort(all, n, sizeof *all, compare_summaries);
    add_left_out(db, all, &n);
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
    all = summarize(db, &n);
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
