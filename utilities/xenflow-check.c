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

#include "xenflow-check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "svec.h"
#include "util.h"
#include "xenflow-late.h"
#include "xenflow-plan.h"

#define NICS_MAX 24             /* Of a machine: xenflow/domain.h. */

/* Appends a reason. */
static void OVS_PRINTF_FORMAT(2, 3)
against(struct svec *reasons, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    svec_add_nocopy(reasons, xvasprintf(format, args));
    va_end(args);
}

bool
xf_check_is_ended(const struct xfrec_migration *m)
{
    return (!strcmp(m->stage, "done") || !strcmp(m->stage, "failed")
            || !strcmp(m->stage, "undone"));
}

const char *
xf_check_technique(const struct xfrec_router *router)
{
    return router->separated ? "separated" : "native";
}

/* ---- Other migrations. ---- */

static bool
has_end(const struct xfrec_link *link, const struct xfrec_router *router)
{
    return (link->interface1->router == router
            || (link->interface2 && link->interface2->router == router));
}

const struct xfrec_migration *
xf_check_router_moves(struct ovsdb_idl *idl, const struct xfrec_router *router,
                      const struct xfrec_migration *except)
{
    const struct xfrec_migration *m;

    XFREC_MIGRATION_FOR_EACH (m, idl) {
        if (m != except && m->router == router && !xf_check_is_ended(m)) {
            return m;
        }
    }
    return NULL;
}

const struct xfrec_migration *
xf_check_link_moves(struct ovsdb_idl *idl, const struct xfrec_link *link,
                    const struct xfrec_migration *except)
{
    const struct xfrec_migration *m;

    XFREC_MIGRATION_FOR_EACH (m, idl) {
        if (m != except && !xf_check_is_ended(m)
            && (m->link == link
                || (m->router && has_end(link, m->router)))) {
            return m;
        }
    }
    return NULL;
}

static void
check_others(struct ovsdb_idl *idl, const struct xfrec_link *link,
             const struct xfrec_migration *self, struct svec *reasons)
{
    const struct xfrec_migration *other = xf_check_link_moves(idl, link, self);

    if (other) {
        against(reasons, "link '%s' is in a migration of %s '%s': wait for it, "
                "or cancel it", link->name, other->link ? "link" : "router",
                other->name);
    }
}

/* ---- Hosts. ---- */

static bool
is_capable(const struct xfrec_host_state *state, const char *backend)
{
    size_t len = strcspn(backend, "-");     /* xen-pv, xen-pvh: "xen". */

    for (size_t i = 0; i < state->n_capabilities; i++) {
        if (strlen(state->capabilities[i]) == len
            && !strncmp(state->capabilities[i], backend, len)) {
            return true;
        }
    }
    return !strcmp(backend, "none");
}

/* The largest memory node, in MiB; 0 if there are none. */
static long long int
largest_node(const struct xfrec_host_state *state)
{
    long long int largest = 0;

    for (size_t i = 0; i < state->n_numa; i++) {
        const char *memory = strstr(state->value_numa[i], "memory=");

        if (memory) {
            largest = MAX(largest, atoll(memory + strlen("memory=")));
        }
    }
    return largest;
}

/* Whether the machine finds room in 'to', as far as that has said. */
static void
check_room(struct ovsdb_idl *idl, const struct xfrec_router *router,
           const struct xfrec_host *to, const struct xfrec_host_state *state,
           struct svec *reasons)
{
    const struct xfrec_router *other;
    int64_t used = 0;

    if (!strcmp(router->backend, "none")) {
        return;
    }
    if (!is_capable(state, router->backend)) {
        against(reasons, "host '%s' can't run backend %s", to->name,
                router->backend);
    }
    XFREC_ROUTER_FOR_EACH (other, idl) {
        if (other != router && strcmp(other->backend, "none")
            && (other->host == to || other->destination == to)) {
            used += other->memory;
        }
    }
    if (state->memory && used + router->memory > state->memory) {
        against(reasons, "host '%s' has no memory left for it: %"PRId64" MiB "
                "of %"PRId64" are its routers', and it needs %"PRId64,
                to->name, used, state->memory, router->memory);
    } else if (state->n_numa > 1 && largest_node(state) < router->memory) {
        against(reasons, "no memory node of host '%s' has %"PRId64" MiB",
                to->name, router->memory);
    }
    if (state->cpus && router->vcpus > state->cpus) {
        against(reasons, "host '%s' has %"PRId64" CPUs, and it needs %"PRId64,
                to->name, state->cpus, router->vcpus);
    }
}

static void
check_destination(struct ovsdb_idl *idl, const struct xfrec_router *router,
                  const struct xfrec_host *to, long long int now_ms,
                  struct svec *reasons)
{
    const struct xfrec_host_state *state = xf_host_state(idl, to->name);

    if (router->host == to) {
        against(reasons, "router '%s' is on host '%s' already", router->name,
                to->name);
        return;
    }
    if (strcmp(to->kind, "xenflow")) {
        against(reasons, "host '%s' is of kind %s: it has no routers",
                to->name, to->kind);
        return;
    }
    if (!to->enabled) {
        against(reasons, "host '%s' is disabled: host-set %s enabled=true",
                to->name, to->name);
    }
    if (strcmp(to->power, "on")) {
        against(reasons, "host '%s' is to be switched off: host-set %s "
                "power=on", to->name, to->name);
    }
    if (!xf_host_is_up(state, now_ms)) {
        against(reasons, "host '%s' is down: nothing is heard of its "
                "xenflow-hostd", to->name);
    } else {
        check_room(idl, router, to, state, reasons);
    }
}

/* ---- The router itself. ---- */

static void
check_source(struct ovsdb_idl *idl, const struct xfrec_router *router,
             long long int now_ms, struct svec *reasons)
{
    const struct xfrec_router_state *state;

    if (!router->host) {
        against(reasons, "router '%s' is on no host: router-set %s host=HOST "
                "places it", router->name, router->name);
        return;
    }
    if (!xf_host_is_up(xf_host_state(idl, router->host->name), now_ms)) {
        against(reasons, "host '%s', where it is, is down: nothing is heard "
                "of its xenflow-hostd", router->host->name);
        return;
    }
    if (!strcmp(router->backend, "none")) {
        return;
    }
    XFREC_ROUTER_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->router, &router->header_.uuid)
            && !strcmp(state->host, router->host->name)) {
            if (strcmp(state->state, "running")) {
                against(reasons, "router '%s' isn't running: it is %s; "
                        "router-set %s host=HOST moves one that stands still",
                        router->name, state->state, router->name);
            }
            return;
        }
    }
    against(reasons, "router '%s' isn't running: host '%s' has no machine of "
            "it", router->name, router->host->name);
}

/* Which interfaces can't be flipped. */
static void
check_interfaces(struct ovsdb_idl *idl, const struct xfrec_router *router,
                 struct svec *reasons)
{
    const struct xfrec_interface *iface;
    struct svec names = SVEC_EMPTY_INITIALIZER;
    size_t n = 0;

    XFREC_INTERFACE_FOR_EACH (iface, idl) {
        if (iface->router == router) {
            n++;
            if (iface->segment) {
                svec_add(&names, iface->name);
            }
        }
    }
    if (names.n && router->separated) {
        char *list;

        svec_sort(&names);
        list = svec_join(&names, ", ", "");
        against(reasons, "a segment can't be flipped, and these interfaces are "
                "in one: %s; give them links, or let the machine forward "
                "itself (router-set %s separated=false)", list, router->name);
        free(list);
    }
    svec_destroy(&names);
    if (n > NICS_MAX && strcmp(router->backend, "none")) {
        against(reasons, "router '%s' has %"PRIuSIZE" interfaces, and a "
                "machine has at most %d", router->name, n, NICS_MAX);
    }
}

/* Plans all ways, as a try. */
static void
check_ways(struct ovsdb_idl *idl, const struct xfrec_router *router,
           const struct xfrec_host *to, const struct xfrec_migration *self,
           long long int now_ms, struct svec *reasons)
{
    struct xf_plan_session *s = xf_plan_session_create(idl, now_ms);
    size_t n;
    const struct xfrec_link **links = xf_plan_links(idl, router, &n);

    for (size_t i = 0; i < n; i++) {
        struct xf_plan way;
        char *error;

        check_others(idl, links[i], self, reasons);
        error = xf_plan_link(s, links[i], router, to, &way);
        if (error) {
            against(reasons, "no way for link '%s': %s", links[i]->name,
                    error);
            free(error);
        } else {
            xf_plan_destroy(&way);
        }
    }
    free(links);
    xf_plan_session_destroy(s);
}

void
xf_check_router_place(struct ovsdb_idl *idl,
                      const struct xfrec_router *router,
                      const struct xfrec_host *to, const char *technique,
                      const struct xfrec_migration *self,
                      long long int now_ms, struct svec *reasons)
{
    const struct xfrec_migration *other
        = xf_check_router_moves(idl, router, self);

    if (other) {
        against(reasons, "another migration of router '%s' is %s: wait for "
                "it, or migration-cancel %s", router->name, other->stage,
                router->name);
        return;
    }
    if (strcmp(technique, xf_check_technique(router))) {
        against(reasons, "router '%s' is made for technique %s: router-set %s "
                "separated=%s changes that", router->name,
                xf_check_technique(router), router->name,
                router->separated ? "false" : "true");
    }
    check_destination(idl, router, to, now_ms, reasons);
    check_source(idl, router, now_ms, reasons);
    check_interfaces(idl, router, reasons);
}

void
xf_check_router_move(struct ovsdb_idl *idl, const struct xfrec_router *router,
                     const struct xfrec_host *to, const char *technique,
                     const struct xfrec_migration *self, long long int now_ms,
                     struct svec *reasons)
{
    xf_check_router_place(idl, router, to, technique, self, now_ms, reasons);
    if (router->host && router->host != to
        && !xf_check_router_moves(idl, router, self)) {
        check_ways(idl, router, to, self, now_ms, reasons);
    }
}

void
xf_check_link_move(struct ovsdb_idl *idl, const struct xfrec_link *link,
                   const struct xfrec_migration *self, long long int now_ms,
                   struct svec *reasons)
{
    struct xf_plan_session *s;
    struct xf_plan way;
    char *error;

    check_others(idl, link, self, reasons);
    s = xf_plan_session_create(idl, now_ms);
    error = xf_plan_link(s, link, NULL, NULL, &way);
    if (error) {
        against(reasons, "no way for link '%s': %s", link->name, error);
        free(error);
    } else {
        if (!xf_plan_differs(idl, link, link->generation, &way)) {
            against(reasons, "link '%s' takes the best way already",
                    link->name);
        }
        xf_plan_destroy(&way);
    }
    xf_plan_session_destroy(s);
}
