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

#include "xenflow-manager.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-openflow.h"

/* The connection, the lock, and one transaction at a time. */

VLOG_DEFINE_THIS_MODULE(xenflow_manager_run);

#define LOCK "xenflow_manager"
#define TRY_AGAIN_MS 20         /* After a transaction that others disturbed. */
#define ERROR_MS 5000           /* After one that the server refused. */
#define LOOK_MS 1000            /* Hosts go down without a change of rows. */

static void
monitor(struct ovsdb_idl *idl)
{
    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        ovsdb_idl_add_table(idl, &xfrec_table_classes[i]);
        for (size_t j = 0; j < xfrec_table_classes[i].n_columns; j++) {
            ovsdb_idl_add_column(idl, &xfrec_table_classes[i].columns[j]);
        }
    }
}

struct manager *
manager_create(const char *remote, const char *name)
{
    struct manager *mgr = xzalloc(sizeof *mgr);

    mgr->idl = ovsdb_idl_create(remote, &xfrec_idl_class, false, true);
    monitor(mgr->idl);
    ovsdb_idl_set_lock(mgr->idl, LOCK);
    mgr->name = xstrdup(name);
    hmap_init(&mgr->moves);
    mgr->openflow = xf_openflow_create();
    return mgr;
}

/* ---- Migrations under way. ---- */

static void
remove_move(struct manager *mgr, struct manager_move *move)
{
    hmap_remove(&mgr->moves, &move->node);
    free(move->waits);
    free(move);
}

static void
forget_all(struct manager *mgr)
{
    struct manager_move *move;

    HMAP_FOR_EACH_SAFE (move, node, &mgr->moves) {
        remove_move(mgr, move);
    }
}

void
manager_destroy(struct manager *mgr)
{
    if (mgr) {
        if (mgr->txn) {
            ovsdb_idl_txn_destroy(mgr->txn);
        }
        ovsdb_idl_destroy(mgr->idl);
        xf_openflow_destroy(mgr->openflow);
        forget_all(mgr);
        hmap_destroy(&mgr->moves);
        free(mgr->name);
        free(mgr);
    }
}

static struct manager_move *
find_move(const struct manager *mgr, const struct uuid *uuid)
{
    struct manager_move *move;

    HMAP_FOR_EACH_WITH_HASH (move, node, uuid_hash(uuid), &mgr->moves) {
        if (uuid_equals(&move->uuid, uuid)) {
            return move;
        }
    }
    return NULL;
}

/* Takes the rows' stages over. */
static void
sync_moves(struct manager *mgr)
{
    const struct xfrec_migration *row;
    struct manager_move *move;

    HMAP_FOR_EACH (move, node, &mgr->moves) {
        move->present = false;
    }
    XFREC_MIGRATION_FOR_EACH (row, mgr->idl) {
        enum xf_migration_stage stage
            = xf_migration_stage_from_string(row->stage);

        if (xf_migration_is_ended(stage)) {
            continue;
        }
        move = find_move(mgr, &row->header_.uuid);
        if (!move) {
            move = xzalloc(sizeof *move);
            move->uuid = row->header_.uuid;
            hmap_insert(&mgr->moves, &move->node, uuid_hash(&move->uuid));
        }
        if (move->m.stage != stage) {
            xf_migration_enter(&move->m, stage, time_msec());
            move->awaited = 0;
        }
        move->present = true;
    }
    HMAP_FOR_EACH_SAFE (move, node, &mgr->moves) {
        if (!move->present) {
            remove_move(mgr, move);
        }
    }
}

/* ---- Transactions. ---- */

/* Begins a transaction for a step of 'move' (NULL: a repair) to 'stage'.  If
 * 'raises', hosts are to acknowledge it. */
static void
begin(struct manager *mgr, const struct manager_move *move,
      enum xf_migration_stage stage, bool raises)
{
    const struct xfrec_xf_global *global = xfrec_xf_global_first(mgr->idl);

    mgr->txn = ovsdb_idl_txn_create(mgr->idl);
    mgr->txn_move = move ? move->uuid : UUID_ZERO;
    mgr->txn_stage = stage;
    mgr->txn_raises = raises && global;
    ovsdb_idl_txn_add_comment(mgr->txn, "xenflow-manager: %s",
                              move ? xf_migration_stage_to_string(stage)
                              : "repair");
    if (mgr->txn_raises) {
        ovsdb_idl_txn_increment(mgr->txn, &global->header_,
                                &xfrec_xf_global_col_cfg, true);
    }
}

static void
commit_succeeded(struct manager *mgr)
{
    struct manager_move *move = find_move(mgr, &mgr->txn_move);

    if (!move) {
        return;
    }
    if (mgr->txn_raises) {
        move->awaited = ovsdb_idl_txn_get_increment_new_value(mgr->txn);
    }
    if (mgr->txn_stage != move->m.stage) {
        xf_migration_enter(&move->m, mgr->txn_stage, time_msec());
        free(move->waits);
        move->waits = NULL;
    }
}

static void
commit_failed(struct manager *mgr, enum ovsdb_idl_txn_status status)
{
    struct manager_move *move = find_move(mgr, &mgr->txn_move);

    if (move) {
        move->awaited = 0;      /* It may have been carried out or not. */
    }
    if (status == TXN_TRY_AGAIN || status == TXN_NOT_LOCKED) {
        mgr->again_ms = time_msec() + TRY_AGAIN_MS;
    } else {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        VLOG_ERR_RL(&rl, "the database refuses a step (%s): see the log of "
                    "its ovsdb-server", ovsdb_idl_txn_get_error(mgr->txn));
        mgr->again_ms = time_msec() + ERROR_MS;
    }
}

/* Carries the transaction on; true when there is none any more. */
static bool
commit(struct manager *mgr)
{
    enum ovsdb_idl_txn_status status;

    if (!mgr->txn) {
        return true;
    }
    status = ovsdb_idl_txn_commit(mgr->txn);
    if (status == TXN_INCOMPLETE) {
        return false;
    } else if (status == TXN_SUCCESS || status == TXN_UNCHANGED) {
        commit_succeeded(mgr);
    } else {
        commit_failed(mgr, status);
    }
    ovsdb_idl_txn_destroy(mgr->txn);
    mgr->txn = NULL;
    mgr->seqno = 0;             /* Look at everything again. */
    return true;
}

static void
log_step(const struct xfrec_migration *row, enum xf_migration_action action,
         const char *why)
{
    VLOG_INFO("%s %s: %s%s%s", row->router ? "router" : "link", row->name,
              xf_migration_action_to_string(action), why ? ": " : "",
              why ? why : "");
}

static void
step(struct manager *mgr, struct manager_move *move,
     const struct xfrec_migration *row, enum xf_migration_action action,
     const char *why)
{
    enum xf_migration_stage stage = xf_migration_next(move->m.stage, action);
    bool raises = !xf_migration_is_ended(stage);
    char *error;

    begin(mgr, move, stage, raises);
    error = manager_write(mgr, row, action, why);
    if (error) {
        /* The topology has changed since it was checked, or a transfer way is
         * missing. */
        ovsdb_idl_txn_abort(mgr->txn);
        ovsdb_idl_txn_destroy(mgr->txn);
        mgr->txn = NULL;
        action = XF_MIGRATION_REFUSE;
        begin(mgr, move, XF_MIGRATION_FAILED, false);
        free(manager_write(mgr, row, action, error));
        log_step(row, action, error);
        free(error);
    } else {
        log_step(row, action, why);
    }
}

/* Looks what 'move' needs.  True if a transaction was begun. */
static bool
run_move(struct manager *mgr, struct manager_move *move)
{
    const struct xfrec_migration *row
        = xfrec_migration_get_for_uuid(mgr->idl, &move->uuid);
    enum xf_migration_action action;
    struct manager_view view;
    char *why;

    if (!row) {
        return false;
    } else if (!move->awaited || strcmp(row->coordinator, mgr->name)) {
        begin(mgr, move, move->m.stage, true);
        manager_adopt(mgr, row);
        return true;
    }
    manager_see(mgr, row, move, &view);
    action = xf_migration_run(&move->m, &view.seen, time_msec(), &why);
    move->percent = xf_migration_percent(&move->m, &view.seen);
    if (action != XF_MIGRATION_WAIT) {
        step(mgr, move, row, action, why);
    } else {
        free(move->waits);
        move->waits = why;
        why = NULL;
        if (manager_report(mgr, row, move)) {
            begin(mgr, move, move->m.stage, false);
            manager_report(mgr, row, move);
            move->reported_ms = time_msec();
        }
    }
    free(why);
    manager_view_uninit(&view);
    return mgr->txn != NULL;
}

/* When something may be due though nothing changes. */
static long long int
find_next(const struct manager *mgr)
{
    const struct manager_move *move;
    long long int now_ms = time_msec(), next_ms = now_ms + LOOK_MS;

    HMAP_FOR_EACH (move, node, &mgr->moves) {
        long long int due_ms = xf_migration_timeout(&move->m);

        if (due_ms > now_ms) {
            next_ms = MIN(next_ms, due_ms);
        }
    }
    return next_ms;
}

/* Takes the next step of whatever migration; else repairs. */
static void
take_step(struct manager *mgr)
{
    struct manager_repair repair;
    struct manager_move *move;

    sync_moves(mgr);
    HMAP_FOR_EACH (move, node, &mgr->moves) {
        if (run_move(mgr, move)) {
            return;
        }
    }
    if (manager_find_repair(mgr, &repair)) {
        begin(mgr, NULL, XF_MIGRATION_NONE, true);
        manager_repair(mgr, &repair);
        return;
    }
    mgr->seqno = ovsdb_idl_get_seqno(mgr->idl);
    mgr->next_ms = find_next(mgr);
}

/* Whether it may act at all. */
static bool
is_active(const struct manager *mgr)
{
    return (ovsdb_idl_has_ever_connected(mgr->idl)
            && ovsdb_idl_is_connected(mgr->idl)
            && ovsdb_idl_has_lock(mgr->idl)
            && xfrec_xf_global_first(mgr->idl));
}

void
manager_run(struct manager *mgr)
{
    ovsdb_idl_run(mgr->idl);
    xf_openflow_run(mgr->openflow, is_active(mgr) ? mgr->idl : NULL);
    if (mgr->openflow_seqno != xf_openflow_seqno(mgr->openflow)) {
        mgr->openflow_seqno = xf_openflow_seqno(mgr->openflow);
        mgr->seqno = 0;
    }
    if (!commit(mgr)) {
        return;
    }
    if (!is_active(mgr)) {
        forget_all(mgr);
        mgr->seqno = 0;
        return;
    }
    /* A step ends in the same call if the server answers at once. */
    if (time_msec() >= mgr->again_ms
        && (mgr->seqno != ovsdb_idl_get_seqno(mgr->idl)
            || time_msec() >= mgr->next_ms)) {
        take_step(mgr);
        commit(mgr);
    }
}

void
manager_wait(struct manager *mgr)
{
    ovsdb_idl_wait(mgr->idl);
    xf_openflow_wait(mgr->openflow);
    if (mgr->txn) {
        ovsdb_idl_txn_wait(mgr->txn);
    } else if (is_active(mgr)) {
        long long int due_ms
            = (mgr->seqno != ovsdb_idl_get_seqno(mgr->idl) ? 0
               : mgr->next_ms);

        poll_timer_wait_until(MAX(due_ms, mgr->again_ms));
    }
}

/* ---- What it does, for people and programs. ---- */

static struct json *
move_to_json(const struct manager *mgr, const struct manager_move *move,
             const struct xfrec_migration *row)
{
    struct json *json = json_object_create();

    json_object_put_string(json, row->router || row->source ? "router"
                           : "link", row->name);
    if (row->source) {
        json_object_put_string(json, "source", row->source->name);
    }
    if (row->destination) {
        json_object_put_string(json, "destination", row->destination->name);
    }
    json_object_put_string(json, "stage", row->stage);
    json_object_put(json, "progress", json_integer_create(move->percent));
    if (move->waits && !mgr->txn) {
        json_object_put_string(json, "waits", move->waits);
    }
    return json;
}

struct json *
manager_to_json(const struct manager *mgr)
{
    struct json *json = json_object_create();
    struct json *moves = json_array_create_empty();
    const struct xfrec_migration *row;

    json_object_put_string(json, "name", mgr->name);
    json_object_put_string(json, "state",
                           !ovsdb_idl_is_connected(mgr->idl) ? "unconnected"
                           : is_active(mgr) ? "active" : "standby");
    XFREC_MIGRATION_FOR_EACH (row, mgr->idl) {
        const struct manager_move *move = find_move(mgr, &row->header_.uuid);

        if (move) {
            json_array_add(moves, move_to_json(mgr, move, row));
        }
    }
    json_object_put(json, "migrations", moves);
    return json;
}

static const char *
member(const struct json *object, const char *name)
{
    const struct json *value = shash_find_data(json_object(object), name);

    return value ? json_string(value) : "";
}

void
manager_format(const struct manager *mgr, struct ds *ds)
{
    struct json *json = manager_to_json(mgr);
    const struct json_array *moves = json_array(
        shash_find_data(json_object(json), "migrations"));

    ds_put_format(ds, "%s: %s\n", member(json, "name"),
                  member(json, "state"));
    for (size_t i = 0; i < moves->n; i++) {
        const struct json *move = moves->elems[i];
        const char *router = member(move, "router");

        ds_put_format(ds, "%s %s: %s, %"PRIuMAX" %%%s%s\n",
                      router[0] ? "router" : "link",
                      router[0] ? router : member(move, "link"),
                      member(move, "stage"),
                      (uintmax_t) json_integer(shash_find_data(
                          json_object(move), "progress")),
                      member(move, "waits")[0] ? ": " : "",
                      member(move, "waits"));
    }
    json_destroy(json);
}
