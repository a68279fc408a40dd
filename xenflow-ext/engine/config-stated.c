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

#include <string.h>

#include "engine/engine-private.h"
#include "smap.h"
#include "util.h"

/* Entries that the database XenFlow states: see engine/config.h and
 * engine/db.h. */

/* Whether 'entry' is one of those of which only so many are kept. */
static bool
is_counted(const struct xf_config_entry *entry)
{
    return entry->kind && entry->kind > XF_KIND_PORT;
}

/* What of 'entry' is to be in the row, or NULL.  Of what is stated, what is in
 * effect: the switch is to come back as it is. */
const char *
xf_config_entry_kept(const struct xf_config_entry *entry)
{
    return entry->stated_by ? entry->effect : entry->text;
}

/* Whether 'entry' is to be written.  Notes that it will be. */
bool
xf_config_entry_keep(struct xf_config_entry *entry)
{
    struct xf_config_owner *owner = entry->owner;

    if (!entry->stated_by || !is_counted(entry) || entry->kept) {
        return true;
    }
    if (owner->n_kept >= XF_CONFIG_KEPT_MAX) {
        return false;
    }
    entry->kept = true;
    owner->n_kept++;
    return true;
}

/* Marks 'owner' as a router of the database. */
struct xf_config_entry *
xf_config_mark(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *mark = xf_config_entry_find(owner, NULL,
                                                        XF_CONFIG_DATABASE);

    if (!mark) {
        mark = xf_config_entry_create(owner, NULL, XF_CONFIG_DATABASE);
    }
    if (!mark->effect) {
        xf_config_entry_set_text(mark, xstrdup("true"));
        xf_config_entry_set_effect(mark, mark->text);
    }
    mark->seen = config->n_compared;
    owner->from_database = true;
    return mark;
}

static void
unmark(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *mark = xf_config_entry_find(owner, NULL,
                                                        XF_CONFIG_DATABASE);

    owner->from_database = false;
    if (mark && mark->text) {
        xf_config_entry_remove(config, mark);
    }
}

/* 'object' states 'text' (taken over) for what is called 'key' of 'router'.
 * Returns the entry, or NULL if another object states it already. */
struct xf_config_entry *
xf_config_state(struct xf_config *config, const struct xf_config_kind *kind,
                const char *router, const char *key, char *text,
                struct xf_db_object *object)
{
    struct xf_config_owner *owner = xf_config_owner_get(config, router);
    struct xf_config_entry *entry = xf_config_entry_find(owner, kind, key);

    if (!entry) {
        entry = xf_config_entry_create(owner, kind, key);
    } else if (entry->stated_by && entry->stated_by != object) {
        free(text);
        return NULL;
    }
    entry->stated_by = object;
    if (owner->ids && is_counted(entry) && !entry->kept
        && smap_get(owner->ids, key)) {
        entry->kept = true;
        owner->n_kept++;
    }
    if (entry->text && !strcmp(entry->text, text)) {
        free(text);
    } else {
        xf_config_entry_set_text(entry, text);
    }
    if (kind == XF_KIND_ROUTER && !owner->from_database) {
        xf_config_entry_dirty(config, xf_config_mark(config, owner));
    }
    return entry;
}

/* Whether what is stated for 'entry' is in effect already. */
bool
xf_config_is_in_effect(struct xf_config_entry *entry)
{
    if (!entry->effect || strcmp(entry->effect, entry->text)) {
        return false;
    }
    xf_config_entry_set_effect(entry, entry->text);
    xf_config_entry_set_error(entry, NULL);
    return true;
}

/* 'owner' has lost its router: what nobody states goes with it, the rest waits
 * for another one of that name. */
static void
router_gone(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *entry;

    HMAP_FOR_EACH_SAFE (entry, node, &owner->entries) {
        if (!entry->kind || !entry->text) {
            continue;
        }
        xf_config_entry_set_effect(entry, NULL);
        if (!entry->stated_by) {
            xf_config_entry_remove(config, entry);
        } else if (!entry->error) {
            xf_config_entry_set_error(
                entry, xasprintf("there is no router '%s'", owner->name));
        }
    }
    unmark(config, owner);
}

/* Nobody states 'entry' any more: takes it back. */
void
xf_config_withdraw(struct xf_config *config, struct xf_config_entry *entry)
{
    struct xf_config_owner *owner = entry->owner;
    bool in_effect = entry->effect;

    if (in_effect) {
        xf_config_unapply(config, entry);
    }
    if (entry->kind == XF_KIND_ROUTER) {
        router_gone(config, owner);
    } else {
        xf_config_entry_remove(config, entry);
    }
    xf_config_owner_reap(config, owner);
}

/* No database states anything here, for the time being; or, if not 'follows',
 * for good: routers become as if commands had made them. */
void
xf_config_follow(struct xf_config *config, bool follows)
{
    struct xf_config_owner *owner;
    struct xf_config_entry *entry;

    config->follows = follows;
    config->in_step = false;
    HMAP_FOR_EACH_SAFE (owner, node, &config->owners) {
        HMAP_FOR_EACH (entry, node, &owner->entries) {
            entry->stated_by = NULL;
        }
        if (!follows && owner->from_database) {
            unmark(config, owner);
            xf_config_owner_reap(config, owner);
        }
    }
}

/* The row of 'owner' is a new one: has all that is in effect written to it,
 * and all else removed. */
void
xf_config_restate(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *entry;
    const struct smap_node *node;

    SMAP_FOR_EACH (node, owner->ids) {
        if (!strncmp(node->key, XF_CONFIG_PREFIX, strlen(XF_CONFIG_PREFIX))) {
            const struct xf_config_kind *kind
                = xf_config_kind_of_key(node->key);

            if (!xf_config_entry_find(owner, kind, node->key)) {
                entry = xf_config_entry_create(owner, kind, node->key);
                xf_config_entry_dirty(config, entry);
            }
        }
    }
    HMAP_FOR_EACH (entry, node, &owner->entries) {
        xf_config_entry_dirty(config, entry);
    }
}

/* What a machine is on this host xenflow-hostd says in the same row, as words
 * of the commands that add objects: hostd-router, hostd-port-NAME.  If they
 * have changed, those who state such objects are told to look again. */
void
xf_config_hostd_run(struct xf_config_owner *owner)
{
    const struct smap_node **nodes = smap_sort(owner->ids);
    struct xf_config_entry *entry;
    struct ds ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < smap_count(owner->ids); i++) {
        if (!strncmp(nodes[i]->key, XF_CONFIG_HOSTD,
                     strlen(XF_CONFIG_HOSTD))) {
            ds_put_format(&ds, "%s=%s\n", nodes[i]->key, nodes[i]->value);
        }
    }
    free(nodes);
    if (strcmp(ds_cstr(&ds), owner->hostd ? owner->hostd : "")) {
        free(owner->hostd);
        owner->hostd = ds_steal_cstr(&ds);
        HMAP_FOR_EACH (entry, node, &owner->entries) {
            if (entry->stated_by && entry->kind <= XF_KIND_PORT) {
                xf_db_look_again(entry->stated_by);
            }
        }
    }
    ds_destroy(&ds);
}

/* See engine/config.h. */
char *
xf_config_check_job(const struct xf_config *config, const struct xf_job *job)
{
    const struct xf_config_kind *kind = xf_config_kind_of_job(job);
    const struct xf_config_owner *owner
        = (config->follows && kind
           ? xf_config_owner_find(config, job->args.router) : NULL);

    if (!owner || !owner->from_database) {
        return NULL;
    }
    if (kind == XF_KIND_NEIGH && !strcmp(job->command->name, kind->del)) {
        char *key = xf_config_make_key(kind, &job->args);
        bool stated = xf_config_entry_find(owner, kind, key);

        free(key);
        if (!stated) {
            return NULL;        /* One that was learned. */
        }
    }
    return xasprintf("router '%s' is in the database XenFlow, which says what "
                     "it is: change it there, with xfctl", owner->name);
}
