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

#include "seam/xf-allow.h"

#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "ovsdb/ovsdb-util.h"   /* Needs row.h first. */
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_allow);

#define DATABASE "XenFlow"

static bool
is_row_of(const struct ovsdb_row *row, const char *name)
{
    const char *is;

    return row && ovsdb_util_read_string_column(row, "name", &is)
           && !strcmp(is, name);
}

/* The row of host 'name', or NULL.  '*hint' is where it was last time. */
static const struct ovsdb_row *
find_host(const struct ovsdb *db, const char *name, struct uuid *hint)
{
    const struct ovsdb_table *table = ovsdb_get_table(db, "Host");
    const struct ovsdb_row *row;

    if (!table) {
        return NULL;
    }
    row = ovsdb_table_get_row(table, hint);
    if (is_row_of(row, name)) {
        return row;
    }
    HMAP_FOR_EACH (row, hmap_node, &table->rows) {
        if (is_row_of(row, name)) {
            *hint = *ovsdb_row_get_uuid(row);
            return row;
        }
    }
    return NULL;
}

/* NULL, or why not. */
static char *
refuse_host(const struct ovsdb *db, const char *id, struct uuid *hint)
{
    const struct ovsdb_row *row;
    bool enabled;

    if (!id) {
        return xstrdup("hosts need a certificate: use ssl:, and ask for one "
                       "made by xenflow-db certs");
    }
    row = find_host(db, id, hint);
    if (!row) {
        return xasprintf("there is no host '%s': the operator can add it with "
                         "xfctl host-add %s", id, id);
    }
    if (!ovsdb_util_read_bool_column(row, "enabled", &enabled) || !enabled) {
        return xasprintf("host '%s' is disabled: the operator can enable it "
                         "with xfctl host-set %s enabled=true", id, id);
    }
    return NULL;
}

static char *
refuse(const struct shash *dbs, const char *role,
       const struct jsonrpc_session *js, struct uuid *hint)
{
    const struct ovsdb *db = shash_find_data(dbs, DATABASE);
    const char *id = jsonrpc_session_get_id(js);

    if (!db) {
        return NULL;
    }
    if (role && role[0]) {
        return refuse_host(db, id, hint);
    }
    if (id && strcmp(id, XF_ALLOW_OPERATOR)) {
        return xasprintf("'%s' isn't the name of operators: hosts connect to "
                         "the listener for hosts", id);
    }
    return NULL;
}

bool
xf_allow_session(const struct shash *dbs, const char *role,
                 const struct jsonrpc_session *js, struct uuid *hint)
{
    char *refusal = refuse(dbs, role, js, hint);

    free(refusal);
    return !refusal;
}

struct jsonrpc_msg *
xf_allow_request(const struct shash *dbs, const char *role,
                 const struct jsonrpc_session *js, struct uuid *hint,
                 const struct jsonrpc_msg *request)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);
    char *refusal = refuse(dbs, role, js, hint);

    if (!refusal) {
        return NULL;
    }
    VLOG_WARN_RL(&rl, "%s: refused: %s", jsonrpc_session_get_name(js),
                 refusal);
    return jsonrpc_create_error(json_string_create_nocopy(refusal),
                                request->id);
}

bool
xf_allow_server(const char *name, struct jsonrpc_session *js)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);
    const char *peer = jsonrpc_session_get_name(js);
    const char *id = jsonrpc_session_get_id(js);

    if (strcmp(name, DATABASE) || strncmp(peer, "ssl:", 4)
        || (id && !strcmp(id, XF_ALLOW_SERVER))) {
        return true;
    }
    VLOG_WARN_RL(&rl, "%s: refused: '%s' isn't the name of database servers",
                 peer, id ? id : "");
    jsonrpc_session_force_reconnect(js);
    return false;
}
