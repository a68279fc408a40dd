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

/* host=any: which host a router gets.
 *
 * Routers of one network go to distinct hosts where there are enough (VN-41).
 * That is where they begin: a router that has a host keeps it, whatever comes
 * later. */

#include <config.h>

#include "xfctl.h"

#include "hmapx.h"
#include "timeval.h"
#include "util.h"

/* Rows of Router to be placed when all their keys are set. */
static struct hmapx waiting = HMAPX_INITIALIZER(&waiting);

void
xf_place_later(xf_row *row)
{
    hmapx_add(&waiting, CONST_CAST(void *, (const void *) row));
}

void
xf_place_none(void)
{
    hmapx_clear(&waiting);
}

/* Whether the host can run 'backend', as far as it has said. */
static bool
is_capable(const struct xfrec_host_state *state, const char *backend)
{
    size_t len = strcspn(backend, "-");     /* xen-pv, xen-pvh: "xen". */

    if (!state || !state->alive_ms || !strcmp(backend, "none")) {
        return true;
    }
    for (size_t i = 0; i < state->n_capabilities; i++) {
        if (strlen(state->capabilities[i]) == len
            && !strncmp(state->capabilities[i], backend, len)) {
            return true;
        }
    }
    return false;
}

/* How little a host suits a router: the more significant first. */
struct rank {
    bool is_down;
    size_t n_same_network;
    size_t n_routers;
    const char *name;
};

static void
rank_host(struct ovsdb_idl *idl, const struct xfrec_router *router,
          const struct xfrec_host *host, struct rank *rank)
{
    const struct xfrec_router *other;

    rank->is_down = !xf_host_is_up(xf_host_state(idl, host->name),
                                   time_wall_msec());
    rank->n_same_network = rank->n_routers = 0;
    rank->name = host->name;
    XFREC_ROUTER_FOR_EACH (other, idl) {
        if (other->host == host || other->destination == host) {
            rank->n_routers++;
            rank->n_same_network += (router->network
                                     && other->network == router->network);
        }
    }
}

static int
compare_ranks(const struct rank *a, const struct rank *b)
{
    return (a->is_down != b->is_down ? a->is_down - b->is_down
            : a->n_same_network != b->n_same_network
            ? (a->n_same_network > b->n_same_network ? 1 : -1)
            : a->n_routers != b->n_routers
            ? (a->n_routers > b->n_routers ? 1 : -1)
            : strcmp(a->name, b->name));
}

char *
xf_place(struct ctl_context *ctx, xf_row *row)
{
    const struct xfrec_router *router
        = CONTAINER_OF(row, struct xfrec_router, header_);
    const struct xfrec_host *host, *best = NULL;
    struct rank rank, best_rank = { 0 };

    if (!hmapx_find_and_delete(&waiting, CONST_CAST(void *,
                                                    (const void *) row))
        || router->host) {
        return NULL;
    }
    XFREC_HOST_FOR_EACH (host, ctx->idl) {
        if (!strcmp(host->kind, "xenflow") && host->enabled
            && !strcmp(host->power, "on")
            && is_capable(xf_host_state(ctx->idl, host->name),
                          router->backend)) {
            rank_host(ctx->idl, router, host, &rank);
            if (!best || compare_ranks(&rank, &best_rank) < 0) {
                best = host;
                best_rank = rank;
            }
        }
    }
    if (!best) {
        return xasprintf("there is no host for router '%s': none of kind "
                         "xenflow is enabled, on, and can run backend %s",
                         router->name, router->backend);
    }
    xfrec_router_set_host(router, best);
    xf_wire_later(row);
    return NULL;
}
