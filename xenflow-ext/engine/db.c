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
#include <unistd.h>

#include "engine/engine-private.h"
#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "smap.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

static void carry_out(struct xf_db *);
static void acknowledge(struct xf_db *);

/* ---- For the engine. ---- */

/* See engine/db.h. */
char *
xf_db_host_name(const struct smap *external_ids)
{
    const char *name = smap_get(external_ids, "xenflow-host");
    char buf[256];

    name = name ? name : smap_get(external_ids, "system-id");
    name = name ? name : smap_get(external_ids, "hostname");
    if (!name && !gethostname(buf, sizeof buf)) {
        buf[sizeof buf - 1] = '\0';
        name = buf;
    }
    return xstrdup(name ? name : "");
}

/* Returns a client of the database at 'remote', where this host is called
 * 'host'.  'engine' must have a configuration. */
struct xf_db *
xf_db_create(struct xf_engine *engine, const char *remote, const char *host)
{
    struct xf_db *db = xzalloc(sizeof *db);

    db->engine = engine;
    db->remote = xstrdup(remote);
    db->host = xstrdup(host);
    db->tls = strstr(remote, "ssl:");
    hmap_init(&db->objects);
    ovs_list_init(&db->changed);
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        ovs_list_init(&db->released[i]);
        ovs_list_init(&db->apply[i]);
    }
    ovs_list_init(&db->again);
    db->cfg = db->wait_cfg = db->acked_cfg = -1;
    db->links_changed = true;
    xf_db_links_init(db);
    hmap_init(&db->reports);
    ovs_list_init(&db->dirty);
    ovs_list_init(&db->sent);
    ovs_list_init(&db->withheld);
    xf_config_follow(engine->config, true);
    xf_db_conn_create(db);
    return db;
}

static void
object_destroy(struct xf_db_object *object)
{
    struct xf_db *db = object->db;

    ovs_list_remove(&object->list_node);
    hmap_remove(&db->objects, &object->node);
    db->n_objects[object->table - xf_db_tables]--;
    free(object->router);
    free(object->key);
    free(object->text);
    free(object->error);
    free(object);
}

/* Forgets all rows.  What they state stays in effect. */
void
xf_db_forget(struct xf_db *db)
{
    struct xf_config_entry *entry;
    struct xf_db_object *object;

    xf_config_follow(db->engine->config, true);
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        LIST_FOR_EACH_POP (entry, released_node, &db->released[i]) {
            ovs_list_init(&entry->released_node);
        }
    }
    HMAP_FOR_EACH_SAFE (object, node, &db->objects) {
        object_destroy(object);
    }
    db->swept = false;
    db->wait_cfg = db->acked_cfg = -1;
    xf_db_reports_forget(db);
}

/* Accepts NULL. */
void
xf_db_destroy(struct xf_db *db)
{
    if (db) {
        xf_db_forget(db);
        xf_db_write_destroy(db);
        xf_db_links_destroy(db);
        hmap_destroy(&db->objects);
        ovsdb_idl_destroy(db->idl);
        free(db->remote);
        free(db->host);
        free(db);
    }
}

/* Takes what is new from the database, carries it out as far as time allows,
 * and answers.  Never blocks. */
void
xf_db_run(struct xf_db *db, long long int now_ms)
{
    xf_db_conn_run(db);
    carry_out(db);
    acknowledge(db);
    xf_db_write_run(db, now_ms);
}

/* Whether the datapath has acknowledged what is waited for, and ways of links
 * that are out of use since have emptied. */
static bool
is_acked(const struct xf_db *db)
{
    return (db->wait_cfg >= 0 && db->engine->acked >= db->wait_generation
            && xf_links_are_empty(db->engine));
}

/* Arranges for poll_block() to wake when xf_db_run() has something to do. */
void
xf_db_wait(struct xf_db *db)
{
    xf_db_conn_wait(db);
    if (xf_db_is_busy(db) || is_acked(db)) {
        poll_immediate_wake();
    }
    xf_db_write_wait(db);
}

/* ---- Objects. ---- */

static struct xf_db_object *
object_find(const struct xf_db *db, const struct uuid *uuid)
{
    struct xf_db_object *object;

    HMAP_FOR_EACH_WITH_HASH (object, node, uuid_hash(uuid), &db->objects) {
        if (uuid_equals(&object->uuid, uuid)) {
            return object;
        }
    }
    return NULL;
}

static struct xf_db_object *
object_create(struct xf_db *db, const struct xf_db_table *table,
              const struct uuid *uuid)
{
    struct xf_db_object *object = xzalloc(sizeof *object);

    object->db = db;
    object->table = table;
    object->uuid = *uuid;
    ovs_list_init(&object->list_node);
    hmap_insert(&db->objects, &object->node, uuid_hash(uuid));
    db->n_objects[table - xf_db_tables]++;
    return object;
}

static void
object_move(struct xf_db_object *object, struct ovs_list *list)
{
    ovs_list_remove(&object->list_node);
    ovs_list_push_back(list, &object->list_node);
}

/* Says why 'object' doesn't state what its row says ('error' is taken over),
 * or that it does. */
static void
object_set_error(struct xf_db_object *object, char *error)
{
    free(object->error);
    object->error = error;
    xf_db_error_changed(object);
}

/* See engine/db.h. */
void
xf_db_error_changed(struct xf_db_object *object)
{
    const struct xf_config_entry *entry = object->entry;
    char *error = NULL;

    if (object->error) {
        xf_db_report(object->db, object, object->error);
        return;
    }
    if (entry && entry->error) {
        const struct xf_config_entry *router = xf_config_entry_find(
            entry->owner, XF_KIND_ROUTER, XF_CONFIG_PREFIX "router");

        /* One error for a router that isn't there is enough. */
        if (entry == router || (router && router->effect)) {
            error = xasprintf("%s %s: %s", entry->owner->name,
                              entry->key + strlen(XF_CONFIG_PREFIX),
                              entry->error);
        }
    }
    xf_db_report(object->db, object, error);
    free(error);
}

/* ---- From rows to objects. ---- */

/* Whether 'row' of 'object' can't say anything else than before: what changed
 * is something that it refers to, of which only the router's name matters. */
static bool
says_the_same(const struct xf_db_object *object,
              const struct ovsdb_idl_row *row)
{
    const struct xf_db_table *table = object->table;
    const char *router = table->router(row);

    if (!object->entry || table->looks_further || object->gone || !router
        || strcmp(router, object->entry->owner->name)) {
        return false;
    }
    for (size_t i = 0; i < table->class->n_columns; i++) {
        if (ovsdb_idl_track_is_updated(row, &table->class->columns[i])) {
            return false;
        }
    }
    return true;
}

/* Appends what xenflow-hostd says of the object of 'words'. */
static void
put_hostd_words(const struct xf_db_object *object,
                const struct ovsdb_idl_row *row, struct svec *words)
{
    const struct xf_db_table *table = object->table;
    const struct xf_config_owner *owner = xf_config_owner_find(
        object->db->engine->config, words->names[0]);

    struct svec said = SVEC_EMPTY_INITIALIZER;

    if (!table->complete) {
        return;
    } else if (owner && owner->ids) {
        char *key = xasprintf(XF_CONFIG_HOSTD"%s%s%s", table->kind->name,
                              table->kind->n_words ? "-" : "",
                              table->kind->n_words ? words->names[1] : "");

        svec_parse_words(&said, smap_get_def(owner->ids, key, ""));
        free(key);
    }
    table->complete(row, &said, words);
    svec_destroy(&said);
}

/* Notes what 'row' says.  On an error 'object' goes on stating what it did. */
static void
object_read(struct xf_db_object *object, const struct ovsdb_idl_row *row)
{
    const struct xf_db_table *table = object->table;
    struct svec words = SVEC_EMPTY_INITIALIZER;
    char *error = NULL;

    if (table->words(object->db, row, &words)) {
        put_hostd_words(object, row, &words);

        struct xf_job *job = xf_job_create(xf_command_find(table->kind->add),
                                           words.n,
                                           (const char **) words.names,
                                           &error);
        if (job) {
            object->router = xstrdup(job->args.router);
            object->key = xf_config_make_key(table->kind, &job->args);
            object->text = job->text;
            job->text = NULL;
            xf_job_destroy(job);
        } else {
            char *sentence = xasprintf("%s %s: %s", words.names[0],
                                       table->kind->name, error);

            free(error);
            error = sentence;
        }
    }
    svec_destroy(&words);
    object_set_error(object, error);
}

static void
reread(struct xf_db_object *object, const struct ovsdb_idl_row *row)
{
    free(object->router);
    free(object->key);
    free(object->text);
    object->router = object->key = object->text = NULL;
    object_read(object, row);
    object_move(object, &object->db->changed);
}

/* 'row' of 'table' has come, changed, or ('deleted') gone.  All that have gone
 * must be told of before the others. */
void
xf_db_row(struct xf_db *db, const struct xf_db_table *table,
          const struct ovsdb_idl_row *row, bool deleted)
{
    struct xf_db_object *object = object_find(db, &row->uuid);

    db->n_read++;
    if (deleted) {
        if (!object) {
            return;
        }
        object->gone = true;
        object_move(object, &db->changed);
    } else {
        if (!object) {
            object = object_create(db, table, &row->uuid);
        } else if (says_the_same(object, row)) {
            return;
        }
        object->gone = false;
        reread(object, row);
    }
}

/* See engine/db.h. */
void
xf_db_look_again(struct xf_db_object *object)
{
    const struct ovsdb_idl_row *row = ovsdb_idl_get_row_for_uuid(
        object->db->idl, object->table->class, &object->uuid);

    if (row && !object->gone) {
        reread(object, row);
    }
}

/* 'entry' isn't stated by its object any more. */
static void
release(struct xf_db *db, struct xf_config_entry *entry)
{
    entry->stated_by = NULL;
    ovs_list_remove(&entry->released_node);
    ovs_list_push_back(&db->released[entry->kind - xf_config_kinds],
                       &entry->released_node);
}

/* Whether 'object' states something else than it is to. */
static bool
must_release(const struct xf_db_object *object)
{
    const struct xf_config_entry *entry = object->entry;

    if (!entry || object->error) {
        return entry && object->gone;
    }
    return (object->gone || !object->key || strcmp(object->key, entry->key)
            || strcmp(object->router, entry->owner->name));
}

/* Has 'object' state what it is to. */
static void
claim(struct xf_db *db, struct xf_db_object *object)
{
    const struct xf_db_table *table = object->table;
    struct xf_config *config = db->engine->config;
    const struct xf_config_owner *owner
        = xf_config_owner_find(config, object->router);

    if (table->kind == XF_KIND_ROUTER && owner && !owner->from_database) {
        db->swept = false;      /* Commands may have made more of it. */
    }
    struct xf_config_entry *entry
        = xf_config_state(config, table->kind, object->router, object->key,
                          object->text, object);
    object->text = NULL;
    if (!entry) {
        object_set_error(object, xasprintf(
            "%s %s: another row of %s says what becomes of this: remove one "
            "of them", object->router, object->key + strlen(XF_CONFIG_PREFIX),
            table->name));
        return;
    }
    ovs_list_remove(&entry->released_node);
    ovs_list_init(&entry->released_node);
    object->entry = entry;
    if (!xf_config_is_in_effect(entry)) {
        object_move(object, &db->apply[table - xf_db_tables]);
    } else {
        xf_db_error_changed(object);
    }
}

/* Has all objects in 'changed' state what their rows say. */
static void
state_changed(struct xf_db *db)
{
    struct xf_db_object *object;

    if (ovs_list_is_empty(&db->changed)) {
        return;
    }
    db->n_passes = 0;
    LIST_FOR_EACH (object, list_node, &db->changed) {
        if (must_release(object)) {
            release(db, object->entry);
            object->entry = NULL;
        }
    }
    LIST_FOR_EACH_POP (object, list_node, &db->changed) {
        ovs_list_init(&object->list_node);
        if (object->gone) {
            xf_db_report(db, object, NULL);
            object_destroy(object);
        } else if (object->key) {
            claim(db, object);
        }
    }
}

/* Finds what is in effect for routers of the database and isn't in it: of
 * former times, or made by commands. */
static void
sweep(struct xf_db *db)
{
    struct xf_config *config = db->engine->config;
    const struct xf_config_owner *owner;
    struct xf_config_entry *entry;

    HMAP_FOR_EACH (owner, node, &config->owners) {
        if (owner->from_database) {
            HMAP_FOR_EACH (entry, node, &owner->entries) {
                if (entry->kind && !entry->stated_by && entry->text) {
                    release(db, entry);
                }
            }
        }
    }
}

/* ---- Carrying out. ---- */

/* Whether something is left to be carried out. */
bool
xf_db_is_busy(const struct xf_db *db)
{
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        if (!ovs_list_is_empty(&db->released[i])
            || !ovs_list_is_empty(&db->apply[i])) {
            return true;
        }
    }
    return !ovs_list_is_empty(&db->again);
}

/* The next list that isn't empty of what goes: routers first, which take all
 * that they have with them; then what refers to others before these. */
static struct ovs_list *
next_released(struct xf_db *db)
{
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        struct ovs_list *list = &db->released[(XF_N_DB_TABLES - i)
                                              % XF_N_DB_TABLES];

        if (!ovs_list_is_empty(list)) {
            return list;
        }
    }
    return NULL;
}

static void
withdraw_one(struct xf_db *db, struct ovs_list *list)
{
    struct xf_config_entry *entry
        = CONTAINER_OF(ovs_list_pop_front(list), struct xf_config_entry,
                       released_node);

    db->n_withdrawn++;
    ovs_list_init(&entry->released_node);
    xf_config_withdraw(db->engine->config, entry);
    db->progress = true;
}

static struct ovs_list *
next_apply(struct xf_db *db)
{
    for (size_t i = 0; i < XF_N_DB_TABLES; i++) {
        if (!ovs_list_is_empty(&db->apply[i])) {
            return &db->apply[i];
        }
    }
    return NULL;
}

static void
apply_one(struct xf_db *db, struct ovs_list *list)
{
    struct xf_db_object *object
        = CONTAINER_OF(ovs_list_pop_front(list), struct xf_db_object,
                       list_node);

    db->n_applied++;
    ovs_list_init(&object->list_node);
    xf_config_apply(db->engine->config, object->entry);
    if (object->entry->error) {
        object_move(object, &db->again);
    } else {
        db->progress = true;
    }
}

/* The batch is carried out but for 'again': has that tried once more if it may
 * help. */
static void
end_pass(struct xf_db *db)
{
    struct xf_db_object *object;
    bool again = db->progress && db->n_passes < XF_DB_PASSES_MAX;

    db->n_passes++;
    db->progress = false;
    LIST_FOR_EACH_POP (object, list_node, &db->again) {
        ovs_list_init(&object->list_node);
        if (again && object->entry && object->entry->error) {
            object_move(object, &db->apply[object->table - xf_db_tables]);
        }
    }
}

/* Carries out what there is to, for a while. */
static void
carry_out(struct xf_db *db)
{
    long long int start_us = time_usec();

    state_changed(db);
    while (time_usec() - start_us < XF_DB_TURN_US) {
        struct ovs_list *list = next_released(db);

        if (list) {
            withdraw_one(db, list);
        } else if ((list = next_apply(db)) != NULL) {
            apply_one(db, list);
        } else if (!ovs_list_is_empty(&db->again)) {
            end_pass(db);
        } else {
            break;
        }
    }
}

/* ---- Acknowledgement. ---- */

static void
acknowledge(struct xf_db *db)
{
    if (db->in_step && !xf_db_is_busy(db)) {
        if (!db->swept) {
            db->swept = true;
            db->engine->config->in_step = true;
            sweep(db);
            xf_db_recheck_all(db);
            if (xf_db_is_busy(db)) {
                return;
            }
        }
        if (db->wait_cfg < 0 && db->cfg != db->acked_cfg) {
            db->wait_cfg = db->cfg;
            db->wait_generation = db->engine->generation;
        }
    }
    if (is_acked(db)) {
        db->acked_cfg = db->wait_cfg;
        db->wait_cfg = -1;
    }
}
