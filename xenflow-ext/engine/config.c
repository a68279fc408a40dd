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

#include <stdlib.h>
#include <string.h>

#include "engine/engine-private.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_config);

/* From rows to what is in effect. */

#define RETRY_MS 1000           /* Between two attempts at what is refused, */
#define RETRY_MIN_MS 100        /* and if something has changed. */
#define COMPARE_FACTOR 4        /* Comparisons take at most 1/5 of the time. */

/* ---- From entries to the router. ---- */

/* Parses 'text' of 'entry' as the arguments of command 'name', which adds or
 * deletes an object.  Returns NULL with a sentence in '*errorp' if it isn't
 * understood. */
static struct xf_job *
parse_entry(const struct xf_config_owner *owner,
            const struct xf_config_entry *entry, const char *name,
            size_t n_words, const char *text, char **errorp)
{
    char *object = xstrdup(xf_config_object_of_key(entry->kind, entry->key));
    struct svec args = SVEC_EMPTY_INITIALIZER;
    char *save = NULL;

    svec_add(&args, owner->name);
    for (char *word = strtok_r(object, XF_CONFIG_SEPARATOR, &save);
         word && args.n <= n_words;
         word = strtok_r(NULL, XF_CONFIG_SEPARATOR, &save)) {
        svec_add(&args, word);
    }
    svec_parse_words(&args, text);
    struct xf_job *job = xf_job_create(xf_command_find(name), args.n,
                                       (const char **) args.names, errorp);
    svec_destroy(&args);
    free(object);
    return job;
}

/* Checks that 'entry' is called what a command would call it. */
static char * OVS_WARN_UNUSED_RESULT
check_key(const struct xf_config_entry *entry, const struct xf_args *args)
{
    char *key = xf_config_make_key(entry->kind, args);
    char *error = NULL;

    if (strcmp(key, entry->key)) {
        error = xasprintf("its key must be %s: rename it", key);
    }
    free(key);
    return error;
}

/* Carries out 'entry->text': adds the object, or changes it where it exists.
 * Options that were given and aren't any more get their defaults. */
static char * OVS_WARN_UNUSED_RESULT
try_entry(struct xf_config *config, const struct xf_config_owner *owner,
          const struct xf_config_entry *entry)
{
    const struct xf_config_kind *kind = entry->kind;
    char *error = NULL;

    if (!kind) {
        return xf_config_explain_key();
    }
    struct xf_job *job = parse_entry(owner, entry, kind->add, kind->n_words,
                                     entry->text, &error);
    if (!job) {
        return error;
    }
    error = check_key(entry, &job->args);
    if (!error && kind->set && entry->effect) {
        char *ignored = NULL;
        struct xf_job *old = parse_entry(owner, entry, kind->add,
                                         kind->n_words, entry->effect,
                                         &ignored);

        if (old) {
            job->args.given |= old->args.given;
            xf_job_destroy(old);
        }
        free(ignored);
        struct xf_router *router = xf_engine_router(config->engine,
                                                    owner->name);
        error = (router && kind == XF_KIND_ROUTER
                 ? xf_router_check_fixed(router, &job->args) : NULL);
        error = error ? error : xf_command_find(kind->set)->run(
            config->engine, job);
    } else if (!error) {
        error = job->command->run(config->engine, job);
    }
    xf_job_destroy(job);
    return error;
}

/* Carries out 'entry->text'. */
void
xf_config_apply(struct xf_config *config, struct xf_config_entry *entry)
{
    char *error = try_entry(config, entry->owner, entry);

    if (!error) {
        xf_config_entry_set_effect(entry, entry->text);
        if (entry->stated_by) {
            xf_config_entry_dirty(config, entry);
        }
    }
    xf_config_entry_set_error(entry, error);
}

/* Takes 'entry', which is in effect, back. */
void
xf_config_unapply(struct xf_config *config, struct xf_config_entry *entry)
{
    const struct xf_config_kind *kind = entry->kind;
    struct xf_config_owner *owner = entry->owner;
    char *error = NULL;
    struct xf_job *job = parse_entry(owner, entry, kind->del, SIZE_MAX - 1,
                                     "", &error);

    if (job) {
        error = job->command->run(config->engine, job);
        if (kind == XF_KIND_PORT) {
            xf_config_port_gone(config, owner, job->args.port, false);
        }
        xf_job_destroy(job);
    }
    if (error) {
        VLOG_DBG("interface %s: external_ids:%s was removed: %s",
                 owner->name, entry->key, error);
        free(error);
    }
}

/* ---- Comparing a row with what is in effect. ---- */

/* Entries to be looked at, in the order of their kinds. */
struct todo {
    struct xf_config_entry **entries;
    size_t n, allocated;
};

static void
todo_add(struct todo *todo, struct xf_config_entry *entry)
{
    if (todo->n >= todo->allocated) {
        todo->entries = x2nrealloc(todo->entries, &todo->allocated,
                                   sizeof *todo->entries);
    }
    todo->entries[todo->n++] = entry;
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct xf_config_entry *const *a = a_;
    const struct xf_config_entry *const *b = b_;

    if ((*a)->kind != (*b)->kind) {
        return ((*a)->kind && (!(*b)->kind || (*a)->kind < (*b)->kind)
                ? -1 : 1);
    }
    return strcmp((*a)->key, (*b)->key);
}

static void
todo_sort(struct todo *todo)
{
    if (todo->n) {
        qsort(todo->entries, todo->n, sizeof *todo->entries, compare_entries);
    }
}

/* Collects keys of the row that are new or have another text. */
static void
collect_changed(struct xf_config *config, struct xf_config_owner *owner,
                struct todo *todo)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, owner->ids) {
        if (strncmp(node->key, XF_CONFIG_PREFIX, strlen(XF_CONFIG_PREFIX))) {
            continue;
        }

        const struct xf_config_kind *kind = xf_config_kind_of_key(node->key);
        struct xf_config_entry *entry = xf_config_entry_find(owner, kind, node->key);
        if (!strcmp(node->key, XF_CONFIG_DATABASE)) {
            xf_config_mark(config, owner);
            continue;
        } else if (!entry) {
            entry = xf_config_entry_create(owner, kind, node->key);
        } else if (entry->state != XF_CONFIG_CLEAN || entry->stated_by
                   || !strcmp(entry->text, node->value)) {
            entry->seen = config->n_compared;
            continue;
        }
        entry->seen = config->n_compared;
        xf_config_entry_set_text(entry, xstrdup(node->value));
        todo_add(todo, entry);
    }
}

/* Carries out that keys aren't in the row any more. */
static void
remove_unseen(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *entry;
    struct todo gone = { NULL, 0, 0 };

    HMAP_FOR_EACH (entry, node, &owner->entries) {
        if (entry->state == XF_CONFIG_CLEAN && !entry->stated_by
            && entry->seen != config->n_compared) {
            todo_add(&gone, entry);
        }
    }
    todo_sort(&gone);
    for (size_t i = gone.n; i-- > 0; ) {
        if (!gone.entries[i]->kind && gone.entries[i]->effect) {
            owner->from_database = false;   /* Its mark was removed. */
        } else if (gone.entries[i]->effect) {
            xf_config_unapply(config, gone.entries[i]);
        }
        if (gone.entries[i]->kind == XF_KIND_ROUTER) {
            HMAP_FOR_EACH (entry, node, &owner->entries) {
                if (entry->effect && entry->kind
                    && entry != gone.entries[i]) {
                    xf_config_entry_set_effect(entry, NULL);
                    xf_config_entry_set_error(
                        entry, xasprintf("router '%s' is gone",
                                         owner->name));
                }
            }
        }
        xf_config_entry_destroy(gone.entries[i]);
    }
    free(gone.entries);
}

/* The row of 'owner' is a new one that doesn't state the router: has all that
 * is in effect written to it. */
static void
restate(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *router, *entry;
    const char *key = XF_CONFIG_PREFIX "router";

    router = xf_config_entry_find(owner, XF_KIND_ROUTER, key);
    if (!router || !router->effect || smap_get(owner->ids, key)) {
        return;
    }
    HMAP_FOR_EACH (entry, node, &owner->entries) {
        if (entry->effect) {
            xf_config_entry_set_error(entry, NULL);
            xf_config_entry_set_text(entry, entry->effect);
            xf_config_entry_dirty(config, entry);
        }
    }
}

/* Tries all that was refused once more. */
static void
retry_refused(struct xf_config *config)
{
    struct xf_config_owner *owner;
    struct xf_config_entry *entry;
    struct todo todo = { NULL, 0, 0 };

    LIST_FOR_EACH (owner, refused_node, &config->refused) {
        LIST_FOR_EACH (entry, refused_node, &owner->refused) {
            todo_add(&todo, entry);
        }
    }
    todo_sort(&todo);
    for (size_t i = 0; i < todo.n; i++) {
        xf_config_apply(config, todo.entries[i]);
    }
    free(todo.entries);
}

/* Brings what is in effect in line with the row of 'owner'. */
static void
compare_owner(struct xf_config *config, struct xf_config_owner *owner)
{
    struct todo todo = { NULL, 0, 0 };

    config->n_compared++;
    if (owner->from_database && config->in_step) {
        if (owner->fresh) {
            owner->fresh = false;
            xf_config_restate(config, owner);
        }
        return;
    }
    if (owner->fresh) {
        owner->fresh = false;
        restate(config, owner);
    }
    collect_changed(config, owner, &todo);
    size_t n = hmap_count(&owner->entries);
    remove_unseen(config, owner);
    bool changed = todo.n || hmap_count(&owner->entries) != n;

    todo_sort(&todo);
    for (size_t i = 0; i < todo.n; i++) {
        xf_config_apply(config, todo.entries[i]);
    }
    free(todo.entries);
    if (changed) {
        xf_config_retry(config);
    }
}

static void
compare_run(struct xf_config *config, long long int now_ms)
{
    struct xf_config_owner *owner;
    long long int start_us = time_usec();

    if (ovs_list_is_empty(&config->changed) || now_ms < config->next_compare_ms
        || xf_config_db_is_busy(config->db)) {
        return;
    }
    LIST_FOR_EACH_SAFE (owner, changed_node, &config->changed) {
        ovs_list_remove(&owner->changed_node);
        ovs_list_init(&owner->changed_node);
        compare_owner(config, owner);
    }
    config->next_compare_ms
        = now_ms + COMPARE_FACTOR * (time_usec() - start_us) / 1000;
}

/* When what is refused is to be tried again. */
static long long int
next_retry_ms(const struct xf_config *config)
{
    return (config->last_retry_ms
            + (config->retry_soon ? RETRY_MIN_MS : RETRY_MS));
}

static void
retry_run(struct xf_config *config, long long int now_ms)
{
    if (!ovs_list_is_empty(&config->refused)
        && now_ms >= next_retry_ms(config)) {
        config->retry_soon = false;
        config->last_retry_ms = now_ms;
        retry_refused(config);
    }
}

/* ---- What the connection says. ---- */

/* 'row' of port 'name' is there, or has changed. */
void
xf_config_row_add(struct xf_config *config, const char *name,
                  const struct ovsrec_interface *row,
                  const struct uuid *uuid, const struct smap *ids)
{
    struct xf_config_owner *owner = xf_config_owner_get(config, name);

    if (!uuid_equals(&owner->uuid, uuid)) {
        owner->uuid = *uuid;
        owner->fresh = true;
    }
    owner->row = row;
    owner->ids = ids;
    xf_config_hostd_run(owner);
    if (ovs_list_is_empty(&owner->changed_node)) {
        ovs_list_push_back(&config->changed, &owner->changed_node);
    }
    if (!ovs_list_is_empty(&owner->dirty)
        && ovs_list_is_empty(&owner->dirty_node)) {
        ovs_list_push_back(&config->dirty, &owner->dirty_node);
    }
}

/* 'row' of port 'name' is gone. */
void
xf_config_row_remove(struct xf_config *config, const char *name,
                     const struct ovsrec_interface *row)
{
    struct xf_config_owner *owner = xf_config_owner_find(config, name);

    if (owner && owner->row == row) {
        struct xf_config_entry *entry;

        owner->row = NULL;
        owner->ids = NULL;
        ovs_list_remove(&owner->changed_node);
        ovs_list_init(&owner->changed_node);
        ovs_list_remove(&owner->dirty_node);
        ovs_list_init(&owner->dirty_node);
        HMAP_FOR_EACH_SAFE (entry, node, &owner->entries) {
            if (!entry->effect && entry->state != XF_CONFIG_SENT
                && !entry->stated_by) {
                xf_config_entry_destroy(entry);    /* Only the row had it. */
            }
        }
        xf_config_owner_reap(config, owner);
    }
}

/* What 'owner' had to be written is in a transaction now. */
void
xf_config_sent(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *entry;

    LIST_FOR_EACH (entry, list_node, &owner->dirty) {
        entry->state = XF_CONFIG_SENT;
    }
    ovs_list_push_back_all(&config->sent, &owner->dirty);
    ovs_list_remove(&owner->dirty_node);
    ovs_list_init(&owner->dirty_node);
    config->sent_seq = config->seq;
}

/* The transaction is complete, or ('success' false) has to be repeated. */
void
xf_config_sent_done(struct xf_config *config, bool success)
{
    struct xf_config_entry *entry;

    LIST_FOR_EACH_SAFE (entry, list_node, &config->sent) {
        struct xf_config_owner *owner = entry->owner;

        if (!success) {
            xf_config_entry_dirty(config, entry);
        } else if (entry->text) {
            ovs_list_remove(&entry->list_node);
            entry->state = XF_CONFIG_CLEAN;
        } else {
            xf_config_entry_destroy(entry);
            xf_config_owner_reap(config, owner);
        }
    }
    if (success) {
        config->written_seq = config->sent_seq;
    }
}

/* ---- For the engine. ---- */

/* Returns the configuration of 'engine' as kept in the database at 'remote'.
 */
struct xf_config *
xf_config_create(struct xf_engine *engine, const char *remote)
{
    struct xf_config *config = xzalloc(sizeof *config);

    config->engine = engine;
    config->db = xf_config_db_create(remote);
    hmap_init(&config->owners);
    ovs_list_init(&config->dirty);
    ovs_list_init(&config->changed);
    ovs_list_init(&config->refused);
    ovs_list_init(&config->sent);
    return config;
}

/* Accepts NULL. */
void
xf_config_destroy(struct xf_config *config)
{
    struct xf_config_owner *owner;

    if (config) {
        xf_config_db_destroy(config->db);
        HMAP_FOR_EACH_SAFE (owner, node, &config->owners) {
            xf_config_owner_destroy(config, owner);
        }
        hmap_destroy(&config->owners);
        free(config);
    }
}

/* See engine/config.h. */
void
xf_config_load(struct xf_config *config, long long int now_ms)
{
    if (!config->loading) {
        config->loading = true;
        config->load_ms = now_ms;
        xf_config_db_connect(config->db);
    }
}

/* Exchanges what is new with the database.  Never blocks. */
void
xf_config_run(struct xf_config *config, long long int now_ms)
{
    xf_config_db_run(config, now_ms);
    compare_run(config, now_ms);
    retry_run(config, now_ms);
    config->loaded = (config->loaded
                      || (xf_config_db_has_content(config->db)
                          && ovs_list_is_empty(&config->changed)));
    config->late = !config->loaded && xf_config_is_loaded(config, now_ms);
}

/* Arranges for poll_block() to wake when xf_config_run() has something to
 * do. */
void
xf_config_wait(struct xf_config *config)
{
    xf_config_db_wait(config);
    if (!ovs_list_is_empty(&config->changed)
        && !xf_config_db_is_busy(config->db)) {
        poll_timer_wait_until(config->next_compare_ms);
    }
    if (!ovs_list_is_empty(&config->refused)) {
        poll_timer_wait_until(next_retry_ms(config));
    }
    if (config->loading && !config->loaded && !config->late) {
        poll_timer_wait_until(config->load_ms + XF_CONFIG_LOAD_MS);
    }
}

/* See engine/config.h. */
bool
xf_config_is_loaded(const struct xf_config *config, long long int now_ms)
{
    return (!config->loading || config->loaded
            || now_ms - config->load_ms >= XF_CONFIG_LOAD_MS);
}

/* See engine/config.h. */
void
xf_config_retry(struct xf_config *config)
{
    config->retry_soon = true;
}

/* ---- Shows. ---- */

/* See engine/config.h. */
struct json *
xf_config_to_json(const struct xf_config *config, const char *router)
{
    struct xf_config_owner *owner = xf_config_owner_find(config, router);
    struct json *object = json_object_create();
    struct json *refused = json_array_create_empty();
    size_t n = owner ? hmap_count(&owner->entries) : 0;

    xf_json_put_bool(object, "port_exists", owner && owner->row);
    xf_json_put_int(object, "objects", n);
    xf_json_put_bool(object, "written", owner && owner->row
                     && ovs_list_is_empty(&owner->dirty)
                     && ovs_list_is_empty(&config->sent));
    if (owner) {
        const struct xf_config_entry *entry;

        LIST_FOR_EACH (entry, refused_node, &owner->refused) {
            struct json *row = json_object_create();

            json_object_put_string(row, "key", entry->key);
            json_object_put_string(row, "error", entry->error);
            json_array_add(refused, row);
        }
    }
    json_object_put(object, "refused", refused);
    return object;
}

static const struct xf_column config_columns[] = {
    { "router", "ROUTER", false, NULL },
    { "key", "KEY", false, NULL },
    { "state", "STATE", false, NULL },
    { "value", "VALUE", false, NULL },
    { "error", "ERROR", false, NULL },
};

static const char *
state_name(const struct xf_config_entry *entry)
{
    return (entry->error ? "refused"
            : !entry->owner->row ? "no port"
            : entry->state == XF_CONFIG_CLEAN ? "written" : "to be written");
}

static int
compare_listed(const void *a_, const void *b_)
{
    const struct xf_config_entry *const *a = a_;
    const struct xf_config_entry *const *b = b_;
    int cmp = strcmp((*a)->owner->name, (*b)->owner->name);

    return cmp ? cmp : compare_entries(a, b);
}

/* config-list */
char *
xf_run_config_list(struct xf_engine *engine, struct xf_job *job)
{
    const char *name = job->args.router;
    struct todo todo = { NULL, 0, 0 };
    struct xf_config_owner *owner;
    struct xf_config_entry *entry;
    struct xf_page page = { .skip = job->args.skip, .limit = job->args.limit };
    struct xf_table table;

    if (!engine->config) {
        return xstrdup("no configuration is kept: this switch has no database "
                       "on a local socket");
    }
    HMAP_FOR_EACH (owner, node, &engine->config->owners) {
        HMAP_FOR_EACH (entry, node, &owner->entries) {
            if (entry->text && (!name[0] || !strcmp(name, owner->name))) {
                todo_add(&todo, entry);
            }
        }
    }
    if (todo.n) {
        qsort(todo.entries, todo.n, sizeof *todo.entries, compare_listed);
    }
    xf_table_init(&table, config_columns, ARRAY_SIZE(config_columns),
                  job->json);
    for (size_t i = 0; i < todo.n; i++) {
        if (xf_page_take(&page)) {
            struct json *row = json_object_create();

            entry = todo.entries[i];
            json_object_put_string(row, "router", entry->owner->name);
            json_object_put_string(row, "key", entry->key);
            json_object_put_string(row, "state", state_name(entry));
            json_object_put_string(row, "value", entry->text);
            json_object_put_string(row, "error",
                                   entry->error ? entry->error : "");
            xf_table_add(&table, row);
        }
    }
    xf_table_finish_page(&table, &page, &job->body);
    free(todo.entries);
    return NULL;
}
