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
#include "hash.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_config_entry);

/* What is kept, and how commands become entries. */

/* ---- Kinds of objects. ---- */

static void
router_object(const struct xf_args *args OVS_UNUSED, struct ds *ds OVS_UNUSED)
{
}

static void
port_object(const struct xf_args *args, struct ds *ds)
{
    ds_put_cstr(ds, args->port);
}

static void
neigh_object(const struct xf_args *args, struct ds *ds)
{
    ds_put_format(ds, "%s,", args->port);
    xf_addr_format(&args->ip, ds);
}

static void
rule_object(const struct xf_args *args, struct ds *ds)
{
    xf_prefix_format(&args->prefix, ds);
    if (args->metric && args->metric != UINT32_MAX) {
        ds_put_format(ds, ",metric,%"PRIu32, args->metric);
    }
}

/* The match's commas are spaces here: commas separate words. */
static void
select_object(const struct xf_args *args, struct ds *ds)
{
    size_t start = ds->length;

    xf_match_format(&args->select.match, ds);
    for (char *p = ds_cstr(ds) + start; *p; p++) {
        *p = *p == ',' ? ' ' : *p;
    }
    ds_put_format(ds, ",direction=%s,priority=%"PRIu16,
                  args->select.both ? "both"
                  : args->select.reverse ? "reverse" : "forward",
                  args->select.priority);
}

/* The words of a match and its priority; "filter-del" and "flow-del" take them
 * as words, too. */
static void
match_object(const struct xf_args *args, struct ds *ds)
{
    xf_match_format(&args->rule.match, ds);
    ds_put_format(ds, ",priority=%"PRIu16, args->rule.priority);
}

/* In the order in which they are restored: what others refer to first. */
const struct xf_config_kind xf_config_kinds[XF_N_CONFIG_KINDS] = {
    { "router", "xenflow/router-add", "xenflow/router-set",
      "xenflow/router-del", 0, router_object },
    { "port", "xenflow/port-add", "xenflow/port-set", "xenflow/port-del", 1,
      port_object },
    { "neigh", "xenflow/neigh-add", NULL, "xenflow/neigh-del", 2,
      neigh_object },
    { "rule", "xenflow/rule-add", NULL, "xenflow/rule-del", 1, rule_object },
    { "filter", "xenflow/filter-add", NULL, "xenflow/filter-del", 0,
      match_object },
    { "flow", "xenflow/flow-add", NULL, "xenflow/flow-del", 0, match_object },
    { "select", "xenflow/select-add", NULL, "xenflow/select-del", 1,
      select_object },
};

enum op { OP_NONE, OP_ADD, OP_SET, OP_DEL };

/* Finds what 'command' does to objects of which kind. */
static enum op
find_op(const struct xf_command *command, const struct xf_config_kind **kindp)
{
    for (size_t i = 0; i < ARRAY_SIZE(xf_config_kinds); i++) {
        const struct xf_config_kind *kind = &xf_config_kinds[i];

        *kindp = kind;
        if (!strcmp(command->name, kind->add)) {
            return OP_ADD;
        } else if (kind->set && !strcmp(command->name, kind->set)) {
            return OP_SET;
        } else if (!strcmp(command->name, kind->del)) {
            return OP_DEL;
        }
    }
    *kindp = NULL;
    return OP_NONE;
}

/* The kind that 'key' begins with, or NULL. */
const struct xf_config_kind *
xf_config_kind_of_key(const char *key)
{
    key += strlen(XF_CONFIG_PREFIX);
    for (size_t i = 0; i < ARRAY_SIZE(xf_config_kinds); i++) {
        size_t n = strlen(xf_config_kinds[i].name);

        if (!strncmp(key, xf_config_kinds[i].name, n)
            && key[n] == (xf_config_kinds[i].object == router_object ? '\0' : '-')) {
            return &xf_config_kinds[i];
        }
    }
    return NULL;
}

/* A sentence about a key that is of no kind, to be freed by the caller. */
char *
xf_config_explain_key(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&ds, "nothing is called like that: remove the key, or begin "
                "it with ");
    for (size_t i = 0; i < ARRAY_SIZE(xf_config_kinds); i++) {
        ds_put_format(&ds, "%s" XF_CONFIG_PREFIX "%s%s",
                      !i ? "" : i + 1 < ARRAY_SIZE(xf_config_kinds) ? ", "
                      : " or ", xf_config_kinds[i].name, i ? "-" : "");
    }
    return ds_steal_cstr(&ds);
}

/* The object's name in 'key', which is of 'kind'. */
const char *
xf_config_object_of_key(const struct xf_config_kind *kind, const char *key)
{
    key += strlen(XF_CONFIG_PREFIX) + strlen(kind->name);
    return key[0] ? key + 1 : key;
}

/* The key of the object that 'args' name, to be freed by the caller. */
char *
xf_config_make_key(const struct xf_config_kind *kind,
                   const struct xf_args *args)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, XF_CONFIG_PREFIX "%s", kind->name);
    if (kind != XF_KIND_ROUTER) {
        ds_put_char(&ds, '-');
        kind->object(args, &ds);
    }
    return ds_steal_cstr(&ds);
}

/* Appends 'word' so that svec_parse_words() gives it back. */
void
xf_config_put_word(struct ds *ds, const char *word)
{
    bool quote = !word[0] || strpbrk(word, " \t\n'\"\\");

    ds_put_format(ds, "%s%s", ds->length ? " " : "", quote ? "\"" : "");
    for (const char *p = word; *p; p++) {
        if (*p == '"' || *p == '\\') {
            ds_put_char(ds, '\\');
        }
        ds_put_char(ds, *p);
    }
    ds_put_cstr(ds, quote ? "\"" : "");
}

/* See engine/config.h. */
char *
xf_config_text(const struct xf_command *command, int n, const char *argv[])
{
    const struct xf_config_kind *kind;
    enum op op = find_op(command, &kind);
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (op != OP_ADD && op != OP_SET) {
        return NULL;
    }
    for (int i = 1 + kind->n_words; i < n; i++) {
        xf_config_put_word(&ds, argv[i]);
    }
    return ds_steal_cstr(&ds);
}

/* ---- Entries. ---- */

/* Routes to one prefix share a hash, so that the best of them is found without
 * looking at all. */
static uint32_t
entry_hash(const struct xf_config_kind *kind, const char *key)
{
    size_t n = strlen(key);

    if (kind == XF_KIND_RULE) {
        n = strcspn(key, XF_CONFIG_SEPARATOR);
    }
    return hash_bytes(key, n, 0);
}

struct xf_config_entry *
xf_config_entry_find(const struct xf_config_owner *owner,
                     const struct xf_config_kind *kind, const char *key)
{
    struct xf_config_entry *entry;

    HMAP_FOR_EACH_WITH_HASH (entry, node, entry_hash(kind, key),
                             &owner->entries) {
        if (!strcmp(entry->key, key)) {
            return entry;
        }
    }
    return NULL;
}

struct xf_config_entry *
xf_config_entry_create(struct xf_config_owner *owner,
                       const struct xf_config_kind *kind, const char *key)
{
    struct xf_config_entry *entry = xzalloc(sizeof *entry);

    entry->kind = kind;
    entry->owner = owner;
    entry->key = xstrdup(key);
    entry->state = XF_CONFIG_CLEAN;
    ovs_list_init(&entry->released_node);
    hmap_insert(&owner->entries, &entry->node, entry_hash(kind, key));
    return entry;
}

/* Says that 'entry' isn't in effect because of 'error' (taken over), or, if
 * that is NULL, that it is. */
void
xf_config_entry_set_error(struct xf_config_entry *entry, char *error)
{
    struct xf_config_owner *owner = entry->owner;

    bool changed = (error ? !entry->error || strcmp(error, entry->error)
                    : entry->error != NULL);

    if (error && changed && !entry->stated_by) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(60, 60);

        VLOG_WARN_RL(&rl, "interface %s: external_ids:%s=\"%s\" isn't used: "
                     "%s", owner->name, entry->key, entry->text, error);
    }
    if (!entry->error && error) {
        ovs_list_push_back(&owner->refused, &entry->refused_node);
    } else if (entry->error && !error) {
        ovs_list_remove(&entry->refused_node);
    }
    free(entry->error);
    entry->error = error;
    if (changed && entry->stated_by) {
        xf_db_error_changed(entry->stated_by);
    }
    ovs_list_remove(&owner->refused_node);
    ovs_list_init(&owner->refused_node);
    if (!ovs_list_is_empty(&owner->refused)) {
        ovs_list_push_back(&owner->config->refused, &owner->refused_node);
    }
}

/* Gives 'entry' the text 'text' (taken over), which isn't in effect yet. */
void
xf_config_entry_set_text(struct xf_config_entry *entry, char *text)
{
    if (entry->text != entry->effect) {
        free(entry->text);
    }
    entry->text = text;
}

/* Says which text is in effect: 'entry->text' or NULL. */
void
xf_config_entry_set_effect(struct xf_config_entry *entry, char *effect)
{
    if (entry->effect != entry->text) {
        free(entry->effect);
    }
    entry->effect = effect;
}

void
xf_config_entry_destroy(struct xf_config_entry *entry)
{
    struct xf_config_owner *owner = entry->owner;

    entry->stated_by = NULL;
    xf_config_entry_set_error(entry, NULL);
    owner->n_kept -= entry->kept;
    ovs_list_remove(&entry->released_node);
    if (entry->state != XF_CONFIG_CLEAN) {
        ovs_list_remove(&entry->list_node);
    }
    if (ovs_list_is_empty(&owner->dirty)) {
        ovs_list_remove(&owner->dirty_node);
        ovs_list_init(&owner->dirty_node);
    }
    hmap_remove(&owner->entries, &entry->node);
    xf_config_entry_set_effect(entry, NULL);
    free(entry->text);
    free(entry->key);
    free(entry);
}

/* Has 'entry' written. */
void
xf_config_entry_dirty(struct xf_config *config,
                      struct xf_config_entry *entry)
{
    struct xf_config_owner *owner = entry->owner;

    if (!xf_config_entry_keep(entry)) {
        return;
    }
    config->seq++;
    if (entry->state == XF_CONFIG_DIRTY) {
        return;
    }
    if (entry->state == XF_CONFIG_SENT) {
        ovs_list_remove(&entry->list_node);
    }
    entry->state = XF_CONFIG_DIRTY;
    ovs_list_push_back(&owner->dirty, &entry->list_node);
    if (owner->row && ovs_list_is_empty(&owner->dirty_node)) {
        ovs_list_push_back(&config->dirty, &owner->dirty_node);
    }
}

/* Has 'entry' removed: from the row, if there is one. */
void
xf_config_entry_remove(struct xf_config *config, struct xf_config_entry *entry)
{
    if (!entry->owner->row && entry->state != XF_CONFIG_SENT) {
        xf_config_entry_destroy(entry);
        return;
    }
    xf_config_entry_set_error(entry, NULL);
    xf_config_entry_set_effect(entry, NULL);
    xf_config_entry_set_text(entry, NULL);
    xf_config_entry_dirty(config, entry);
}

/* ---- Owners. ---- */

struct xf_config_owner *
xf_config_owner_find(const struct xf_config *config, const char *name)
{
    struct xf_config_owner *owner;

    HMAP_FOR_EACH_WITH_HASH (owner, node, hash_string(name, 0),
                             &config->owners) {
        if (!strcmp(owner->name, name)) {
            return owner;
        }
    }
    return NULL;
}

/* The owner called 'name', made if need be. */
struct xf_config_owner *
xf_config_owner_get(struct xf_config *config, const char *name)
{
    struct xf_config_owner *owner = xf_config_owner_find(config, name);

    if (!owner) {
        owner = xzalloc(sizeof *owner);
        owner->name = xstrdup(name);
        hmap_init(&owner->entries);
        ovs_list_init(&owner->dirty);
        ovs_list_init(&owner->refused);
        ovs_list_init(&owner->dirty_node);
        ovs_list_init(&owner->changed_node);
        ovs_list_init(&owner->refused_node);
        owner->config = config;
        hmap_insert(&config->owners, &owner->node, hash_string(name, 0));
    }
    return owner;
}

void
xf_config_owner_destroy(struct xf_config *config, struct xf_config_owner *owner)
{
    struct xf_config_entry *entry;

    HMAP_FOR_EACH_SAFE (entry, node, &owner->entries) {
        xf_config_entry_destroy(entry);
    }
    hmap_destroy(&owner->entries);
    ovs_list_remove(&owner->dirty_node);
    ovs_list_remove(&owner->changed_node);
    ovs_list_remove(&owner->refused_node);
    hmap_remove(&config->owners, &owner->node);
    free(owner->hostd);
    free(owner->name);
    free(owner);
}

/* Forgets 'owner' if nothing is left of it. */
void
xf_config_owner_reap(struct xf_config *config, struct xf_config_owner *owner)
{
    if (!owner->row && hmap_is_empty(&owner->entries)) {
        xf_config_owner_destroy(config, owner);
    }
}

/* ---- From commands to entries. ---- */

/* Whether 'a' and 'b' are KEY=VALUE options of one key; args.c takes '_' for
 * '-'. */
static bool
same_option(const char *a, const char *b)
{
    for (; *a && *a != '='; a++, b++) {
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) {
            return false;
        }
    }
    return *a == *b;
}

/* 'old' with the options that 'new' gives, to be freed by the caller. */
static char *
merge_options(const char *old, const char *new)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    struct svec changes = SVEC_EMPTY_INITIALIZER;

    svec_parse_words(&words, old);
    svec_parse_words(&changes, new);
    for (size_t i = 0; i < changes.n; i++) {
        size_t j;

        for (j = 0; j < words.n; j++) {
            if (same_option(words.names[j], changes.names[i])) {
                break;
            }
        }
        if (j < words.n) {
            free(words.names[j]);
            words.names[j] = xstrdup(changes.names[i]);
        } else {
            svec_add(&words, changes.names[i]);
        }
    }

    struct ds merged = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < words.n; i++) {
        xf_config_put_word(&merged, words.names[i]);
    }
    svec_destroy(&words);
    svec_destroy(&changes);
    return ds_steal_cstr(&merged);
}

/* Interface 'port' is gone, and its neighbours with it.  If 'removed', their
 * keys go, too; else they may come into effect again. */
void
xf_config_port_gone(struct xf_config *config, struct xf_config_owner *owner,
                    const char *port, bool removed)
{
    struct xf_config_entry *entry;

    HMAP_FOR_EACH_SAFE (entry, node, &owner->entries) {
        if (entry->kind == XF_KIND_NEIGH && entry->effect) {
            const char *object = xf_config_object_of_key(XF_KIND_NEIGH,
                                                         entry->key);
            size_t n = strcspn(object, XF_CONFIG_SEPARATOR);

            if (n != strlen(port) || strncmp(object, port, n)) {
                continue;
            } else if (removed) {
                xf_config_entry_remove(config, entry);
            } else {
                xf_config_entry_set_effect(entry, NULL);
                xf_config_entry_set_error(
                    entry, xasprintf("port '%s' is gone", port));
            }
        }
    }
}

/* "rule-del PREFIX" takes the route with the lowest metric: finds it. */
static struct xf_config_entry *
find_best_rule(const struct xf_config_owner *owner, const char *key)
{
    struct xf_config_entry *entry, *best = NULL;
    unsigned long long int best_metric = 0;
    size_t n = strlen(key);

    HMAP_FOR_EACH_WITH_HASH (entry, node, entry_hash(XF_KIND_RULE, key),
                             &owner->entries) {
        if (entry->kind == XF_KIND_RULE && entry->effect
            && !strncmp(entry->key, key, n)
            && (!entry->key[n] || entry->key[n] == XF_CONFIG_SEPARATOR[0])) {
            const char *last = strrchr(entry->key + n, XF_CONFIG_SEPARATOR[0]);
            unsigned long long int metric
                = last ? strtoull(last + 1, NULL, 10) : 0;

            if (!best || metric < best_metric) {
                best = entry;
                best_metric = metric;
            }
        }
    }
    return best;
}

static void
note_del(struct xf_config *config, struct xf_config_owner *owner,
         const struct xf_config_kind *kind, const struct xf_job *job,
         const char *key)
{
    struct xf_config_entry *entry;

    if (kind == XF_KIND_ROUTER || job->args.rule.all) {
        HMAP_FOR_EACH_SAFE (entry, node, &owner->entries) {
            if (kind == XF_KIND_ROUTER || entry->kind == kind) {
                xf_config_entry_remove(config, entry);
            }
        }
        return;
    }
    entry = (kind == XF_KIND_RULE && job->args.metric == UINT32_MAX
             ? find_best_rule(owner, key)
             : xf_config_entry_find(owner, kind, key));
    if (entry) {
        xf_config_entry_remove(config, entry);
    }
    if (kind == XF_KIND_PORT) {
        xf_config_port_gone(config, owner, job->args.port, true);
    }
}

/* The kind of objects that the command of 'job' changes for good, or NULL. */
const struct xf_config_kind *
xf_config_kind_of_job(const struct xf_job *job)
{
    const struct xf_config_kind *kind;
    enum op op = find_op(job->command, &kind);

    /* A flow that is there for a time isn't kept. */
    return (op == OP_NONE || job->args.rule.idle_s || job->args.rule.hard_s
            ? NULL : kind);
}

/* See engine/config.h. */
void
xf_config_note(struct xf_config *config, struct xf_job *job)
{
    const struct xf_config_kind *kind;
    enum op op = find_op(job->command, &kind);

    if (!xf_config_kind_of_job(job)) {
        return;
    }

    struct xf_config_owner *owner = xf_config_owner_get(config, job->args.router);
    char *key = xf_config_make_key(kind, &job->args);
    if (op == OP_DEL) {
        note_del(config, owner, kind, job, key);
    } else {
        struct xf_config_entry *entry = xf_config_entry_find(owner, kind, key);

        if (!entry) {
            entry = xf_config_entry_create(owner, kind, key);
        }
        xf_config_entry_set_error(entry, NULL);
        xf_config_entry_set_text(entry, op == OP_SET && entry->effect
                                  ? merge_options(entry->effect, job->text)
                                  : xstrdup(job->text));
        xf_config_entry_set_effect(entry, entry->text);
        xf_config_entry_dirty(config, entry);
        xf_config_retry(config);
    }
    job->config_seq = owner->row ? config->seq : 0;
    free(key);
    xf_config_owner_reap(config, owner);
}

/* See engine/config.h. */
bool
xf_config_is_written(const struct xf_config *config, const struct xf_job *job)
{
    return (job->config_seq <= config->written_seq
            || !xf_config_db_is_connected(config->db));
}

