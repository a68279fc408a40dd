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
#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xf_db_write);

/* What we answer: Switch_State, Row_Error, and Link_State (db-link.c). */

/* ---- Reports: rows of Row_Error. ---- */

static struct xf_db_report *
report_find(const struct xf_db *db, const struct uuid *uuid)
{
    struct xf_db_report *report;

    HMAP_FOR_EACH_WITH_HASH (report, node, uuid_hash(uuid), &db->reports) {
        if (uuid_equals(&report->uuid, uuid)) {
            return report;
        }
    }
    return NULL;
}

static struct xf_db_report *
report_get(struct xf_db *db, const struct uuid *uuid)
{
    struct xf_db_report *report = report_find(db, uuid);

    if (!report) {
        report = xzalloc(sizeof *report);
        report->uuid = *uuid;
        report->table = "";
        ovs_list_init(&report->list_node);
        hmap_insert(&db->reports, &report->node, uuid_hash(uuid));
    }
    return report;
}

static void
report_move(struct xf_db_report *report, struct ovs_list *list)
{
    ovs_list_remove(&report->list_node);
    ovs_list_push_back(list, &report->list_node);
}

static void
report_destroy(struct xf_db *db, struct xf_db_report *report)
{
    ovs_list_remove(&report->list_node);
    hmap_remove(&db->reports, &report->node);
    free(report->error);
    free(report);
}

/* 'object' isn't in effect because of 'error', or, if that is NULL, it is. */
void
xf_db_report(struct xf_db *db, const struct xf_db_object *object,
             const char *error)
{
    struct xf_db_report *report = (error ? report_get(db, &object->uuid)
                                   : report_find(db, &object->uuid));

    if (!report || (error ? report->error && !strcmp(report->error, error)
                    : !report->error)) {
        return;
    }
    db->n_errors += !!error - !!report->error;
    free(report->error);
    report->error = nullable_xstrdup(error);
    report->table = object->table->name;
    report_move(report, &db->dirty);
}

/* The row of Row_Error about 'uuid' may not be what it is to be. */
void
xf_db_recheck(struct xf_db *db, const struct uuid *uuid)
{
    report_move(report_get(db, uuid), &db->dirty);
}

/* The same for all rows of Row_Error that we once wrote. */
void
xf_db_recheck_all(struct xf_db *db)
{
    const struct xfrec_row_error *row;

    XFREC_ROW_ERROR_FOR_EACH (row, db->idl) {
        if (!strcmp(row->daemon, XF_DB_DAEMON)) {
            xf_db_recheck(db, &row->object);
        }
    }
}

/* Forgets what is to be reported, not what is written. */
void
xf_db_reports_forget(struct xf_db *db)
{
    struct xf_db_report *report;

    HMAP_FOR_EACH_SAFE (report, node, &db->reports) {
        report_destroy(db, report);
    }
    db->n_errors = db->n_written = 0;
}

/* ---- Transactions. ---- */

/* Our row of Row_Error about 'uuid', or NULL. */
static const struct xfrec_row_error *
find_error(const struct xf_db *db, const struct uuid *uuid)
{
    struct xfrec_row_error *target
        = xfrec_row_error_index_init_row(db->errors_by_object);
    const struct xfrec_row_error *row, *found = NULL;

    xfrec_row_error_index_set_object(target, *uuid);
    XFREC_ROW_ERROR_FOR_EACH_EQUAL (row, target, db->errors_by_object) {
        if (!strcmp(row->daemon, XF_DB_DAEMON)
            && !strcmp(row->host, db->host)) {
            found = row;
        }
    }
    xfrec_row_error_index_destroy_row(target);
    return found;
}

/* Brings the row of 'report' in line with it.  Returns false if there are too
 * many. */
static bool
put_report(struct xf_db *db, struct xf_db_report *report)
{
    const struct xfrec_row_error *row = find_error(db, &report->uuid);
    bool wanted = report->error;

    if (wanted && !row
        && db->n_written - report->written >= XF_DB_ERRORS_MAX) {
        db->n_written -= report->written;
        report->written = false;
        return false;
    }
    if (!wanted && row) {
        xfrec_row_error_delete(row);
    } else if (wanted && !row) {
        row = xfrec_row_error_insert(db->txn);
        xfrec_row_error_set_host(row, db->host);
        xfrec_row_error_set_daemon(row, XF_DB_DAEMON);
        xfrec_row_error_set_table(row, report->table);
        xfrec_row_error_set_object(row, report->uuid);
        xfrec_row_error_set_error(row, report->error);
    } else if (wanted && strcmp(row->error, report->error)) {
        xfrec_row_error_set_error(row, report->error);
    }
    db->n_written += wanted - report->written;
    report->written = wanted;
    return true;
}

static void
put_reports(struct xf_db *db)
{
    for (int n = 0; n < XF_DB_WRITE_ROWS && !ovs_list_is_empty(&db->dirty);
         n++) {
        struct xf_db_report *report = CONTAINER_OF(
            ovs_list_front(&db->dirty), struct xf_db_report, list_node);

        report_move(report, (put_report(db, report)
                             ? &db->sent : &db->withheld));
    }
}

/* Whether 'row' doesn't say what is true. */
static bool
is_old(const struct xf_db *db, const struct xfrec_switch_state *row)
{
    return (!row || row->cfg != db->acked_cfg
            || row->started_ms != db->engine->started_ms
            || row->routers != (int64_t) db->n_objects[0]
            || row->errors != (int64_t) db->n_errors
            || strcmp(row->version, VERSION));
}

static void
put_state(struct xf_db *db)
{
    const struct xfrec_switch_state *row
        = xfrec_switch_state_first(db->idl);

    if (!row) {
        row = xfrec_switch_state_insert(db->txn);
        xfrec_switch_state_set_host(row, db->host);
    }
    xfrec_switch_state_set_cfg(row, db->acked_cfg);
    xfrec_switch_state_set_started_ms(row, db->engine->started_ms);
    xfrec_switch_state_set_routers(row, db->n_objects[0]);
    xfrec_switch_state_set_errors(row, db->n_errors);
    xfrec_switch_state_set_version(row, VERSION);
}

/* Whether there is something to write.  Only once all is known and carried
 * out: what is on its way isn't worth a word. */
static bool
has_news(const struct xf_db *db)
{
    return (db->in_step && db->swept && db->acked_cfg >= 0
            && !xf_db_is_busy(db) && ovsdb_idl_is_connected(db->idl)
            && (!ovs_list_is_empty(&db->dirty)
                || xf_db_links_have_news(db)
                || xf_copies_have_news(db->engine->copies)
                || is_old(db, xfrec_switch_state_first(db->idl))));
}

/* Errors first: who sees the new "cfg" looks for them. */
static void
txn_begin(struct xf_db *db)
{
    db->n_written_txns++;
    db->txn = ovsdb_idl_txn_create(db->idl);
    put_reports(db);
    xf_db_links_put(db);
    if (ovs_list_is_empty(&db->dirty)) {
        put_state(db);
    }
    xf_copies_write(db->engine->copies, db->txn);
}

/* What was sent is written, or ('success' false) is to be sent again. */
static void
sent_done(struct xf_db *db, bool success)
{
    struct xf_db_report *report;

    if (!success) {
        db->link_states_seq = UINT64_MAX;
        ovs_list_push_back_all(&db->dirty, &db->sent);
        return;
    }
    LIST_FOR_EACH_SAFE (report, list_node, &db->sent) {
        if (!report->error) {
            report_destroy(db, report);
        } else {
            ovs_list_remove(&report->list_node);
            ovs_list_init(&report->list_node);
        }
    }
    for (size_t n = db->n_written; n < XF_DB_ERRORS_MAX
         && !ovs_list_is_empty(&db->withheld); n++) {
        report_move(CONTAINER_OF(ovs_list_front(&db->withheld),
                                 struct xf_db_report, list_node),
                    &db->dirty);
    }
}

static void
txn_run(struct xf_db *db, long long int now_ms)
{
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(db->txn);
    bool success = status == TXN_SUCCESS || status == TXN_UNCHANGED;

    if (status == TXN_INCOMPLETE) {
        return;
    }
    db->next_txn_ms = now_ms + XF_DB_WRITE_MS;
    free(db->write_error);
    db->write_error = NULL;
    if (!success && status != TXN_TRY_AGAIN) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        db->write_error = xstrdup(ovsdb_idl_txn_get_error(db->txn));
        db->next_txn_ms = now_ms + XF_DB_ERROR_MS;
        VLOG_ERR_RL(&rl, "database XenFlow refuses what host %s says of "
                    "itself (%s): see whether its certificate has that name",
                    db->host, db->write_error);
    }
    ovsdb_idl_txn_destroy(db->txn);
    db->txn = NULL;
    sent_done(db, success);
    xf_copies_written(db->engine->copies, success);
}

void
xf_db_write_run(struct xf_db *db, long long int now_ms)
{
    if (!db->txn && now_ms >= db->next_txn_ms && has_news(db)) {
        txn_begin(db);
    }
    if (db->txn) {
        txn_run(db, now_ms);
    }
}

void
xf_db_write_wait(struct xf_db *db)
{
    if (db->txn) {
        ovsdb_idl_txn_wait(db->txn);
    } else if (has_news(db)) {
        poll_timer_wait_until(db->next_txn_ms);
    }
}

void
xf_db_write_destroy(struct xf_db *db)
{
    if (db->txn) {
        ovsdb_idl_txn_destroy(db->txn);
    }
    hmap_destroy(&db->reports);
    free(db->write_error);
}
