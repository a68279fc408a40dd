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

#include "engine/config.h"

#include "lib/vswitch-idl.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_config_db);

/* The connection to the switch's database: Interface rows of type "xenflow",
 * of these the columns name, type and external_ids. */

#define TRY_AGAIN_MS 100        /* After a transaction that was interrupted, */
#define ERROR_MS 5000           /* and after one that was refused. */

struct xf_config_db {
    char *remote;               /* To be connected to; NULL: it is. */
    struct ovsdb_idl *idl;
    struct ovsdb_idl_txn *txn;  /* Under way, or NULL. */
    long long int txn_start_us;
    long long int next_txn_ms;
};

/* Returns what will be a connection to the database at 'remote', which must be
 * a list of local sockets: what connects to others isn't safe in two
 * threads. */
struct xf_config_db *
xf_config_db_create(const char *remote)
{
    struct ovsdb_idl_condition condition;
    struct xf_config_db *db = xzalloc(sizeof *db);

    db->idl = ovsdb_idl_create_unconnected(&ovsrec_idl_class, false);
    ovsdb_idl_add_table(db->idl, &ovsrec_table_interface);
    ovsdb_idl_add_column(db->idl, &ovsrec_interface_col_name);
    ovsdb_idl_add_column(db->idl, &ovsrec_interface_col_type);
    ovsdb_idl_add_column(db->idl, &ovsrec_interface_col_external_ids);
    ovsdb_idl_track_add_all(db->idl);
    ovsdb_idl_condition_init(&condition);
    ovsrec_interface_add_clause_type(&condition, OVSDB_F_EQ, "xenflow");
    ovsrec_interface_set_condition(db->idl, &condition);
    ovsdb_idl_condition_destroy(&condition);
    db->remote = xstrdup(remote);
    return db;
}

/* Connects to the database, now and whenever the connection is lost. */
void
xf_config_db_connect(struct xf_config_db *db)
{
    if (db->remote) {
        ovsdb_idl_set_remote(db->idl, db->remote, true);
        free(db->remote);
        db->remote = NULL;
    }
}

void
xf_config_db_destroy(struct xf_config_db *db)
{
    if (db->txn) {
        ovsdb_idl_txn_destroy(db->txn);
    }
    ovsdb_idl_destroy(db->idl);
    free(db->remote);
    free(db);
}

bool
xf_config_db_is_connected(const struct xf_config_db *db)
{
    return ovsdb_idl_is_connected(db->idl);
}

/* Whether the rows have been read at least once. */
bool
xf_config_db_has_content(const struct xf_config_db *db)
{
    return ovsdb_idl_has_ever_connected(db->idl);
}

/* Whether a transaction is under way: what it changes may not be in the rows
 * yet. */
bool
xf_config_db_is_busy(const struct xf_config_db *db)
{
    return db->txn;
}

/* Tells of rows that have come, changed or gone. */
static void
rows_run(struct xf_config *config)
{
    const struct ovsrec_interface *row;
    struct xf_config_db *db = config->db;

    OVSREC_INTERFACE_FOR_EACH_TRACKED (row, db->idl) {
        if (ovsrec_interface_is_deleted(row)) {
            xf_config_row_remove(config, row->name, row);
        }
    }
    OVSREC_INTERFACE_FOR_EACH_TRACKED (row, db->idl) {
        if (ovsrec_interface_is_deleted(row)) {
            continue;
        }
        /* A server that knows no conditions sends all. */
        if (!strcmp(row->type, "xenflow")) {
            xf_config_row_add(config, row->name, row, &row->header_.uuid,
                              &row->external_ids);
        } else {
            xf_config_row_remove(config, row->name, row);
        }
    }
    ovsdb_idl_track_clear(db->idl);
}

/* Carries the transaction under way on. */
static void
txn_run(struct xf_config *config, long long int now_ms)
{
    struct xf_config_db *db = config->db;
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(db->txn);
    bool success = status == TXN_SUCCESS || status == TXN_UNCHANGED;

    if (status == TXN_INCOMPLETE) {
        return;
    }
    if (success) {
        /* A pause as long as it took: however large the row is, others get
         * half of the time. */
        db->next_txn_ms = now_ms + (time_usec() - db->txn_start_us) / 1000;
    } else if (status == TXN_TRY_AGAIN) {
        db->next_txn_ms = now_ms + TRY_AGAIN_MS;
    } else {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        VLOG_ERR_RL(&rl, "the database refuses the configuration of routers "
                    "(%s): it will be lost when the switch restarts; "
                    "see the log of ovsdb-server",
                    ovsdb_idl_txn_get_error(db->txn));
        db->next_txn_ms = now_ms + ERROR_MS;
    }
    ovsdb_idl_txn_destroy(db->txn);
    db->txn = NULL;
    xf_config_sent_done(config, success);
}

/* Sends what is to be written. */
static void
txn_begin(struct xf_config *config)
{
    struct xf_config_db *db = config->db;
    struct xf_config_owner *owner;

    db->txn = ovsdb_idl_txn_create(db->idl);
    db->txn_start_us = time_usec();
    LIST_FOR_EACH_SAFE (owner, dirty_node, &config->dirty) {
        struct xf_config_entry *entry;

        LIST_FOR_EACH (entry, list_node, &owner->dirty) {
            const char *kept = xf_config_entry_kept(entry);

            if (kept) {
                ovsrec_interface_update_external_ids_setkey(
                    owner->row, entry->key, kept);
            } else if (smap_get(owner->ids, entry->key)) {
                ovsrec_interface_update_external_ids_delkey(owner->row,
                                                            entry->key);
            }
        }
        xf_config_sent(config, owner);
    }
}

void
xf_config_db_run(struct xf_config *config, long long int now_ms)
{
    struct xf_config_db *db = config->db;

    ovsdb_idl_run(db->idl);
    rows_run(config);
    if (!db->txn && !ovs_list_is_empty(&config->dirty)
        && now_ms >= db->next_txn_ms && ovsdb_idl_is_connected(db->idl)) {
        txn_begin(config);
    }
    if (db->txn) {
        txn_run(config, now_ms);
    }
}

void
xf_config_db_wait(struct xf_config *config)
{
    struct xf_config_db *db = config->db;

    ovsdb_idl_wait(db->idl);
    if (db->txn) {
        ovsdb_idl_txn_wait(db->txn);
    } else if (!ovs_list_is_empty(&config->dirty)
               && ovsdb_idl_is_connected(db->idl)) {
        poll_timer_wait_until(db->next_txn_ms);
    }
}
