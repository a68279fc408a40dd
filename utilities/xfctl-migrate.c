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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "ovsdb-idl-provider.h"
#include "ovsdb-idl.h"
#include "svec.h"
#include "table.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-plan.h"

/* Commands on migrations.  They check, and queue what xfctl-watch.c begins and
 * waits for when the transaction is through: xenflow-manager does the rest. */

/* ---- Options, before or after the command's name. ---- */

/* Value of option 'name' ("--to"); "" if it has none, NULL if it isn't given. */
static const char *
get_option(struct ctl_context *ctx, const char *name)
{
    struct shash_node *node = shash_find(&ctx->options, name);
    size_t len = strlen(name);

    if (node) {
        return node->data ? node->data : "";
    }
    for (int i = 1; i < ctx->argc; i++) {
        if (!strncmp(ctx->argv[i], name, len)
            && (!ctx->argv[i][len] || ctx->argv[i][len] == '=')) {
            return ctx->argv[i][len] ? &ctx->argv[i][len + 1] : "";
        }
    }
    return NULL;
}

static bool
is_dry_run(struct ctl_context *ctx)
{
    return xf_dry_run || get_option(ctx, "--dry-run");
}

/* Takes the words that are no options to 'words'; there have to be 'n', and the
 * options have to be those of 'known', with spaces between them. */
static char * OVS_WARN_UNUSED_RESULT
get_words(struct ctl_context *ctx, const char *known, const char *words[],
          int n)
{
    int n_words = 0;

    for (int i = 1; i < ctx->argc; i++) {
        const char *arg = ctx->argv[i];
        char *option = xasprintf(" %.*s ", (int) strcspn(arg, "="), arg);
        bool is_known = strstr(known, option);

        free(option);
        if (strncmp(arg, "--", 2)) {
            if (n_words < n) {
                words[n_words] = arg;
            }
            n_words++;
        } else if (!is_known) {
            return xasprintf("%s doesn't have option '%s'", ctx->argv[0],
                             arg);
        }
    }
    return (n_words == n ? NULL
            : xasprintf("%s needs %d name%s, not %d", ctx->argv[0], n,
                        n == 1 ? "" : "s", n_words));
}

/* ---- Objects. ---- */

static const struct xfrec_router *
get_router(struct ctl_context *ctx, const char *name)
{
    xf_row *row;

    ctx->error = xf_object_get(ctx, xf_kind_find("router"), name, &row);
    return ctx->error ? NULL : CONTAINER_OF(row, struct xfrec_router, header_);
}

static const struct xfrec_host *
get_host(struct ctl_context *ctx, const char *name)
{
    xf_row *row;

    ctx->error = xf_object_get(ctx, xf_kind_find("host"), name, &row);
    return ctx->error ? NULL : CONTAINER_OF(row, struct xfrec_host, header_);
}

static const struct xfrec_link *
get_link(struct ctl_context *ctx, const char *name)
{
    xf_row *row;

    ctx->error = xf_object_get(ctx, xf_kind_find("link"), name, &row);
    return ctx->error ? NULL : CONTAINER_OF(row, struct xfrec_link, header_);
}

/* A sentence with all 'reasons', of which there is one at least. */
static char *
refuse(const char *what, const char *name, struct svec *reasons)
{
    char *list = svec_join(reasons, "\n  ", "");
    char *error = xasprintf("%s '%s' can't move:\n  %s", what, name, list);

    free(list);
    return error;
}

/* Whether who moves a router has begun with the value of 'column'. */
static bool
is_of_move(const struct ovsdb_idl_column *column)
{
    return (column == &xfrec_router_col_host
            || column == &xfrec_router_col_separated
            || column == &xfrec_router_col_backend);
}

/* Why the router in 'row' can't get the value 'text' for 'key', which was
 * 'old': a sentence, or NULL. */
char *
xf_migration_check(xf_row *row, const struct xf_field *key, const char *old,
                   const char *text)
{
    const struct xfrec_router *router;

    if (row->table->class_ != &xfrec_table_router || !is_of_move(key->column)
        || !strcmp(old, text)) {
        return NULL;
    }
    router = CONTAINER_OF(row, struct xfrec_router, header_);
    return (router->migration && !xf_check_is_ended(router->migration)
            ? xasprintf("router '%s' moves: wait for the end of that, or "
                        "migration-cancel %s", router->name, router->name)
            : NULL);
}

/* ---- router-migrate, router-swap. ---- */

/* "s1 s2 s3": the hosts of 'way'. */
static void
put_way(struct ds *ds, const char *name, const struct xf_plan *way)
{
    const struct xfrec_host *last = NULL;

    ds_put_format(ds, "  link %s:", name);
    for (size_t i = 0; i < way->n; i++) {
        if (way->hops[i].host != last) {
            last = way->hops[i].host;
            ds_put_format(ds, " %s", last->name);
        }
    }
    ds_put_char(ds, '\n');
}

/* What would be done. */
static void
put_plan(struct ctl_context *ctx, const struct xfrec_router *router,
         const struct xfrec_host *to, const char *technique)
{
    struct xf_plan_session *s = xf_plan_session_create(ctx->idl,
                                                       time_wall_msec());
    size_t n;
    const struct xfrec_link **links = xf_plan_links(ctx->idl, router, &n);

    ds_put_format(&ctx->output, "%s can move from %s to %s (%s)\n",
                  router->name, router->host->name, to->name, technique);
    for (size_t i = 0; i < n; i++) {
        struct xf_plan way;
        char *error = xf_plan_link(s, links[i], router, to, &way);

        if (!error) {
            put_way(&ctx->output, links[i]->name, &way);
            xf_plan_destroy(&way);
        }
        free(error);
    }
    free(links);
    xf_plan_session_destroy(s);
}

/* Checks a move, and queues it or says what it would do. */
static char * OVS_WARN_UNUSED_RESULT
move_router(struct ctl_context *ctx, const struct xfrec_router *router,
            const struct xfrec_host *to, const char *technique)
{
    struct svec reasons = SVEC_EMPTY_INITIALIZER;
    char *error = NULL;

    xf_check_router_move(ctx->idl, router, to, technique, NULL,
                         time_wall_msec(), &reasons);
    if (reasons.n) {
        error = refuse("router", router->name, &reasons);
    } else if (is_dry_run(ctx)) {
        put_plan(ctx, router, to, technique);
    } else {
        xf_watch_router(router->name, to->name, technique);
    }
    svec_destroy(&reasons);
    return error;
}

static void
cmd_router_migrate(struct ctl_context *ctx)
{
    const char *to = get_option(ctx, "--to");
    const char *technique = get_option(ctx, "--technique");
    const struct xfrec_router *router;
    const struct xfrec_host *host;
    const char *name;

    ctx->error = get_words(ctx, " --to --technique --dry-run --no-wait ",
                           &name, 1);
    if (ctx->error) {
        return;
    } else if (!to) {
        ctx->error = xstrdup("where to? Add --to=HOST");
        return;
    } else if (technique && strcmp(technique, "separated")
               && strcmp(technique, "native")) {
        ctx->error = xasprintf("'%s' is no technique: use separated or native",
                               technique);
        return;
    }
    router = get_router(ctx, name);
    host = router ? get_host(ctx, to) : NULL;
    if (host) {
        xf_watch_begin(get_option(ctx, "--no-wait") != NULL);
        ctx->error = move_router(ctx, router, host, technique ? technique
                                 : xf_check_technique(router));
    }
}

static void
cmd_router_swap(struct ctl_context *ctx)
{
    const struct xfrec_router *routers[2];
    const char *names[2];

    ctx->error = get_words(ctx, " --dry-run ", names, 2);
    for (int i = 0; i < 2 && !ctx->error; i++) {
        routers[i] = get_router(ctx, names[i]);
        if (!ctx->error && !routers[i]->host) {
            ctx->error = xasprintf("router '%s' is on no host", names[i]);
        }
    }
    if (ctx->error) {
        return;
    }
    /* One after the other: so one of the hosts has to have room for both. */
    xf_watch_begin(false);
    for (int i = 0; i < 2 && !ctx->error; i++) {
        ctx->error = move_router(ctx, routers[i], routers[!i]->host,
                                 xf_check_technique(routers[i]));
    }
}

/* ---- link-move. ---- */

/* Pins 'link' to 'path'.  The columns are set here: a KEY=VALUE would give the
 * link its new way at once. */
static char * OVS_WARN_UNUSED_RESULT
pin(struct ctl_context *ctx, const struct xfrec_link *link, const char *path)
{
    struct xf_plan_session *s;
    char *error = xf_check_path(path, NULL);

    if (error) {
        return error;
    }
    xfrec_link_set_policy(link, "pinned");
    xfrec_link_set_path(link, path);
    s = xf_plan_session_create(ctx->idl, time_wall_msec());
    error = xf_plan_check_path(s, link);
    xf_plan_session_destroy(s);
    return error;
}

static void
cmd_link_move(struct ctl_context *ctx)
{
    const char *path = get_option(ctx, "--path");
    struct svec reasons = SVEC_EMPTY_INITIALIZER;
    const struct xfrec_link *link;
    const char *name;

    ctx->error = get_words(ctx, " --path --dry-run --no-wait ", &name, 1);
    link = ctx->error ? NULL : get_link(ctx, name);
    if (!link) {
        return;
    }
    if (path) {
        ctx->error = pin(ctx, link, path);
        if (ctx->error) {
            return;
        }
    }
    xf_check_link_move(ctx->idl, link, NULL, time_wall_msec(), &reasons);
    if (reasons.n) {
        ctx->error = refuse("link", name, &reasons);
    } else if (is_dry_run(ctx)) {
        ds_put_format(&ctx->output, "%s can move\n", name);
        xf_dry_run = true;      /* The path isn't kept either. */
    } else {
        xf_watch_begin(get_option(ctx, "--no-wait") != NULL);
        xf_watch_link(name);
    }
    svec_destroy(&reasons);
}

/* ---- host-evacuate, host-power-off. ---- */

static void
cmd_host_evacuate(struct ctl_context *ctx)
{
    bool power_off = !strcmp(ctx->argv[0], "host-power-off");
    const char *to = get_option(ctx, "--to");
    struct svec names = SVEC_EMPTY_INITIALIZER;
    const struct xfrec_router *router;
    const struct xfrec_host *host;
    const char *name;

    ctx->error = get_words(ctx, " --to --dry-run ", &name, 1);
    host = ctx->error ? NULL : get_host(ctx, name);
    if (!host) {
        return;
    }
    XFREC_ROUTER_FOR_EACH (router, ctx->idl) {
        if (router->host == host) {
            svec_add(&names, router->name);
        }
    }
    svec_sort(&names);
    xf_watch_begin(false);
    for (size_t i = 0; i < names.n && !ctx->error; i++) {
        const struct xfrec_router *mover = get_router(ctx, names.names[i]);
        const struct xfrec_host *best = NULL;
        char *error = xf_watch_choose(ctx->idl, mover, to, &best);

        if (error) {
            ctx->error = error;
        } else if (is_dry_run(ctx)) {
            put_plan(ctx, mover, best, xf_check_technique(mover));
        } else {
            xf_watch_router(mover->name, to ? to : "",
                            xf_check_technique(mover));
        }
    }
    if (!ctx->error && !is_dry_run(ctx)) {
        xf_watch_host(name, power_off);
    }
    svec_destroy(&names);
}

/* ---- migration-list, -show, -cancel. ---- */

static int
compare_migrations(const void *a_, const void *b_)
{
    const struct xfrec_migration *const *a = a_, *const *b = b_;

    return ((*a)->begun_ms < (*b)->begun_ms ? -1
            : (*a)->begun_ms > (*b)->begun_ms ? 1
            : strcmp((*a)->name, (*b)->name));
}

/* All, the oldest first; to be freed. */
static const struct xfrec_migration **
sort_migrations(struct ovsdb_idl *idl, size_t *n)
{
    const struct xfrec_migration **rows = NULL;
    const struct xfrec_migration *row;
    size_t allocated = 0;

    *n = 0;
    XFREC_MIGRATION_FOR_EACH (row, idl) {
        if (*n >= allocated) {
            rows = x2nrealloc(rows, &allocated, sizeof *rows);
        }
        rows[(*n)++] = row;
    }
    if (*n) {
        qsort(rows, *n, sizeof *rows, compare_migrations);
    }
    return rows;
}

static void
put_cell(struct table *table, char *text)
{
    table_add_cell(table)->text = text;
}

static char *
duration(const struct xfrec_migration *row)
{
    return (row->ended_ms
            ? xasprintf("%.3f", (row->ended_ms - row->begun_ms) / 1000.0)
            : xstrdup(""));
}

static char *
number(size_t n, const int64_t *value)
{
    return n ? xasprintf("%"PRId64, *value) : xstrdup("");
}

static void
cmd_migration_list(struct ctl_context *ctx)
{
    static const char *const columns[] = {
        "object", "name", "from", "to", "technique", "stage", "percent",
        "seconds", "suspended-ms", "error",
    };
    struct table *table = xmalloc(sizeof *table);
    size_t n;
    const struct xfrec_migration **rows = sort_migrations(ctx->idl, &n);

    table_init(table);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        table_add_column(table, "%s", columns[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct xfrec_migration *row = rows[i];

        table_add_row(table);
        put_cell(table, xstrdup(row->router || row->source ? "router"
                                : "link"));
        put_cell(table, xstrdup(row->name));
        put_cell(table, xstrdup(row->source ? row->source->name : ""));
        put_cell(table, xstrdup(row->destination ? row->destination->name
                                : ""));
        put_cell(table, xstrdup(row->technique));
        put_cell(table, xstrdup(row->stage));
        put_cell(table, xasprintf("%"PRId64, row->progress));
        put_cell(table, duration(row));
        put_cell(table, number(row->n_suspended_ms, row->suspended_ms));
        put_cell(table, xstrdup(row->error));
    }
    free(rows);
    ctx->table = table;
}

/* The newest migration of router or link 'name'; one that hasn't ended is newer
 * than all others. */
static const struct xfrec_migration *
find_newest(struct ctl_context *ctx, const char *name)
{
    size_t n;
    const struct xfrec_migration **rows = sort_migrations(ctx->idl, &n);
    const struct xfrec_migration *newest = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(rows[i]->name, name)
            && (!newest || xf_check_is_ended(newest)
                || !xf_check_is_ended(rows[i]))) {
            newest = rows[i];
        }
    }
    free(rows);
    if (!newest) {
        ctx->error = xasprintf("there is no migration of '%s': migration-list "
                               "shows those that there are", name);
    }
    return newest;
}

/* A row of two columns; takes ownership of 'value'. */
static void
put_pair(struct table *table, const char *key, char *value)
{
    if (value[0]) {
        table_add_row(table);
        put_cell(table, xstrdup(key));
        put_cell(table, value);
    } else {
        free(value);
    }
}

static void
put_states(struct ctl_context *ctx, struct table *table,
           const struct xfrec_migration *row)
{
    const struct xfrec_migration_state *state;
    struct svec lines = SVEC_EMPTY_INITIALIZER;

    XFREC_MIGRATION_STATE_FOR_EACH (state, ctx->idl) {
        if (uuid_equals(&state->migration, &row->header_.uuid)) {
            svec_add_nocopy(&lines, xasprintf(
                "%s: %s, %"PRId64" %%%s%s", state->host, state->stage,
                state->progress, state->error[0] ? ", " : "", state->error));
        }
    }
    svec_sort(&lines);
    for (size_t i = 0; i < lines.n; i++) {
        put_pair(table, "host", xstrdup(lines.names[i]));
    }
    svec_destroy(&lines);
}

static void
cmd_migration_show(struct ctl_context *ctx)
{
    const struct xfrec_migration *row = find_newest(ctx, ctx->argv[1]);
    struct table *table;

    if (!row) {
        return;
    }
    table = xmalloc(sizeof *table);
    table_init(table);
    table_add_column(table, "key");
    table_add_column(table, "value");
    put_pair(table, "stage", xstrdup(row->stage));
    put_pair(table, "percent", xasprintf("%"PRId64, row->progress));
    put_pair(table, "from", xstrdup(row->source ? row->source->name : ""));
    put_pair(table, "to", xstrdup(row->destination ? row->destination->name
                                  : ""));
    put_pair(table, "technique", xstrdup(row->technique));
    put_pair(table, "coordinator", xstrdup(row->coordinator));
    put_pair(table, "cancelled", xstrdup(row->cancelled ? "true" : ""));
    put_pair(table, "waits-for", xstrdup(smap_get_def(&row->external_ids,
                                                      "waits", "")));
    put_pair(table, "memory-kb", number(row->n_memory_kb, row->memory_kb));
    put_pair(table, "suspended-ms", number(row->n_suspended_ms,
                                           row->suspended_ms));
    put_pair(table, "seconds", duration(row));
    put_pair(table, "error", xstrdup(row->error));
    put_states(ctx, table, row);
    ctx->table = table;
}

static void
cmd_migration_cancel(struct ctl_context *ctx)
{
    const struct xfrec_migration *row = find_newest(ctx, ctx->argv[1]);

    if (!row) {
        return;
    } else if (xf_check_is_ended(row)) {
        ctx->error = xasprintf("the migration of '%s' has ended already: it is "
                               "%s", ctx->argv[1], row->stage);
    } else if (!strcmp(row->stage, "flipping")
               || !strcmp(row->stage, "draining")) {
        ctx->error = xasprintf("the migration of '%s' is %s, and can't be "
                               "undone any more: wait for its end, and move "
                               "it back", ctx->argv[1], row->stage);
    } else {
        xfrec_migration_verify_stage(row);
        xfrec_migration_set_cancelled(row, true);
    }
}

void
xf_migration_commands_register(void)
{
    static const struct ctl_command_syntax commands[] = {
        { "router-migrate", 1, 5, "ROUTER --to=HOST", xf_pre_all,
          cmd_router_migrate, NULL, "--to=,--technique=,--no-wait", RW },
        { "router-swap", 2, 3, "ROUTER ROUTER", xf_pre_all, cmd_router_swap,
          NULL, "", RW },
        { "link-move", 1, 4, "LINK", xf_pre_all, cmd_link_move, NULL,
          "--path=,--no-wait", RW },
        { "host-evacuate", 1, 3, "HOST", xf_pre_all, cmd_host_evacuate, NULL,
          "--to=", RW },
        { "host-power-off", 1, 3, "HOST", xf_pre_all, cmd_host_evacuate, NULL,
          "--to=", RW },
        { "migration-list", 0, 0, "", xf_pre_all, cmd_migration_list, NULL,
          "", RO },
        { "migration-show", 1, 1, "NAME", xf_pre_all, cmd_migration_show,
          NULL, "", RO },
        { "migration-cancel", 1, 1, "NAME", xf_pre_all, cmd_migration_cancel,
          NULL, "", RW },
        { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
    };

    ctl_register_commands(commands);
}
