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
#include "openvswitch/json.h"
#include "svec.h"
#include "util.h"

/* xenflow/db-show. */

static const char *
state_name(const struct xf_db *db)
{
    return (!db ? "not configured"
            : !ovsdb_idl_is_connected(db->idl) ? "not connected"
            : !db->has_host ? "no such host"
            : !db->in_step ? "reading"
            : xf_db_is_busy(db) || !db->swept ? "carrying out"
            : db->acked_cfg < 0 || db->wait_cfg >= 0 ? "waiting for datapath"
            : "in step");
}

static void
put_cfg(struct json *object, const char *key, int64_t cfg)
{
    if (cfg >= 0) {
        xf_json_put_int(object, key, cfg);
    }
}

/* Routers of the database that have no port in the switch. */
static struct json *
routers_without_port(const struct xf_db *db)
{
    const struct xf_config *config = db->engine->config;
    const struct xf_config_owner *owner;
    struct svec names = SVEC_EMPTY_INITIALIZER;
    struct json *array = json_array_create_empty();

    HMAP_FOR_EACH (owner, node, &config->owners) {
        if (owner->from_database && !owner->row) {
            svec_add(&names, owner->name);
        }
    }
    svec_sort(&names);
    for (size_t i = 0; i < names.n; i++) {
        json_array_add(array, json_string_create(names.names[i]));
    }
    svec_destroy(&names);
    return array;
}

static struct json *
db_to_json(const struct xf_db *db)
{
    struct json *object = json_object_create();
    size_t n = 0;

    json_object_put_string(object, "state", state_name(db));
    if (!db) {
        return object;
    }
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        n += db->n_objects[i];
    }
    json_object_put_string(object, "remote", db->remote);
    json_object_put_string(object, "host", db->host);
    put_cfg(object, "cfg", db->cfg);
    put_cfg(object, "acknowledged_cfg", db->acked_cfg);
    xf_json_put_int(object, "routers", db->n_objects[0]);
    xf_json_put_int(object, "rows", n);
    xf_json_put_int(object, "refused", db->n_errors);
    json_object_put(object, "without_port", routers_without_port(db));
    xf_json_put_int(object, "read", db->n_read);
    xf_json_put_int(object, "applied", db->n_applied);
    xf_json_put_int(object, "withdrawn", db->n_withdrawn);
    xf_json_put_int(object, "transactions", db->n_written_txns);
    if (db->write_error) {
        json_object_put_string(object, "write_error", db->write_error);
    }
    return object;
}

/* Names, of which a text has the first few. */
static void
format_names(const struct json *names, struct ds *ds)
{
    const struct json_array *array = json_array(names);
    size_t n = MIN(array->n, 5);

    ds_put_format(ds, "%"PRIuSIZE, array->n);
    for (size_t i = 0; i < n; i++) {
        ds_put_format(ds, "%s%s", i ? ", " : " (",
                      json_string(array->elems[i]));
    }
    ds_put_cstr(ds, n < array->n ? ", ...)" : n ? ")" : "");
}

static const struct xf_column db_columns[] = {
    { "state", "state", false, NULL },
    { "remote", "remote", false, NULL },
    { "host", "host", false, NULL },
    { "cfg", "cfg", false, NULL },
    { "acknowledged_cfg", "acknowledged cfg", false, NULL },
    { "routers", "routers", false, NULL },
    { "without_port", "without port", false, format_names },
    { "rows", "rows", false, NULL },
    { "refused", "refused", false, NULL },
    { "read", "rows read", false, NULL },
    { "applied", "carried out", false, NULL },
    { "withdrawn", "taken back", false, NULL },
    { "transactions", "transactions", false, NULL },
    { "write_error", "write error", false, NULL },
};

static const struct xf_column error_columns[] = {
    { "table", "TABLE", false, NULL },
    { "object", "ROW", false, NULL },
    { "error", "ERROR", false, NULL },
};

static int
compare_reports(const void *a_, const void *b_)
{
    const struct xf_db_report *const *a = a_;
    const struct xf_db_report *const *b = b_;
    int cmp = strcmp((*a)->table, (*b)->table);

    return cmp ? cmp : strcmp((*a)->error, (*b)->error);
}

/* Appends what was refused. */
static void
put_errors(const struct xf_db *db, struct xf_page *page,
           struct xf_table *table)
{
    const struct xf_db_report **reports
        = xmalloc((hmap_count(&db->reports) + 1) * sizeof *reports);
    const struct xf_db_report *report;
    size_t n = 0;

    HMAP_FOR_EACH (report, node, &db->reports) {
        if (report->error) {
            reports[n++] = report;
        }
    }
    qsort(reports, n, sizeof *reports, compare_reports);
    for (size_t i = 0; i < n; i++) {
        if (xf_page_take(page)) {
            struct json *row = json_object_create();
            char uuid[UUID_LEN + 1];

            snprintf(uuid, sizeof uuid, UUID_FMT,
                     UUID_ARGS(&reports[i]->uuid));
            json_object_put_string(row, "table", reports[i]->table);
            json_object_put_string(row, "object", uuid);
            json_object_put_string(row, "error", reports[i]->error);
            xf_table_add(table, row);
        }
    }
    free(reports);
}

/* db-show */
char *
xf_run_db_show(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_db *db = engine->db;
    struct xf_page page = { .skip = job->args.skip, .limit = job->args.limit };
    struct json *object = db_to_json(db);
    struct xf_table table;
    struct ds errors = DS_EMPTY_INITIALIZER;

    xf_table_init(&table, error_columns, ARRAY_SIZE(error_columns),
                  job->json);
    if (db) {
        put_errors(db, &page, &table);
    }
    xf_table_finish_page(&table, &page, &errors);
    if (job->json) {
        json_object_put(object, "errors", json_from_string(ds_cstr(&errors)));
    }
    xf_object_put(db_columns, ARRAY_SIZE(db_columns), job->json, object,
                  &job->body);
    if (!job->json) {
        ds_put_cstr(&job->body, ds_cstr(&errors));
    }
    ds_destroy(&errors);
    json_destroy(object);
    return NULL;
}
