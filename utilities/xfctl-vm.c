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

#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "timeval.h"
#include "util.h"

/* Virtual machines of routers: what is wanted, and what their hosts say. */

static const struct xfrec_router *
find_router(struct ctl_context *ctx)
{
    xf_row *row;

    ctx->error = xf_object_get(ctx, xf_kind_find("router"), ctx->argv[1],
                               &row);
    return ctx->error ? NULL : CONTAINER_OF(row, struct xfrec_router, header_);
}

/* vm-start, -resume, -stop, -suspend, -restart. */
static void
cmd_vm_state(struct ctl_context *ctx)
{
    const char *verb = strchr(ctx->argv[0], '-') + 1;
    const struct xfrec_router *router = find_router(ctx);

    if (!router) {
        return;
    }
    xfrec_router_set_state(router, (!strcmp(verb, "stop") ? "stopped"
                                    : !strcmp(verb, "suspend") ? "suspended"
                                    : "running"));
    if (!strcmp(verb, "restart")) {
        xfrec_router_set_boot(router, router->boot + 1);
    }
}

/* What a machine is, as text; to be freed. */
static char *
state_text(struct ovsdb_idl *idl, const struct xfrec_router *router,
           const struct xfrec_router_state *state)
{
    if (!router->host) {
        return xstrdup("not placed");
    } else if (!state) {
        return xstrdup("unknown");
    }
    return xasprintf("%s%s", state->state,
                     xf_host_is_up(xf_host_state(idl, router->host->name),
                                   time_wall_msec())
                     ? "" : " (host is down)");
}

static void
put_cell(struct table *table, char *text)
{
    table_add_cell(table)->text = text;
}

static void
cmd_vm_list(struct ctl_context *ctx)
{
    static const char *const columns[] = {
        "router", "host", "backend", "wanted", "state", "restarts", "error",
    };
    struct table *table = xmalloc(sizeof *table);
    size_t n;
    xf_row **rows = xf_rows_sorted(ctx->idl, xf_kind_find("router"), &n);

    table_init(table);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        table_add_column(table, "%s", columns[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct xfrec_router *router = CONTAINER_OF(
            rows[i], struct xfrec_router, header_);
        const struct xfrec_router_state *state = xf_router_state(ctx->idl,
                                                                 router);

        if (strcmp(router->backend, "none")) {
            table_add_row(table);
            put_cell(table, xstrdup(router->name));
            put_cell(table, xstrdup(router->host ? router->host->name : ""));
            put_cell(table, xstrdup(router->backend));
            put_cell(table, xstrdup(router->state));
            put_cell(table, state_text(ctx->idl, router, state));
            put_cell(table, xasprintf("%"PRId64,
                                      state ? state->restarts : 0));
            put_cell(table, xstrdup(state ? state->error : ""));
        }
    }
    free(rows);
    ctx->table = table;
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

static int
compare_times(const void *a_, const void *b_)
{
    const struct xfrec_event *const *a = a_, *const *b = b_;

    return (*a)->time_ms < (*b)->time_ms ? -1 : (*a)->time_ms > (*b)->time_ms;
}

/* What hosts say happened to its machine, the oldest first. */
static void
put_events(struct ctl_context *ctx, struct table *table,
           const struct xfrec_router *router)
{
    char *object = xasprintf("router %s", router->name);
    const struct xfrec_event **events = NULL;
    const struct xfrec_event *event;
    size_t n = 0, allocated = 0;

    XFREC_EVENT_FOR_EACH (event, ctx->idl) {
        if (!strcmp(event->object, object)) {
            if (n >= allocated) {
                events = x2nrealloc(events, &allocated, sizeof *events);
            }
            events[n++] = event;
        }
    }
    if (n) {
        qsort(events, n, sizeof *events, compare_times);
    }
    for (size_t i = 0; i < n; i++) {
        char *time = xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", events[i]->time_ms,
                                     true);

        put_pair(table, events[i]->severity, xasprintf(
            "%s %s: %s", time, events[i]->host, events[i]->text));
        free(time);
    }
    free(events);
    free(object);
}

static void
cmd_vm_show(struct ctl_context *ctx)
{
    const struct xfrec_router *router = find_router(ctx);
    const struct xfrec_router_state *state;
    struct table *table;

    if (!router) {
        return;
    }
    state = xf_router_state(ctx->idl, router);
    table = xmalloc(sizeof *table);
    table_init(table);
    table_add_column(table, "key");
    table_add_column(table, "value");
    put_pair(table, "state", state_text(ctx->idl, router, state));
    put_pair(table, "wanted", xstrdup(router->state));
    put_pair(table, "host", xstrdup(router->host ? router->host->name : ""));
    put_pair(table, "backend", xstrdup(router->backend));
    put_pair(table, "image", xstrdup(router->image));
    put_pair(table, "memory", xasprintf("%"PRId64" MB", router->memory));
    put_pair(table, "vcpus", xasprintf("%"PRId64, router->vcpus));
    put_pair(table, "restart", xstrdup(router->restart));
    if (state) {
        put_pair(table, "restarts", xasprintf("%"PRId64, state->restarts));
        put_pair(table, "error", xstrdup(state->error));
    }
    put_events(ctx, table, router);
    ctx->table = table;
}

void
xf_vm_commands_register(void)
{
    static const struct ctl_command_syntax commands[] = {
        { "vm-list", 0, 0, "", xf_pre_all, cmd_vm_list, NULL, "", RO },
        { "vm-show", 1, 1, "ROUTER", xf_pre_all, cmd_vm_show, NULL, "", RO },
        { "vm-start", 1, 1, "ROUTER", xf_pre_all, cmd_vm_state, NULL, "", RW },
        { "vm-stop", 1, 1, "ROUTER", xf_pre_all, cmd_vm_state, NULL, "", RW },
        { "vm-restart", 1, 1, "ROUTER", xf_pre_all, cmd_vm_state, NULL, "",
          RW },
        { "vm-suspend", 1, 1, "ROUTER", xf_pre_all, cmd_vm_state, NULL, "",
          RW },
        { "vm-resume", 1, 1, "ROUTER", xf_pre_all, cmd_vm_state, NULL, "",
          RW },
        { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
    };

    ctl_register_commands(commands);
}
