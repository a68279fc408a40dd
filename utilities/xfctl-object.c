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

#include "hmapx.h"
#include "ovsdb-data.h"
#include "ovsdb-idl-provider.h"
#include "table.h"
#include "util.h"

/* Commands on objects: KIND-add, -set, -del, -list, -show; states of routers;
 * and what goes with a removed object. */

/* ---- Changes. ---- */

static char *
change_key(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
           const struct xf_field *key, const char *text, bool fresh)
{
    if (!fresh && key->column == &xfrec_router_col_role
        && strcmp(text, xf_string_get(row, key->column))) {
        return xasprintf("router '%s' is a %s and stays one: remove it and add "
                         "it anew to change role",
                         xf_string_get(row, &xfrec_router_col_name),
                         xf_string_get(row, key->column));
    }
    if (!fresh) {
        struct ds old = DS_EMPTY_INITIALIZER;
        char *error;

        xf_key_get(ctx->idl, row, key, &old);
        error = xf_migration_check(row, key, ds_cstr(&old), text);
        ds_destroy(&old);
        if (error) {
            return error;
        }
    }
    return xf_key_set(ctx, kind, row, key, text);
}

/* Parses 'arg', "KEY=VALUE", or a value for positional key number 'i'. */
static char * OVS_WARN_UNUSED_RESULT
parse_assignment(const struct xf_kind *kind, char *arg, int i,
                 const struct xf_field **keyp, const char **text)
{
    char *eq = strchr(arg, '=');

    if (!eq && i < kind->n_positional) {
        *keyp = &kind->keys[i];
        *text = arg;
        return NULL;
    }

    char *name = eq ? xmemdup0(arg, eq - arg) : xstrdup(arg);
    const struct xf_field *key = eq ? xf_key_find(kind, name) : NULL;
    free(name);
    if (!key) {
        char *names = xf_keys_names(kind);
        char *error = xasprintf("'%s' isn't understood here: use KEY=VALUE "
                                "with one of %s", arg, names);
        free(names);
        return error;
    }
    *keyp = key;
    *text = eq + 1;
    return NULL;
}

/* Gives a 'fresh' object what 'given' has no bit for. */
static char * OVS_WARN_UNUSED_RESULT
set_initial(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
            uint64_t given)
{
    for (size_t i = 0; i < kind->n_keys; i++) {
        const struct xf_field *key = &kind->keys[i];

        if (given & (UINT64_C(1) << i)) {
            continue;
        } else if (!key->initial) {
            return xasprintf("%s is missing: add %s=VALUE", key->name,
                             key->name);
        } else if (key->initial[0]) {
            char *error = xf_key_set(ctx, kind, row, key, key->initial);

            if (error) {
                return error;
            }
        } else if (key->column == &xfrec_interface_col_mac) {
            xf_make_mac(ctx, row);
        }
    }
    return NULL;
}

/* Sets what the 'n' words 'argv' say. */
char *
xf_object_change(struct ctl_context *ctx, const struct xf_kind *kind,
                 xf_row *row, int n, char *argv[], bool fresh)
{
    uint64_t given = 0;
    char *error = NULL;

    for (int i = 0; i < n && !error; i++) {
        const struct xf_field *key = NULL;
        const char *text = NULL;

        error = parse_assignment(kind, argv[i], i, &key, &text);
        if (!error && given & (UINT64_C(1) << (key - kind->keys))) {
            error = xasprintf("%s is given twice: give it once", key->name);
        }
        if (!error) {
            given |= UINT64_C(1) << (key - kind->keys);
            error = change_key(ctx, kind, row, key, text, fresh);
        }
    }
    if (!error && fresh) {
        error = set_initial(ctx, kind, row, given);
    }
    return error;
}

/* ---- Removal. ---- */

/* What goes with the object that a column refers to. */
static const struct {
    const struct ovsdb_idl_column *column;
    bool all;                   /* Only with --all. */
} owned[] = {
    { &xfrec_interface_col_router, false },
    { &xfrec_static_route_col_router, false },
    { &xfrec_filter_col_router, false },
    { &xfrec_flow_col_router, false },
    { &xfrec_selection_col_router, false },
    { &xfrec_selection_col_via, false },
    { &xfrec_neighbor_col_router, false },
    { &xfrec_neighbor_col_interface, false },
    { &xfrec_hop_col_link, false },
    { &xfrec_link_col_interface1, true },
    { &xfrec_link_col_interface2, true },
    { &xfrec_link_col_edge, true },
    { &xfrec_router_col_network, true },
    { &xfrec_segment_col_network, true },
    { &xfrec_edge_port_col_segment, true },
    { &xfrec_edge_port_col_host, true },
    { &xfrec_physical_link_col_host1, true },
    { &xfrec_physical_link_col_host2, true },
};

static bool
is_owned(const struct ovsdb_idl_column *column, bool all)
{
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
        if (owned[i].column == column) {
            return all || !owned[i].all;
        }
    }
    return false;
}

static void collect(struct ctl_context *, xf_row *, bool all,
                    struct hmapx *gone, struct hmapx *users);

/* Sorts the rows that refer to 'row' by 'column' into 'gone' and 'users'. */
static void
collect_column(struct ctl_context *ctx, xf_row *row, bool all,
               const struct ovsdb_idl_table_class *table,
               const struct ovsdb_idl_column *column, struct hmapx *gone,
               struct hmapx *users)
{
    xf_row *user;

    for (user = ovsdb_idl_first_row(ctx->idl, table); user;
         user = ovsdb_idl_next_row(user)) {
        void *p = CONST_CAST(struct ovsdb_idl_row *, user);

        if (!xf_refers(user, column, row)
            || hmapx_contains(gone, p)) {
            continue;
        } else if (is_owned(column, all)) {
            collect(ctx, user, all, gone, users);
        } else {
            hmapx_add(users, p);
        }
    }
}

/* Adds 'row' and what goes with it to 'gone', and what only refers to these to
 * 'users'. */
static void
collect(struct ctl_context *ctx, xf_row *row, bool all, struct hmapx *gone,
        struct hmapx *users)
{
    hmapx_add(gone, CONST_CAST(struct ovsdb_idl_row *, row));
    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        const struct ovsdb_idl_table_class *table = &xfrec_table_classes[i];

        for (size_t j = 0; j < table->n_columns; j++) {
            const struct ovsdb_idl_column *column = &table->columns[j];
            const struct ovsdb_base_type *key = &column->type.key;

            if (ovsdb_base_type_is_strong_ref(key)
                && !strcmp(key->uuid.refTableName,
                           row->table->class_->name)) {
                collect_column(ctx, row, all, table, column, gone, users);
            }
        }
    }
}

/* "link 'l1'", to be freed by the caller. */
static char *
describe(struct ctl_context *ctx, xf_row *row)
{
    const char *table = row->table->class_->name;
    const struct xf_kind *kind = xf_kind_of_table(table);
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (row->table->class_ == &xfrec_table_hop) {
        return describe(ctx, xf_ref_get(ctx->idl, row, &xfrec_hop_col_link));
    }
    ds_put_format(&ds, "%s '", kind ? xf_kind_noun(kind) : table);
    if (kind) {
        xf_object_name(ctx->idl, kind, row, &ds);
    } else {
        ds_put_format(&ds, UUID_FMT, UUID_ARGS(&row->uuid));
    }
    ds_put_char(&ds, '\'');
    return ds_steal_cstr(&ds);
}

/* A sentence about one of 'users' that isn't in 'gone', or NULL. */
static char * OVS_WARN_UNUSED_RESULT
find_user(struct ctl_context *ctx, const struct xf_kind *kind,
          const char *name, const struct hmapx *gone,
          const struct hmapx *users)
{
    struct hmapx_node *node;
    char *first = NULL;

    HMAPX_FOR_EACH (node, users) {
        if (!hmapx_contains(gone, node->data)) {
            char *user = describe(ctx, node->data);

            /* The same one each time. */
            if (!first || strcmp(user, first) < 0) {
                free(first);
                first = user;
            } else {
                free(user);
            }
        }
    }
    if (!first) {
        return NULL;
    }

    char *error = xasprintf("%s '%s' is used by %s: remove or change that "
                            "first", xf_kind_noun(kind), name, first);
    free(first);
    return error;
}

/* A host that goes leaves nobody behind who would remove its states. */
static void
remove_states(struct ctl_context *ctx, const char *host)
{
    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        const struct ovsdb_idl_table_class *table = &xfrec_table_classes[i];
        xf_row *row, *next;

        for (size_t j = 0; j < table->n_columns; j++) {
            const struct ovsdb_idl_column *column = &table->columns[j];

            if (strcmp(column->name, "host")
                || column->type.key.type != OVSDB_TYPE_STRING) {
                continue;
            }
            for (row = ovsdb_idl_first_row(ctx->idl, table); row;
                 row = next) {
                next = ovsdb_idl_next_row(row);
                if (!strcmp(xf_string_get(row, column), host)) {
                    ovsdb_idl_txn_delete(row);
                }
            }
        }
    }
}

/* Removes 'row' with what goes with it; with 'all' also what is in it. */
char *
xf_object_remove(struct ctl_context *ctx, const struct xf_kind *kind,
                 xf_row *row, bool all)
{
    struct hmapx gone = HMAPX_INITIALIZER(&gone);
    struct hmapx users = HMAPX_INITIALIZER(&users);
    struct ds name = DS_EMPTY_INITIALIZER;
    struct hmapx_node *node;
    char *error;

    xf_object_name(ctx->idl, kind, row, &name);
    collect(ctx, row, all, &gone, &users);
    error = find_user(ctx, kind, ds_cstr(&name), &gone, &users);
    error = error ? error : xf_link_check_removal(ctx->idl, &gone);
    if (!error) {
        if (kind->table == &xfrec_table_host) {
            remove_states(ctx, ds_cstr(&name));
        }
        if (kind->table == &xfrec_table_physical_link) {
            xf_wire_later(row);
        }
        HMAPX_FOR_EACH (node, &gone) {
            ovsdb_idl_txn_delete(node->data);
        }
    }
    ds_destroy(&name);
    hmapx_destroy(&gone);
    hmapx_destroy(&users);
    return error;
}

/* ---- Commands. ---- */

static const struct xf_kind *
kind_of_command(const struct ctl_context *ctx)
{
    char *name = xmemdup0(ctx->argv[0], strcspn(ctx->argv[0], "-"));
    const struct xf_kind *kind = xf_kind_find(name);

    free(name);
    return kind;
}

/* The name that a command's words begin with, to be freed by the caller; '*n'
 * is the number of these words. */
static char *
command_name(const struct ctl_context *ctx, const struct xf_kind *kind, int *n)
{
    bool two = kind->table == &xfrec_table_interface;

    *n = 1 + two;
    return (two ? xasprintf("%s:%s", ctx->argv[1], ctx->argv[2])
            : xstrdup(ctx->argv[1]));
}

static void
cmd_add(struct ctl_context *ctx)
{
    const struct xf_kind *kind = kind_of_command(ctx);
    xf_row *row;
    int n;
    char *name = command_name(ctx, kind, &n);

    ctx->error = xf_object_find(ctx, kind, name, &row);
    bool fresh = !row;
    if (!ctx->error && row && !shash_find(&ctx->options, "--may-exist")) {
        ctx->error = xasprintf("%s '%s' exists already: choose another name, "
                               "or change it with %s-set", xf_kind_noun(kind),
                               name, kind->name);
    }
    if (!ctx->error && !row) {
        ctx->error = xf_object_create(ctx, kind, name, &row);
    }
    if (!ctx->error) {
        ctx->error = xf_object_change(ctx, kind, row, ctx->argc - 1 - n,
                                      ctx->argv + 1 + n, fresh);
    }
    if (!ctx->error) {
        ctx->error = xf_check_object(ctx, kind, row);
    }
    free(name);
}

/* The object that the command is about, or NULL with ctx->error. */
static xf_row *
command_object(struct ctl_context *ctx, const struct xf_kind *kind, int *n)
{
    xf_row *row = NULL;
    char *name = command_name(ctx, kind, n);

    ctx->error = xf_object_get(ctx, kind, name, &row);
    free(name);
    return ctx->error ? NULL : row;
}

static void
cmd_set(struct ctl_context *ctx)
{
    const struct xf_kind *kind = kind_of_command(ctx);
    int n;
    xf_row *row = command_object(ctx, kind, &n);

    if (row) {
        ctx->error = xf_object_change(ctx, kind, row, ctx->argc - 1 - n,
                                      ctx->argv + 1 + n, false);
    }
    if (!ctx->error) {
        ctx->error = xf_check_object(ctx, kind, row);
    }
}

static void
cmd_del(struct ctl_context *ctx)
{
    const struct xf_kind *kind = kind_of_command(ctx);
    xf_row *row;
    int n;
    char *name = command_name(ctx, kind, &n);

    ctx->error = (shash_find(&ctx->options, "--if-exists")
                  ? xf_object_find(ctx, kind, name, &row)
                  : xf_object_get(ctx, kind, name, &row));
    if (!ctx->error && row) {
        ctx->error = xf_object_remove(ctx, kind, row,
                                      shash_find(&ctx->options, "--all"));
    }
    free(name);
}

static void
cmd_list(struct ctl_context *ctx)
{
    const struct xf_kind *kind = kind_of_command(ctx);
    struct table *table = xmalloc(sizeof *table);
    size_t n;
    xf_row **rows = xf_rows_sorted(ctx->idl, kind, &n);

    table_init(table);
    table_add_column(table, "name");
    for (size_t i = 0; i < kind->n_keys; i++) {
        if (!kind->keys[i].map_key) {
            table_add_column(table, "%s", kind->keys[i].name);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        table_add_row(table);
        xf_object_name(ctx->idl, kind, rows[i], &ds);
        table_add_cell(table)->text = ds_steal_cstr(&ds);
        for (size_t j = 0; j < kind->n_keys; j++) {
            if (!kind->keys[j].map_key) {
                ds_init(&ds);
                xf_key_get(ctx->idl, rows[i], &kind->keys[j], &ds);
                table_add_cell(table)->text = ds_steal_cstr(&ds);
            }
        }
    }
    free(rows);
    ctx->table = table;
}

static void
cmd_object_show(struct ctl_context *ctx)
{
    const struct xf_kind *kind = kind_of_command(ctx);
    int n;
    xf_row *row = command_object(ctx, kind, &n);

    if (!row) {
        return;
    }

    struct table *table = xmalloc(sizeof *table);
    table_init(table);
    table_add_column(table, "key");
    table_add_column(table, "value");
    for (size_t i = 0; i < kind->n_keys; i++) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        xf_key_get(ctx->idl, row, &kind->keys[i], &ds);
        if (ds.length) {
            table_add_row(table);
            table_add_cell(table)->text = xstrdup(kind->keys[i].name);
            table_add_cell(table)->text = ds_steal_cstr(&ds);
        } else {
            ds_destroy(&ds);
        }
    }
    ctx->table = table;
}

/* router-start, -stop, -suspend; net-start, ... for all of a network. */
static void
cmd_state(struct ctl_context *ctx)
{
    const char *verb = strchr(ctx->argv[0], '-') + 1;
    const char *state = (!strcmp(verb, "start") ? "running"
                         : !strcmp(verb, "stop") ? "stopped" : "suspended");
    const struct xf_kind *kind = kind_of_command(ctx);
    const struct xfrec_router *router;
    int n;
    xf_row *row = command_object(ctx, kind, &n);

    if (!row) {
        return;
    }
    XFREC_ROUTER_FOR_EACH (router, ctx->idl) {
        if (&router->header_ == row
            || (router->network && &router->network->header_ == row)) {
            xfrec_router_set_state(router, state);
        }
    }
}

static void
register_kind(const struct xf_kind *kind)
{
    bool two = kind->table == &xfrec_table_interface;
    const char *name = two ? "ROUTER INTERFACE" : kind->usage;
    struct ctl_command_syntax syntax[] = {
        { xasprintf("%s-add", kind->name), 1 + two, INT_MAX,
          xasprintf("%s%s [KEY=VALUE]...", name,
                    kind->n_positional ? " END1 END2" : ""),
          xf_pre_all, cmd_add, NULL, "--may-exist", RW },
        { xasprintf("%s-set", kind->name), 2 + two, INT_MAX,
          xasprintf("%s KEY=VALUE...", name), xf_pre_all, cmd_set, NULL, "",
          RW },
        { xasprintf("%s-del", kind->name), 1 + two, 1 + two, name, xf_pre_all,
          cmd_del, NULL, "--if-exists,--all", RW },
        { xasprintf("%s-list", kind->name), 0, 0, "", xf_pre_all, cmd_list,
          NULL, "", RO },
        /* The last one: links are shown by xfctl-link.c. */
        { (kind->table == &xfrec_table_link ? NULL
           : xasprintf("%s-show", kind->name)), 1 + two, 1 + two, name,
          xf_pre_all, cmd_object_show, NULL, "", RO },
        { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
    };

    /* Registered commands are pointed to, and stay until the end. */
    ctl_register_commands(xmemdup(syntax, sizeof syntax));
}

void
xf_object_commands_register(void)
{
    static const struct ctl_command_syntax states[] = {
        { "router-start", 1, 1, "ROUTER", xf_pre_all, cmd_state, NULL, "",
          RW },
        { "router-stop", 1, 1, "ROUTER", xf_pre_all, cmd_state, NULL, "",
          RW },
        { "router-suspend", 1, 1, "ROUTER", xf_pre_all, cmd_state, NULL, "",
          RW },
        { "net-start", 1, 1, "NETWORK", xf_pre_all, cmd_state, NULL, "", RW },
        { "net-stop", 1, 1, "NETWORK", xf_pre_all, cmd_state, NULL, "", RW },
        { "net-suspend", 1, 1, "NETWORK", xf_pre_all, cmd_state, NULL, "",
          RW },
        { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
    };

    for (size_t i = 0; i < xf_n_kinds; i++) {
        register_kind(&xf_kinds[i]);
    }
    ctl_register_commands(states);
}
