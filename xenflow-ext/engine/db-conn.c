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

#include <string.h>

#include "engine/engine-private.h"
#include "engine/speaker-tls.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xf_db);

/* The connection: what is monitored, and which rows are new. */

/* ---- What is monitored. ---- */

/* Monitors column NAME of table TYPE and follows its changes. */
#define FOLLOW(TYPE, NAME) \
    ovsdb_idl_track_add_column(idl, &xfrec_##TYPE##_col_##NAME)
/* Monitors it only. */
#define MONITOR(TYPE, NAME) \
    ovsdb_idl_add_column(idl, &xfrec_##TYPE##_col_##NAME)

static void
follow_columns(struct ovsdb_idl *idl)
{
    MONITOR(xf_global, cfg);
    MONITOR(host, name);
    MONITOR(host, addresses);
    FOLLOW(segment, vlan);

    FOLLOW(router, name);
    FOLLOW(router, role);
    FOLLOW(router, host);
    FOLLOW(router, state);
    FOLLOW(router, backend);
    FOLLOW(router, separated);
    FOLLOW(router, translation);
    FOLLOW(router, settings);
    MONITOR(router, host);
    MONITOR(router, destination);

    FOLLOW(interface, router);
    FOLLOW(interface, name);
    FOLLOW(interface, segment);
    FOLLOW(interface, mac);
    FOLLOW(interface, addresses);
    FOLLOW(interface, mtu);
    FOLLOW(interface, up);
    FOLLOW(interface, vif);
    FOLLOW(interface, ifindex);

    FOLLOW(neighbor, router);
    FOLLOW(neighbor, interface);
    FOLLOW(neighbor, address);
    FOLLOW(neighbor, mac);

    FOLLOW(static_route, router);
    FOLLOW(static_route, prefix);
    FOLLOW(static_route, metric);
    FOLLOW(static_route, protocol);
    FOLLOW(static_route, action);
    FOLLOW(static_route, nexthops);
}

static void
follow_rules(struct ovsdb_idl *idl)
{
    FOLLOW(filter, router);
    FOLLOW(filter, match);
    FOLLOW(filter, priority);
    FOLLOW(filter, action);

    FOLLOW(flow, router);
    FOLLOW(flow, match);
    FOLLOW(flow, priority);
    FOLLOW(flow, actions);

    FOLLOW(selection, router);
    FOLLOW(selection, match);
    FOLLOW(selection, priority);
    FOLLOW(selection, direction);
    FOLLOW(selection, via);
}

/* What we write. */
static void
monitor_states(struct ovsdb_idl *idl)
{
    MONITOR(switch_state, host);
    MONITOR(switch_state, cfg);
    MONITOR(switch_state, version);
    MONITOR(switch_state, started_ms);
    MONITOR(switch_state, routers);
    MONITOR(switch_state, errors);

    MONITOR(table_state, host);
    MONITOR(table_state, router);
    MONITOR(table_state, state);
    MONITOR(table_state, routes);
    MONITOR(table_state, neighbors);
    MONITOR(table_state, error);

    FOLLOW(row_error, host);
    FOLLOW(row_error, daemon);
    FOLLOW(row_error, table);
    FOLLOW(row_error, object);
    FOLLOW(row_error, error);
}

/* Asks for rows of 'class' that 'condition' says, and forgets that. */
static void
set_condition(struct xf_db *db, const struct ovsdb_idl_table_class *class,
              struct ovsdb_idl_condition *condition)
{
    unsigned int seqno = ovsdb_idl_set_condition(db->idl, class, condition);

    db->cond_seqno = MAX(db->cond_seqno, seqno);
    ovsdb_idl_condition_destroy(condition);
}

/* Asks for what we wrote.  (Of hosts there are few, and all are asked for:
 * tables are copied from others.) */
static void
ask_for_states(struct xf_db *db)
{
    struct ovsdb_idl_condition condition;

    ovsdb_idl_condition_init(&condition);
    xfrec_table_state_add_clause_host(&condition, OVSDB_F_EQ, db->host);
    set_condition(db, &xfrec_table_table_state, &condition);

    ovsdb_idl_condition_init(&condition);
    xfrec_switch_state_add_clause_host(&condition, OVSDB_F_EQ, db->host);
    set_condition(db, &xfrec_table_switch_state, &condition);

    ovsdb_idl_condition_init(&condition);
    xfrec_row_error_add_clause_host(&condition, OVSDB_F_EQ, db->host);
    set_condition(db, &xfrec_table_row_error, &condition);

    ovsdb_idl_condition_init(&condition);
    xfrec_link_state_add_clause_host(&condition, OVSDB_F_EQ, db->host);
    set_condition(db, &xfrec_table_link_state, &condition);
}

/* Asks for the routers and hops of our Host row. */
static void
ask_for_routers(struct xf_db *db)
{
    struct ovsdb_idl_condition condition;

    ovsdb_idl_condition_init(&condition);
    if (db->has_host) {
        xfrec_router_add_clause_host(&condition, OVSDB_F_INCLUDES,
                                     &db->host_uuid);
        xfrec_router_add_clause_destination(&condition, OVSDB_F_INCLUDES,
                                            &db->host_uuid);
    }
    set_condition(db, &xfrec_table_router, &condition);

    ovsdb_idl_condition_init(&condition);
    if (db->has_host) {
        xfrec_hop_add_clause_host(&condition, OVSDB_F_EQ, &db->host_uuid);
    }
    set_condition(db, &xfrec_table_hop, &condition);
}

/* Asks for what the routers that we see have. */
static void
ask_for_children(struct xf_db *db)
{
    for (size_t i = 1; i < XF_N_DB_TABLES; i++) {
        const struct xf_db_table *table = &xf_db_tables[i];
        const struct xfrec_router *router;
        struct ovsdb_idl_condition condition;

        ovsdb_idl_condition_init(&condition);
        XFREC_ROUTER_FOR_EACH (router, db->idl) {
            table->clause(&condition, OVSDB_F_EQ, &router->header_.uuid);
        }
        set_condition(db, table->class, &condition);
    }
}

/* Asks for all that we are to have, and finds out what to wait for. */
static void
ask_for_all(struct xf_db *db)
{
    db->cond_seqno = ovsdb_idl_get_condition_seqno(db->idl);
    ask_for_states(db);
    ask_for_routers(db);
    ask_for_children(db);
}

static bool
has_rows(const struct xf_db *db)
{
    return ovsdb_idl_get_condition_seqno(db->idl) >= db->cond_seqno;
}

/* What has no answer when the connection ends is asked for again as the next
 * one begins, and that answer isn't counted (lib/ovsdb-cs.c): so what to wait
 * for is found anew as long as it is waited for. */
static void
find_what_to_wait_for(struct xf_db *db)
{
    unsigned int seqno = ovsdb_idl_get_seqno(db->idl);

    if (db->idl_seqno != seqno && !has_rows(db)) {
        ask_for_all(db);
    }
    db->idl_seqno = seqno;
}

/* ---- The connection. ---- */

/* Connects 'db', now and whenever the connection is lost. */
void
xf_db_conn_create(struct xf_db *db)
{
    struct ovsdb_idl *idl
        = ovsdb_idl_create_unconnected(&xfrec_idl_class, false);

    db->idl = idl;
    follow_columns(idl);
    follow_rules(idl);
    xf_db_links_monitor(idl);
    monitor_states(idl);
    db->errors_by_object = ovsdb_idl_index_create1(
        idl, &xfrec_row_error_col_object);
    ask_for_all(db);
    /* Any server of a cluster will do. */
    ovsdb_idl_set_leader_only(idl, false);
    ovsdb_idl_set_probe_interval(idl, XF_DB_PROBE_MS);
    ovsdb_idl_set_remote(idl, db->remote, true);
    VLOG_INFO("database XenFlow: %s, as host %s", db->remote, db->host);
}

/* Looks whether our Host row has come, gone or been replaced.  A database
 * without it, or without XF_Global, is none of ours (yet, or by mistake). */
static void
find_host(struct xf_db *db)
{
    const struct xfrec_host *row, *host = NULL;

    if (xfrec_xf_global_first(db->idl)) {
        XFREC_HOST_FOR_EACH (row, db->idl) {
            host = !strcmp(row->name, db->host) ? row : host;
        }
    }
    if (db->has_host && !host) {
        VLOG_WARN("database XenFlow at %s has no host %s: routers stay as "
                  "they are; add it with xfctl host-add, or set "
                  "external_ids:xenflow-host of Open_vSwitch", db->remote,
                  db->host);
        xf_db_forget(db);
    }
    if (host ? !db->has_host
               || !uuid_equals(&db->host_uuid, &host->header_.uuid)
             : db->has_host) {
        db->has_host = host;
        if (host) {
            db->host_uuid = host->header_.uuid;
            db->links_changed = true;
        }
        ask_for_routers(db);
    }
}

static bool
is_new(const struct ovsdb_idl_row *row)
{
    return ovsdb_idl_row_get_seqno(row, OVSDB_IDL_CHANGE_INSERT) > 0;
}

static bool
is_deleted(const struct ovsdb_idl_row *row)
{
    return ovsdb_idl_row_get_seqno(row, OVSDB_IDL_CHANGE_DELETE) > 0;
}

/* Tells of rows that have gone ('deleted'), or else of those that have come or
 * changed. */
static void
tell_rows(struct xf_db *db, bool deleted)
{
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        const struct xf_db_table *table = &xf_db_tables[i];
        const struct ovsdb_idl_row *row;

        for (row = ovsdb_idl_track_get_first(db->idl, table->class); row;
             row = ovsdb_idl_track_get_next(row)) {
            if (is_deleted(row) == deleted) {
                xf_db_row(db, table, row, deleted);
            }
            if (!i && (deleted || is_new(row))) {
                db->routers_changed = true;
            }
        }
    }
}

/* Rows of Row_Error may not be what we made them. */
static void
recheck_errors(struct xf_db *db)
{
    const struct xfrec_row_error *row;

    XFREC_ROW_ERROR_FOR_EACH_TRACKED (row, db->idl) {
        if (!strcmp(row->daemon, XF_DB_DAEMON)) {
            xf_db_recheck(db, &row->object);
        }
    }
}

static void
idl_run(struct xf_db *db)
{
    if (db->tls) {
        xf_tls_lock();
    }
    ovsdb_idl_run(db->idl);
    if (db->tls) {
        xf_tls_unlock();
    }
}

/* Takes what is new. */
void
xf_db_conn_run(struct xf_db *db)
{
    idl_run(db);
    find_host(db);
    if (db->has_host) {
        tell_rows(db, true);
        tell_rows(db, false);
        recheck_errors(db);
    }
    xf_db_links_look(db);
    ovsdb_idl_track_clear(db->idl);
    if (db->routers_changed) {
        db->routers_changed = false;
        ask_for_children(db);
    }
    find_what_to_wait_for(db);

    const struct xfrec_xf_global *global = xfrec_xf_global_first(db->idl);
    db->cfg = global ? global->cfg : -1;
    db->in_step = db->has_host && has_rows(db);
    xf_db_links_run(db);
}

void
xf_db_conn_wait(struct xf_db *db)
{
    ovsdb_idl_wait(db->idl);
}
