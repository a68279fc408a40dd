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

#include "xfctl.h"

#include "ovsdb-idl-provider.h"
#include "sset.h"
#include "svec.h"
#include "table.h"
#include "util.h"

/* Commands on what a router has in rows of their own: KIND-add, -del, -list. */

const struct xf_child_kind *
xf_child_kind_find(const char *name)
{
    for (size_t i = 0; i < xf_n_child_kinds; i++) {
        if (!strcmp(xf_child_kinds[i].name, name)) {
            return &xf_child_kinds[i];
        }
    }
    return NULL;
}

/* ---- Rows of a router. ---- */

#define N_KINDS_MAX 8

/* By the router, and by it and the key.  Of the one database that this program
 * talks to. */
static struct ovsdb_idl_index *router_indexes[N_KINDS_MAX];
static struct ovsdb_idl_index *key_indexes[N_KINDS_MAX];

void
xf_child_indexes_create(struct ovsdb_idl *idl)
{
    ovs_assert(xf_n_child_kinds <= N_KINDS_MAX);
    for (size_t i = 0; i < xf_n_child_kinds; i++) {
        const struct xf_child_kind *kind = &xf_child_kinds[i];

        router_indexes[i] = ovsdb_idl_index_create1(idl, kind->router);
        key_indexes[i] = ovsdb_idl_index_create2(idl, kind->key,
                                                 kind->router);
    }
}

/* The rows that equal 'key', which is freed. */
static struct xf_rows
rows_equal(struct ovsdb_idl_index *index, struct ovsdb_idl_row *key)
{
    struct ovsdb_idl_cursor c = ovsdb_idl_cursor_first_eq(index, key);
    struct xf_rows rows = { NULL, 0 };
    size_t allocated = 0;
    xf_row *row;

    while ((row = ovsdb_idl_cursor_data(&c))) {
        if (rows.n >= allocated) {
            rows.rows = x2nrealloc(rows.rows, &allocated, sizeof *rows.rows);
        }
        rows.rows[rows.n++] = row;
        ovsdb_idl_cursor_next_eq(&c);
    }
    ovsdb_idl_index_destroy_row(key);
    return rows;
}

static struct xf_rows
children(const struct xf_child_kind *kind, xf_row *router)
{
    struct ovsdb_idl_index *index = router_indexes[kind - xf_child_kinds];
    struct ovsdb_idl_row *key = ovsdb_idl_index_init_row(index);

    xf_index_ref(key, kind->router, router);
    return rows_equal(index, key);
}

struct xf_rows
xf_children_with_string(const struct xf_child_kind *kind, xf_row *router,
                        const char *s)
{
    struct ovsdb_idl_index *index = key_indexes[kind - xf_child_kinds];
    struct ovsdb_idl_row *key = ovsdb_idl_index_init_row(index);

    xf_index_ref(key, kind->router, router);
    xf_index_string(key, kind->key, s);
    return rows_equal(index, key);
}

struct xf_rows
xf_children_with_integer(const struct xf_child_kind *kind, xf_row *router,
                         int64_t integer)
{
    struct ovsdb_idl_index *index = key_indexes[kind - xf_child_kinds];
    struct ovsdb_idl_row *key = ovsdb_idl_index_init_row(index);

    xf_index_ref(key, kind->router, router);
    xf_index_integer(key, kind->key, integer);
    return rows_equal(index, key);
}

/* Removes all rows of 'kind' of 'router'; returns how many. */
size_t
xf_children_remove(const struct xf_child_kind *kind, xf_row *router)
{
    struct xf_rows rows = children(kind, router);

    for (size_t i = 0; i < rows.n; i++) {
        ovsdb_idl_txn_delete(rows.rows[i]);
    }
    free(rows.rows);
    return rows.n;
}

/* Removes the rows of 'kind' of 'router' whose words aren't in 'rules', and from
 * 'rules' those that rows have. */
void
xf_children_retain(const struct xf_child_kind *kind, xf_row *router,
                   struct sset *rules)
{
    struct xf_rows rows = children(kind, router);
    struct ds ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < rows.n; i++) {
        ds_clear(&ds);
        kind->format(rows.rows[i], &ds);
        if (!sset_find_and_delete(rules, ds_cstr(&ds))) {
            ovsdb_idl_txn_delete(rows.rows[i]);
        }
    }
    ds_destroy(&ds);
    free(rows.rows);
}

/* The words that make each row of 'kind' of 'router' again, sorted; array and
 * texts are the caller's. */
char **
xf_children_format(const struct xf_child_kind *kind, xf_row *router, size_t *n)
{
    struct xf_rows rows = children(kind, router);
    struct svec texts = SVEC_EMPTY_INITIALIZER;

    for (size_t i = 0; i < rows.n; i++) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        kind->format(rows.rows[i], &ds);
        svec_add_nocopy(&texts, ds_steal_cstr(&ds));
    }
    free(rows.rows);
    svec_sort(&texts);
    *n = texts.n;
    return texts.names;
}

/* ---- Commands. ---- */

/* "rule-add" -> its kind. */
static const struct xf_child_kind *
kind_of_command(const struct ctl_context *ctx)
{
    char *name = xmemdup0(ctx->argv[0], strcspn(ctx->argv[0], "-"));
    const struct xf_child_kind *kind = xf_child_kind_find(name);

    free(name);
    return kind;
}

static const struct xfrec_router *
find_router(struct ctl_context *ctx)
{
    xf_row *row = NULL;

    ctx->error = xf_object_get(ctx, xf_kind_find("router"), ctx->argv[1],
                               &row);
    return row ? CONTAINER_OF(row, struct xfrec_router, header_) : NULL;
}

static void
cmd_add(struct ctl_context *ctx)
{
    const struct xf_child_kind *kind = kind_of_command(ctx);
    const struct xfrec_router *router = find_router(ctx);

    if (router) {
        ctx->error = kind->add(ctx, router, ctx->argc - 2,
                               (const char **) ctx->argv + 2);
    }
}

static void
cmd_del(struct ctl_context *ctx)
{
    const struct xf_child_kind *kind = kind_of_command(ctx);
    const struct xfrec_router *router = find_router(ctx);
    bool found = false;

    if (!router) {
        return;
    }
    if (ctx->argc == 3 && !strcmp(ctx->argv[2], "all")) {
        xf_children_remove(kind, &router->header_);
        return;
    }
    ctx->error = kind->del(ctx, router, ctx->argc - 2,
                           (const char **) ctx->argv + 2, &found);
    if (!ctx->error && !found && !shash_find(&ctx->options, "--if-exists")) {
        ctx->error = xasprintf("router '%s' has no such %s '%s': see "
                               "%s-list %s", router->name, kind->name,
                               ctx->argv[2], kind->name, router->name);
    }
}

static void
cmd_list(struct ctl_context *ctx)
{
    const struct xf_child_kind *kind = kind_of_command(ctx);
    const struct xfrec_router *router = find_router(ctx);
    size_t n;

    if (!router) {
        return;
    }

    char **texts = xf_children_format(kind, &router->header_, &n);
    struct table *table = xmalloc(sizeof *table);
    table_init(table);
    table_add_column(table, "%s", kind->name);
    for (size_t i = 0; i < n; i++) {
        table_add_row(table);
        table_add_cell(table)->text = texts[i];
    }
    free(texts);
    ctx->table = table;
}

void
xf_child_commands_register(void)
{
    for (size_t i = 0; i < xf_n_child_kinds; i++) {
        const struct xf_child_kind *kind = &xf_child_kinds[i];
        struct ctl_command_syntax syntax[] = {
            { xasprintf("%s-add", kind->name), 3, INT_MAX,
              xasprintf("ROUTER %s", kind->usage), xf_pre_all, cmd_add, NULL,
              "", RW },
            { xasprintf("%s-del", kind->name), 2, INT_MAX,
              xasprintf("ROUTER {%s | all}", kind->key_usage), xf_pre_all,
              cmd_del, NULL, "--if-exists", RW },
            { xasprintf("%s-list", kind->name), 1, 1, "ROUTER", xf_pre_all,
              cmd_list, NULL, "", RO },
            { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
        };

        /* Registered commands are pointed to, and stay until the end. */
        ctl_register_commands(xmemdup(syntax, sizeof syntax));
    }
}
